"""The error in the last lines of a program's output, from programs that really fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from repro_tui.support.tracebacks import ERROR_BYTES, error_in, telling_lines

PROGRAMS = {
    "plain": (
        "def f(x):\n    return x.upper()\n\nf(None)",
        "AttributeError: 'NoneType' object has no attribute 'upper'",
        (),
    ),
    "cause": (
        "try:\n    {}['weights']\nexcept KeyError as error:\n    raise RuntimeError('no model') from error",
        "RuntimeError: no model",
        ("KeyError: 'weights'",),
    ),
    "context": (
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    int('x')",
        "ValueError: invalid literal for int() with base 10: 'x'",
        ("ZeroDivisionError: division by zero",),
    ),
    "three": (
        "try:\n    try:\n        1 / 0\n    except ZeroDivisionError as e:\n        raise ValueError('b') from e\n"
        "except ValueError as e:\n    raise RuntimeError('c') from e",
        "RuntimeError: c",
        ("ValueError: b", "ZeroDivisionError: division by zero"),
    ),
    "syntax": ("exec('x = = 3')", "SyntaxError: invalid syntax", ()),
    "own name": ("class Stopped(Exception): pass\nraise Stopped('by hand')", "Stopped: by hand", ()),
    "no message": ("raise KeyboardInterrupt", "KeyboardInterrupt", ()),
    "several lines": ("raise ValueError('first\\n  second\\nthird')", "ValueError: first", ()),
    "recursion": ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded", ()),
    "standard output flushed late": ("print('scored 400 rows')\nraise RuntimeError('boom')", "RuntimeError: boom", ()),
    "handled before": (
        "import logging\ntry:\n    1 / 0\nexcept Exception:\n    logging.exception('retrying')\n"
        "raise RuntimeError('boom')",
        "RuntimeError: boom",
        (),
    ),
    "ignored at the end": (
        "class C:\n    def __del__(self): raise OSError('late')\nc = C()\nraise RuntimeError('boom')",
        "RuntimeError: boom",
        (),
    ),
    "group": (
        "raise ExceptionGroup('two', [ValueError('a'), KeyError('b')])",
        "ExceptionGroup: two (2 sub-exceptions)",
        ("ValueError: a", "KeyError: 'b'"),
    ),
    "exit message": (
        "import sys\nsys.exit('error: the model cannot be loaded')",
        "error: the model cannot be loaded",
        (),
    ),
}


def output_of(program: str, folder: Path) -> list[str]:
    """What the program prints, its errors before its standard output, which is flushed at the end."""
    (folder / "p.py").write_text(program + "\n")
    done = subprocess.run([sys.executable, "p.py"], cwd=folder, capture_output=True, text=True, check=False)
    return (done.stderr + done.stdout).splitlines()


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_error_that_ended_the_program(name: str, tmp_path: Path) -> None:
    program, text, causes = PROGRAMS[name]
    lines = output_of(program, tmp_path)
    error = error_in(lines)
    assert error is not None, lines
    assert (error.text, error.causes) == (text, causes), lines
    assert lines[error.line].lstrip(" |+").startswith(text)


@pytest.mark.parametrize("kept", [3, 5])
@pytest.mark.parametrize("name", ["plain", "syntax", "own name"])
def test_the_head_of_the_traceback_is_not_needed(name: str, kept: int, tmp_path: Path) -> None:
    lines = output_of(PROGRAMS[name][0], tmp_path)
    error = error_in(lines[-kept:])
    assert error is not None
    assert error.text == PROGRAMS[name][1]


def test_a_build_prefixes_each_line(tmp_path: Path) -> None:
    lines = [f"#12 {n / 10:.3f} {line}" for n, line in enumerate(output_of(PROGRAMS["cause"][0], tmp_path))]
    error = error_in([*lines, "#12 ERROR: process did not complete successfully: exit code: 1"])
    assert error is not None
    assert (error.text, error.causes) == ("RuntimeError: no model", ("KeyError: 'weights'",))


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["loading", "error: no matching package", "hint: check the name"], "error: no matching package"),
        (["x", "fatal: not a git repository"], "fatal: not a git repository"),
        (["thread 'main' panicked at src/main.rs:3:5:", "boom"], "thread 'main' panicked at src/main.rs:3:5:"),
        (["Segmentation fault (core dumped)"], "Segmentation fault (core dumped)"),
        (["make: *** [all] Error 1", "g++: fatal error: no input files"], "g++: fatal error: no input files"),
    ],
)
def test_errors_of_other_programs(lines: list[str], text: str) -> None:
    error = error_in(lines)
    assert error is not None
    assert error.text == text


@pytest.mark.parametrize("lines", [[], [""], ["scoring 60 rows", "done"], ["mean error 0.3", "0 errors"]])
def test_lines_without_an_error_have_none(lines: list[str]) -> None:
    assert error_in(lines) is None


def test_carets_and_quoted_source_are_left_out(tmp_path: Path) -> None:
    lines = output_of("x = (None).y + 1", tmp_path)
    assert any("^" in line for line in lines)
    assert telling_lines(lines) == ["Traceback (most recent call last):", lines[-1]]
    assert telling_lines(["table", "    indented output", "x ^ y"]) == ["table", "    indented output", "x ^ y"]


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "ignored at the end"])
def test_the_first_error_of_a_file_is_seen_in_its_bytes(name: str, tmp_path: Path) -> None:
    lines = output_of(PROGRAMS[name][0], tmp_path)
    content = ("epoch 1\nloss 0.3\n" * 100 + "\n".join(lines)).encode()
    match = ERROR_BYTES.search(content)
    assert match is not None
    assert content[: match.start()].count(b"\n") >= 200
