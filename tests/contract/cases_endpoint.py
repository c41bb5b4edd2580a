"""A live endpoint whose URL holds a secret. Loading its record sends no request: nothing listens there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.contract.case import CANARY, SourceCase
from tests.ports import closed_port
from tests.templates import Templates


def build_case(folder: Path, templates: Templates) -> Iterator[SourceCase]:
    hostile = ("http://", "http://a b", "http://h:99999", "https://[::1", "http://h/\x1b]52;c;eA==\x07", "http://h/\0")
    with closed_port() as port:
        reference = f"http://ada:{CANARY}@127.0.0.1:{port}/v2/models/credit?token={CANARY}"
        yield SourceCase(reference, folder, (*hostile, "https://ä.example", "http://h/" + "x" * 5000))
