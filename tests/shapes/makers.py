"""Shapes that nobody makes on purpose: each maker puts one at a path."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

PATIENCE_S = 60  # on a busy machine; what hangs does so for ever
DEPTH = 3000


def pipe(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(path.parent):
        server.bind(path.name)


def endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def broken_link(path: Path) -> None:
    path.symlink_to("nowhere")


def folder(path: Path) -> None:
    path.mkdir()


def sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(8 << 30)


def nothing(path: Path) -> None:
    path.touch()


def zeros(path: Path) -> None:
    path.write_bytes(bytes(1 << 16))


def no_text(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 16)


def nested_json(path: Path) -> None:
    path.write_text('{"a":' * 200_000)


def nested_lists(path: Path) -> None:
    path.write_text("[" * 900 + "]" * 900)


def a_number(path: Path) -> None:
    path.write_text("3")


def a_long_number(path: Path) -> None:
    path.write_text('{"schema": ' + "9" * 5000 + "}")


def nested_folders(path: Path, depth: int = DEPTH) -> None:
    """As deep as no path can name: each folder is made by a handle of the one above."""
    path.mkdir()
    here = os.open(path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


SPECIAL: dict[str, Callable[[Path], None]] = {
    "a pipe": pipe,
    "a socket": unix_socket,
    "an endless device": endless_device,
    "a loop of links": loop,
}
NO_FILE = SPECIAL | {"a link to nothing": broken_link, "a folder": folder}
NO_DOCUMENT: dict[str, Callable[[Path], None]] = {
    "nothing": nothing,
    "zeros": zeros,
    "no text": no_text,
    "nested JSON": nested_json,
    "nested lists": nested_lists,
    "a number": a_number,
    "a long number": a_long_number,
    "holes": sparse,
}
ODD_NAMES = (
    *("a\nb", "\x1b[2J", "-rf", "a b", "'\"$(x)`", "#x", "..x", "a\\b", "\u202ex", "[red]", "a\u0301" * 50, "x" * 255),
    os.fsdecode(b"\xff\xfe\x80"),
)


@contextlib.contextmanager
def in_seconds() -> Iterator[None]:
    """Raises where what is in the block hangs."""

    def fail(number: int, frame: FrameType | None) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(PATIENCE_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
