"""What the engine prints, and what commands raise, has lost its secrets."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from repro_tui.audit.redacted_output import RedactedStream, redacted_errors
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.support.redact import Redactor

SECRET = "c4n4ry+s3cr3t-value"
CRASH = f"""
import threading, warnings
from repro_tui.audit.redacted_output import redact_output
from repro_tui.support.redact import Redactor
redactor = Redactor()
redactor.learn("{SECRET}")
redact_output(redactor)
print("\\x1b[31m", "{SECRET}"[:9], end="")
print("{SECRET}"[9:])
warnings.warn("with {SECRET}")
thread = threading.Thread(target=lambda: 1 / int("{SECRET}"))
thread.start(); thread.join()
print("unfinished {SECRET}", end="")
raise RuntimeError("no login with {SECRET}")
"""


@pytest.fixture
def redactor() -> Redactor:
    redactor = Redactor()
    redactor.learn(SECRET)
    return redactor


def test_a_crash_of_the_engine_quotes_no_secret() -> None:
    done = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert done.stdout.count("hidden:") == 2
    assert done.stderr.count("hidden:") >= 3
    assert "RuntimeError: no login with hidden:" in done.stderr


def test_a_secret_that_is_written_in_parts_is_hidden(redactor: Redactor) -> None:
    target = io.StringIO()
    stream = RedactedStream(target, redactor)
    for character in f"a {SECRET} b\nrest":
        stream.write(character)
    stream.finish()
    assert target.getvalue() == f"a {redactor.digest(SECRET)} b\nrest\n"


def test_errors_lose_their_secrets_and_so_do_their_causes(redactor: Redactor) -> None:
    def fail() -> None:
        try:
            raise OSError(5, f"cannot read {SECRET}")
        except OSError as error:
            raise Inconclusive(f"the server refused {SECRET}", f"change {SECRET}") from error

    with pytest.raises(Inconclusive) as caught, redacted_errors(redactor):
        fail()
    error = caught.value
    assert SECRET not in f"{error} {error.what} {error.do} {error.__cause__}"
    assert "hidden:" in error.do


def test_a_refusal_keeps_its_places(redactor: Redactor) -> None:
    with pytest.raises(Refused) as caught, redacted_errors(redactor):
        raise Refused(Mistake("a.url", f"cannot be read: {SECRET}"), "second")
    assert [mistake.place for mistake in caught.value.mistakes] == ["a.url", ""]
    assert SECRET not in str(caught.value)
