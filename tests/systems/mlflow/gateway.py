"""A gateway before an MLflow server, as companies have: it lets in who sends its token, and logs in at the server."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import requests


class Gateway(ThreadingHTTPServer):
    """`asked` has the path of each request that had the token, and `refused` of each that had not."""

    def __init__(self, server: str, user: str, password: str, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _GatewayRequest)
        self.server, self.expected = server, f"Bearer {token}"
        self.login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.asked, self.refused = list[str](), list[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _GatewayRequest(BaseHTTPRequestHandler):
    server: Gateway

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != self.server.expected:
            self.server.refused.append(self.path)
            self._answer(401, b"no token")
            return
        self.server.asked.append(self.path)
        headers = {"Authorization": self.server.login, "Content-Type": self.headers.get("Content-Type") or ""}
        with requests.Session() as session:
            session.trust_env = False
            place = self.server.server + self.path
            answer = session.request(self.command, place, headers=headers, data=content, timeout=240)
        self._answer(answer.status_code, answer.content, answer.headers.get("Content-Type") or "")

    def _answer(self, status: int, content: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Stays quiet."""


@contextlib.contextmanager
def gateway(server: str, user: str, password: str, token: str) -> Iterator[Gateway]:
    """A gateway on loopback until the block ends."""
    with Gateway(server, user, password, token) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()
