"""What a killed uv left in the cache is removed at the next start, and nothing that a running one is working on."""

from __future__ import annotations

import contextlib
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro_tui.rebuild.environments.pythons.interpreters import uv_binary
from repro_tui.support.cache import Cache
from tests.processes import wait_until
from tests.wheels import wheel

HALF = 1 << 16


class Stalling(http.server.BaseHTTPRequestHandler):
    """Serves one wheel; the second half only comes when the server is released."""

    content = b""
    serving, released = threading.Event(), threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(self.content[: len(self.content) // 2])
            self.wfile.flush()
            self.serving.set()
            self.released.wait()

    def do_HEAD(self) -> None:
        self.send_response(405)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def stalled(cache: Cache, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real uv in the middle of a download into the cache."""
    wheel(tmp_path, "scorer", 1, more={"data.bin": os.urandom(HALF).hex()})
    [made] = tmp_path.glob("*.whl")
    Stalling.content = made.read_bytes()
    Stalling.serving, Stalling.released = threading.Event(), threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stalling)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"scorer @ http://127.0.0.1:{server.server_address[1]}/{made.name}"
    target = ["--python", sys.executable, "--target", str(tmp_path / "site")]
    command = [uv_binary(), "--no-config", "pip", "install", "--no-deps", *target, url]
    environment = {"UV_CACHE_DIR": str(cache.root / "uv"), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as uv:
        try:
            yield uv
        finally:
            uv.kill()
            Stalling.released.set()
            server.shutdown()
            server.server_close()


def unfinished(cache: Cache) -> list[Path]:
    return sorted((cache.root / "uv").rglob(".tmp*"))


def test_what_a_killed_uv_left_is_removed_and_nothing_of_a_running_one(
    stalled: subprocess.Popen[bytes], cache: Cache
) -> None:
    wait_until(lambda: Stalling.serving.is_set() and bool(unfinished(cache)), "uv is in the middle of a download")
    begun = unfinished(cache)
    cache.sweep()
    assert stalled.poll() is None
    assert set(begun) <= set(unfinished(cache))
    stalled.kill()
    stalled.wait()
    assert unfinished(cache)
    with contextlib.closing(Cache(cache.root).owner):  # another process of ours that is alive, perhaps elsewhere
        cache.sweep()
        assert unfinished(cache)
    cache.sweep()
    assert unfinished(cache) == []


def test_only_what_has_a_name_of_uv_is_removed_and_no_link_is_followed(cache: Cache, tmp_path: Path) -> None:
    uv, outside = cache.root / "uv", tmp_path / "outside"
    kept = [
        uv / "archive-v0" / "id" / ".tmpAbCdE1",
        uv / "wheels-v5" / ".tmp",
        uv / ".tmpAbCdE12",
        outside / ".tmpAbCdE1",
    ]
    gone = [
        uv / ".tmpAbCdE1",
        uv / "wheels-v5" / "index" / "hash" / "name" / ".tmpAbCdE1",
        uv / "simple-v16" / ".tmpzzzzzz",
    ]
    for path in (*kept, *gone):
        path.mkdir(parents=True)
        (path / "file").write_text("x")
    (uv / "wheels-v5" / "linked").symlink_to(outside)
    (uv / "wheels-v5" / ".tmpLinke1").symlink_to(outside)
    cache.sweep()
    assert [path.exists() for path in kept] == [True] * len(kept)
    assert not any(map(os.path.lexists, gone))
    assert not os.path.lexists(uv / "wheels-v5" / ".tmpLinke1")
    assert (outside / ".tmpAbCdE1" / "file").exists()
