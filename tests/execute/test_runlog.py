"""The log of a run: no control character in it, no secret, and no part of one where a line was cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repro_tui.execute.runlog import RunLog
from repro_tui.model.request import Settings
from repro_tui.support.context import Context, Step
from repro_tui.support.lines import LINE_LIMIT, LineCutter

SECRET = "c4n4ry+s3cr3t-value"


def log_of(context: Context, chunks: list[bytes]) -> str:
    context.redactor.learn(SECRET)
    log = RunLog(context.folder / "run-1.log", 1 << 20, context.redactor, Step("run 1", context, 0.0))
    lines = LineCutter(log.line)
    for chunk in chunks:
        lines.add(chunk)
    lines.finish()
    log.close()
    return log.path.read_text()


def test_control_characters_are_visible_in_a_log_and_tabs_stay(context: Context) -> None:
    text = log_of(context, [b"\x1b[2J\x1b]52;c;aGk=\x07 a\tb \xc2\x9b31m\r\n", b"\xe2\x80\xaeevil\xff\n"])
    assert text == "\\u{1b}[2J\\u{1b}]52;c;aGk=\\u{7} a\tb \\u{9b}31m\n\\u{202e}evil\ufffd\n"
    assert not (context.folder / "run-1.raw").exists()


def test_the_raw_output_is_kept_on_request_and_has_no_secrets(context: Context) -> None:
    context = replace(context, settings=Settings(raw_logs=True))
    log_of(context, [b"\x1b[31mkey " + SECRET.encode() + b"\x1b[0m\n"])
    assert (context.folder / "run-1.raw").read_text() == f"\x1b[31mkey {context.redactor.digest(SECRET)}\x1b[0m\n"


@pytest.mark.parametrize("shown", range(1, len(SECRET) + 1))
def test_a_secret_that_a_line_ends_in_is_hidden_wherever_it_is_cut(context: Context, shown: int) -> None:
    line = b"x" * (LINE_LIMIT - shown) + SECRET.encode() + b"y" * 9000 + b"\nnext\n"
    text = log_of(context, [line])
    assert text.endswith("… (cut at 4 KiB)\nnext\n")
    assert SECRET[:6] not in text


@pytest.mark.parametrize("at", range(1, len(SECRET)))
def test_a_secret_across_two_chunks_is_hidden(context: Context, at: int) -> None:
    raw = SECRET.encode()
    assert log_of(context, [b"key " + raw[:at], raw[at:] + b"\n"]) == f"key {context.redactor.digest(SECRET)}\n"


def test_a_line_that_is_cut_within_a_character_has_no_half_of_it() -> None:
    lines: list[str] = []
    cutter = LineCutter(lines.append)
    cutter.add(b"x" * (LINE_LIMIT - 1) + "é".encode() + b"\n")
    cutter.add(b"y" * LINE_LIMIT + b"\n")
    assert lines == ["x" * (LINE_LIMIT - 1) + "… (cut at 4 KiB)", "y" * LINE_LIMIT]
