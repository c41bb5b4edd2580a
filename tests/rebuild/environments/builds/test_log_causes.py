"""What the last lines of real builds say that is missing, and the remedy that fits."""

from __future__ import annotations

import pytest

from repro_tui.rebuild.environments.builds.log_causes import CAUSES, HEADERS, PROGRAMS, log_cause

# Lines as these tools print them, what is said to be missing, and what the remedy names.
LINES = [
    ("OSError: CUDA_HOME environment variable is not set. Please set it.", "CUDA", "/usr/local/cuda"),
    ("RuntimeError: nvcc was not found: set CUDA_HOME", "CUDA", "/usr/local/cuda"),
    ("ext.cu:1:10: fatal error: cuda_runtime.h: No such file or directory", "CUDA", "/usr/local/cuda"),
    ("error: command 'gcc' failed: No such file or directory", "no C compiler", "build-essential"),
    ("unable to execute 'x86_64-linux-gnu-gcc': No such file or directory", "no C compiler", "build-essential"),
    (
        "../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang']]",
        "no C compiler",
        "build-essential",
    ),
    ("  No CMAKE_CXX_COMPILER could be found.", "no C compiler", "build-essential"),
    ("configure: error: C compiler cannot create executables", "no C compiler", "build-essential"),
    ("ERROR: Unknown compiler(s): [['gfortran'], ['flang']]", "Fortran", "gfortran"),
    ("foo.c:2:10: fatal error: Python.h: No such file or directory", "headers of Python", "python3-dev"),
    ("_cffi.c:15:10: fatal error: ffi.h: No such file or directory", "", "libffi-dev"),
    ("x.c:1:10: fatal error: 'openssl/ssl.h' file not found", "", "libssl-dev"),
    ("x.c:1:10: fatal error: somewhere/own.hpp: No such file or directory", "", "somewhere/own.hpp"),
    ("Error: pg_config executable not found.", "no pg_config", "libpq-dev"),
    ("/bin/sh: 1: mysql_config: not found", "no mysql_config", "default-libmysqlclient-dev"),
    ("/bin/sh: line 1: xslt-config: command not found", "no xslt-config", "libxslt1-dev"),
    ("FileNotFoundError: [Errno 2] No such file or directory: 'cmake'", "no cmake", "apt-get install cmake"),
    ("CMake must be installed to build the following extensions: _dlib", "no cmake", "apt-get install cmake"),
    ("error: can't find Rust compiler", "no Rust compiler", "cargo"),
    ("Cargo, the Rust package manager, is not installed or is not on PATH.", "no Rust compiler", "cargo"),
    ("FileNotFoundError: [Errno 2] No such file or directory: 'cargo'", "no Rust compiler", "cargo"),
    ("Please make sure the libxml2 and libxslt development packages are installed.", "", "libxslt1-dev"),
    ("Package libffi was not found in the pkg-config search path.", "", "the library libffi"),
    ("error: Unable to load dependency HDF5, make sure HDF5 is installed properly", "", "libhdf5-dev"),
    (
        "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
        "no network",
        "downloads",
    ),
    ("urllib3: Failed to establish a new connection: [Errno 101] Network is unreachable", "no network", "downloads"),
    ("Could not find directory of OpenSSL installation, and this `-sys` crate cannot proceed", "", "libssl-dev"),
    ("OSError: [Errno 28] No space left on device", "2 GiB", "keep large files out"),
    ("ModuleNotFoundError: No module named 'numpy.distutils'", "", "numpy.distutils"),
]


@pytest.mark.parametrize(("line", "lacks", "do"), LINES, ids=lambda text: text[:40])
def test_a_line_tells_what_is_missing(line: str, lacks: str, do: str) -> None:
    missing, remedy = log_cause(f"running build_ext\n{line}\nerror: the build failed")
    assert lacks in missing
    assert (missing == "") == (lacks == "")
    assert do in remedy


@pytest.mark.parametrize(
    "line",
    [
        "running build_ext",
        "RuntimeError: this release is broken",
        "FileNotFoundError: [Errno 2] No such file or directory: 'data/table.csv'",
        "warning: no files found matching 'README'",
        "checking for Python.h... yes",
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert log_cause(line) == ("", "")


def test_each_row_of_the_table_is_told_by_a_line_above() -> None:
    assert not [cause.line.pattern for cause in CAUSES if not any(cause.line.search(line) for line, _, _ in LINES)]
    assert all(name and package for table in (PROGRAMS, HEADERS) for name, package in table.items())
