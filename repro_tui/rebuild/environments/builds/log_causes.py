"""What the log of a build says that the build lacks, and what to do about it: one table of the lines that tell it.

A build in the sandbox sees the programs and libraries of this machine below /usr, and neither a home folder, nor the
variables of the user's shell, nor a network. Its remedies are those that it can see.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from repro_tui.support.text import show

COMPILER = ("there is no C compiler on this machine", "install a C compiler (apt-get install build-essential)")
RUST = (
    "there is no Rust compiler that the build sees",
    "install Rust below /usr (apt-get install cargo), as a build does not see the one of rustup in a home folder",
)
CUDA = (
    "the build finds no CUDA toolkit",
    "install the CUDA toolkit in /usr/local/cuda, where a build looks for it: it does not see your CUDA_HOME",
)
FORTRAN = ("there is no Fortran compiler on this machine", "install a Fortran compiler (apt-get install gfortran)")
NETWORK = ("a build has no network, and this one downloads something", "record what it downloads with the code")
FULL = ("the sandbox has 2 GiB for the source and the build", "keep large files out of the commit")
# Programs and headers by the package of Debian and Ubuntu that has them; elsewhere, the name says what to look for.
PROGRAMS = {
    "pg_config": "libpq-dev",
    "mysql_config": "default-libmysqlclient-dev",
    "mariadb_config": "libmariadb-dev",
    "xslt-config": "libxslt1-dev",
    "xml2-config": "libxml2-dev",
    "gdal-config": "libgdal-dev",
    "geos-config": "libgeos-dev",
    "krb5-config": "libkrb5-dev",
    "curl-config": "libcurl4-openssl-dev",
    "llvm-config": "llvm-dev",
    "pkg-config": "pkg-config",
    "cmake": "cmake",
    "ninja": "ninja-build",
    "make": "make",
    "swig": "swig",
    "git": "git",
    "protoc": "protobuf-compiler",
}
HEADERS = {
    "Python.h": "python3-dev",
    "pyconfig.h": "python3-dev",
    "ffi.h": "libffi-dev",
    "libpq-fe.h": "libpq-dev",
    "mysql.h": "default-libmysqlclient-dev",
    "sql.h": "unixodbc-dev",
    "openssl/ssl.h": "libssl-dev",
    "openssl/opensslv.h": "libssl-dev",
    "zlib.h": "zlib1g-dev",
    "bzlib.h": "libbz2-dev",
    "lzma.h": "liblzma-dev",
    "jpeglib.h": "libjpeg-dev",
    "libxml/xmlversion.h": "libxml2-dev",
    "libxslt/xslt.h": "libxslt1-dev",
    "hdf5.h": "libhdf5-dev",
    "gmp.h": "libgmp-dev",
    "mpi.h": "libopenmpi-dev",
    "cblas.h": "libopenblas-dev",
    "lapacke.h": "liblapacke-dev",
    "snappy-c.h": "libsnappy-dev",
    "librdkafka/rdkafka.h": "librdkafka-dev",
    "sndfile.h": "libsndfile1-dev",
    "portaudio.h": "portaudio19-dev",
    "ldap.h": "libldap-dev",
    "sasl/sasl.h": "libsasl2-dev",
    "gssapi/gssapi.h": "libkrb5-dev",
    "yaml.h": "libyaml-dev",
}
_COMPILERS = ("cc", "gcc", "g++", "c++", "clang", "clang++")
_CUDA_NAMES = ("nvcc", "cuda.h", "cuda_runtime.h", "cuda_runtime_api.h", "cublas_v2.h", "cudnn.h")


class LogCause(NamedTuple):
    """A line that tells a cause, what the build lacks in words, and the remedy; `{}` is what the line names."""

    line: re.Pattern[str]
    lacks: str
    do: str


def _rows(pairs: Sequence[tuple[str, tuple[str, str]]]) -> tuple[LogCause, ...]:
    return tuple(LogCause(re.compile(line), *texts) for line, texts in pairs)


CAUSES = _rows(
    (
        (
            r"No space left on device",
            ("the sandbox has 2 GiB for the source and the build", "keep large files out of the commit"),
        ),
        (r"CUDA_HOME (?:environment variable )?is not set|set CUDA_HOME|nvcc (?:was )?not found", CUDA),
        (r"(?i)can(?:'t|not) find (?:a )?Rust compiler|Cargo, the Rust package manager, is not installed", RUST),
        (r"No CMAKE_C(?:XX)?_COMPILER could be found|C compiler cannot create executables", COMPILER),
        (r"Unknown compiler\(s\): \[\[?'(?:cc|gcc|c\+\+|g\+\+|clang)", COMPILER),
        (r"(?i)Unknown compiler\(s\): \[\[?'gfortran|no Fortran compiler found|No CMAKE_Fortran_COMPILER", FORTRAN),
        (r"Temporary failure in name resolution|Could not resolve host|Name or service not known", NETWORK),
        (r"Failed to establish a new connection|Network is unreachable", NETWORK),
        (
            r"make sure the libxml2 and libxslt development packages are installed",
            ("", "install the headers of libxml2 and libxslt (apt-get install libxml2-dev libxslt1-dev)"),
        ),
        (
            r"(?i)Could not find (?:directory of )?OpenSSL",
            ("", "install OpenSSL's headers on this machine (apt-get install libssl-dev pkg-config)"),
        ),
        (
            r"(?i)(?:unable to load dependency|could not find) HDF5",
            ("", "install HDF5's headers on this machine (apt-get install libhdf5-dev)"),
        ),
    )
)
_PROGRAM = re.compile(
    r"(?:command|unable to execute|No such file or directory:) '?([^\s':]+)'?(?: failed)?: No such file or directory"
    r"|\[Errno 2\] No such file or directory: '([^\s'/]+)'"
    r"|(?m:^(?:Error: |/bin/sh: (?:\d+: )?)?([\w+.-]+) (?:executable )?(?:not found|is required to build)\b)"
    r"|(?:/bin/sh|sh|bash): (?:\d+: |line \d+: )?([\w+.-]+): (?:command )?not found"
    r"|(?m:^\s*(?:CMake|cmake) must be installed.*()$)"
)
_HEADER = re.compile(
    r"fatal error: ([^\s:]+\.h[a-z+]*): No such file or directory|'([^\s']+\.h[a-z+]*)' file not found"
)
_PACKAGE = re.compile(r"Package ['\"]?([\w+.-]+)['\"]?,?(?: required by '[^']*',)? (?:was )?not found")
_MODULE = re.compile(r"No module named ['\"]?([A-Za-z0-9_.]+)")


def log_cause(text: str) -> tuple[str, str]:
    """What a build lacks, in words, and what to do about it, as its log `text` tells; both "" where it does not."""
    if cause := next((cause for cause in CAUSES if cause.line.search(text)), None):
        return cause.lacks, cause.do
    if program := _PROGRAM.search(text):
        return _without_program(next((name for name in program.groups() if name), "cmake"))
    if header := _HEADER.search(text):
        return _without_header(header.group(1) or header.group(2))
    if package := _PACKAGE.search(text):
        return "", f"install the library {show(package.group(1), 60)}, with its headers, on this machine"
    if module := _MODULE.search(text):
        return "", f"add what has {show(module.group(1), 60)} to its [build-system] requires"
    return "", ""


def _without_program(path: str) -> tuple[str, str]:
    name = show(path.rpartition("/")[2], 60)
    if any(name == compiler or name.endswith(f"-{compiler}") for compiler in _COMPILERS):
        return COMPILER
    if name in ("cargo", "rustc"):
        return RUST
    if name in _CUDA_NAMES:
        return CUDA
    if name in ("gfortran", "f77", "f95"):
        return FORTRAN
    package = PROGRAMS.get(name)
    return f"there is no {name} on this machine", f"install {name}{f' (apt-get install {package})' if package else ''}"


def _without_header(name: str) -> tuple[str, str]:
    if name in _CUDA_NAMES:
        return CUDA
    package = HEADERS.get(name)
    if name in ("Python.h", "pyconfig.h"):
        lacks = "the headers of Python are not on this machine"
        return lacks, f"install the headers of the recorded Python (for Debian's own: apt-get install {package})"
    known = f" (apt-get install {package})" if package else ""
    return "", f"install the library that has {show(name, 60)} on this machine{known}"
