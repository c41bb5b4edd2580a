"""A git server on loopback, as hosting services are: https, basic authentication, git's own backend, and Git LFS."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BACKEND = Path("/usr/lib/git-core/git-http-backend")


class GitServer(http.server.ThreadingHTTPServer):
    """Serves the bare repositories below `root`, and LFS objects by oid; only `user` with `password` may read.

    `asked` has each request's path and the user who asked. What is below /moved/ is redirected to the URL `moved`.
    """

    def __init__(self, root: Path, user: str = "", password: str = "") -> None:
        super().__init__(("127.0.0.1", 0), GitRequest)
        self.root, self.objects = root, dict[str, bytes]()
        self.expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""
        self.asked: list[tuple[str, str]] = []
        self.moved = ""
        self.url = f"https://127.0.0.1:{self.server_port}"


class GitRequest(http.server.BaseHTTPRequestHandler):
    server: GitServer

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self._serve(b"".join(chunks))
        else:
            self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def log_message(self, *arguments: Any) -> None:
        """Stays quiet."""

    def _serve(self, content: bytes) -> None:
        authorization = self.headers.get("Authorization") or ""
        user = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")[0]
        self.server.asked.append((self.path, user))
        if self.path.startswith("/objects/"):
            self._answer(200, self.server.objects[self.path.removeprefix("/objects/")])
        elif self.path.startswith("/moved/"):
            self._answer(302, b"", ("Location", self.server.moved + self.path.removeprefix("/moved")))
        elif self.server.expected and authorization != self.server.expected:
            self._answer(401, b"", ("WWW-Authenticate", 'Basic realm="git"'))
        elif self.path.endswith("/objects/batch"):
            described = {"transfer": "basic", "objects": [self._described(o) for o in json.loads(content)["objects"]]}
            self._answer(200, json.dumps(described).encode(), ("Content-Type", "application/vnd.git-lfs+json"))
        else:
            self._git(content)

    def _described(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["oid"] not in self.server.objects:
            return {**asked, "error": {"code": 404, "message": "no such object"}}
        return {**asked, "actions": {"download": {"href": f"{self.server.url}/objects/{asked['oid']}"}}}

    def _git(self, content: bytes) -> None:
        path, _, query = self.path.partition("?")
        variables = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.server.root), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "CONTENT_LENGTH": str(len(content)),
            "CONTENT_TYPE": self.headers.get("Content-Type") or "", "GIT_CONFIG_COUNT": "1",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
            "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }  # fmt: skip
        done = subprocess.run([BACKEND], env=variables, input=content, capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        self._answer(status, body, *headers.items())

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serving(server: GitServer, certificate: Path) -> Iterator[GitServer]:
    """Serves with this certificate and key until the block ends."""
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(certificate)
    server.socket = secure.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def make_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1, with its key in the same file."""
    file = folder / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, capture_output=True, check=True,
    )  # fmt: skip
    file.write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return file
