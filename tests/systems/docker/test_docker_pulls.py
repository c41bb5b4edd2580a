"""Pulls from registries that hang, lie, redirect, refuse, or have an image for another machine only."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import json
import socket
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from repro_tui.clients.docker_engine import engine
from repro_tui.clients.docker_pull import pull_image
from repro_tui.model.errors import Cancelled, Inconclusive
from repro_tui.support.context import Context
from tests.engines import docker
from tests.processes import cancelled_once

pytestmark = [
    pytest.mark.docker,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
SCHEMA = "application/vnd.docker.distribution.manifest"
AMD, ARM = ({"os": "linux", "architecture": name} for name in ("amd64", "arm64"))


@pytest.fixture
def hasty(context: Context) -> Context:
    """A context that waits one second for a silent registry."""
    limits = replace(context.settings.limits, stall_time=1)
    return replace(context, settings=replace(context.settings, limits=limits))


@dataclass
class Content:
    """What a registry serves: a body by path, with its type; and what it does with a request before that."""

    bodies: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    before: Callable[[BaseHTTPRequestHandler], bool] = lambda handler: False
    authorizations: list[str] = field(default_factory=list)

    def add(self, kind: str, media: str, body: bytes, name: str = "") -> str:
        """Serves a body under its digest, and under a name; returns the digest."""
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        for key in filter(None, (digest, name)):
            self.bodies[f"/v2/credit/{kind}/{key}"] = (media, body)
        return digest

    def image(self, architecture: str = "amd64", *, name: str = "1") -> tuple[str, str]:
        """Adds an image of one file, which no other test has; returns the digests of its manifest and layer."""
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            member, content = tarfile.TarInfo("which"), uuid.uuid4().bytes * 10_000
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        packed = gzip.compress(tar.getvalue(), 0)
        layer = self.add("blobs", "application/octet-stream", packed)
        diff = f"sha256:{hashlib.sha256(tar.getvalue()).hexdigest()}"
        config = {"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": [diff]}}
        text = json.dumps(config).encode()
        media = "application/vnd.docker.container.image.v1+json"
        parts = {
            "config": {"mediaType": media, "size": len(text), "digest": self.add("blobs", media, text)},
            "layers": [
                {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": len(packed), "digest": layer}
            ],
        }
        manifest = json.dumps({"schemaVersion": 2, "mediaType": f"{SCHEMA}.v2+json"} | parts).encode()
        return self.add("manifests", f"{SCHEMA}.v2+json", manifest, name), layer


@contextlib.contextmanager
def serving(content: Content) -> Iterator[str]:
    """The address of a registry with that content."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content.authorizations.append(self.headers.get("Authorization", ""))
            if content.before(self):
                return
            media, body = content.bodies.get(self.path, ("application/json", b"{}"))
            self.send_response(200 if self.path in content.bodies or self.path == "/v2/" else 404)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def answers(status: int, body: dict[str, object], **headers: str) -> Callable[[BaseHTTPRequestHandler], bool]:
    """A registry that answers everything with this status."""

    def before(handler: BaseHTTPRequestHandler) -> bool:
        text = json.dumps(body).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)
        return True

    return before


def other_bytes_under_the_digest(content: Content) -> str:
    digest, _ = content.image()
    wrong, _ = content.image()
    content.bodies[f"/v2/credit/manifests/{digest}"] = content.bodies[f"/v2/credit/manifests/{wrong}"]
    return f"credit@{digest}"


def other_bytes_in_a_layer(content: Content) -> str:
    _, layer = content.image()
    media, body = content.bodies[f"/v2/credit/blobs/{layer}"]
    content.bodies[f"/v2/credit/blobs/{layer}"] = (media, body[:-1] + b"x")
    return "credit:1"


def only_another_platform(content: Content) -> str:
    digest, _ = content.image("arm64", name="")
    size = len(content.bodies[f"/v2/credit/manifests/{digest}"][1])
    entry = {"mediaType": f"{SCHEMA}.v2+json", "size": size, "digest": digest, "platform": ARM}
    index = {"schemaVersion": 2, "mediaType": f"{SCHEMA}.list.v2+json", "manifests": [entry]}
    content.add("manifests", f"{SCHEMA}.list.v2+json", json.dumps(index).encode(), "1")
    return "credit:1"


def needs_a_login(content: Content) -> str:
    content.before = answers(401, {"errors": [{"code": "UNAUTHORIZED"}]}, WWW_Authenticate='Basic realm="r"')
    return "credit:1"


def limits_the_rate(content: Content) -> str:
    content.before = answers(429, {"errors": [{"code": "TOOMANYREQUESTS", "message": "too many pulls"}]})
    return "credit:1"


def is_no_registry(content: Content) -> str:
    content.before = answers(404, {"hello": "world"})
    return "credit:1"


def has_it_not(content: Content) -> str:
    unknown = answers(404, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]})
    content.before = lambda handler: "missing" in handler.path and unknown(handler)
    return "credit:missing"


@pytest.mark.parametrize(
    ("prepare", "remedy"),
    [
        (other_bytes_under_the_digest, "serves content that does not match its digest"),
        (other_bytes_in_a_layer, "serves content that does not match its digest"),
        (only_another_platform, "this machine's platform"),
        (needs_a_login, "docker login 127.0.0.1"),
        (limits_the_rate, "rate limit of 127.0.0.1"),
        (is_no_registry, "does not answer like a registry"),
        (has_it_not, "does not have the image"),
    ],
)
def test_why_a_pull_failed_is_told_with_its_own_remedy(
    hasty: Context, prepare: Callable[[Content], str], remedy: str
) -> None:
    content = Content()
    name = prepare(content)
    with serving(content) as address, engine() as client:
        with pytest.raises(Inconclusive, match="cannot be pulled") as error:
            pull_image(client, f"{address}/{name}", hasty)
        assert remedy in error.value.do, error.value
        assert not docker("images", "--quiet", f"{address}/credit")


def test_an_image_of_another_platform_is_named_as_that(hasty: Context) -> None:
    from repro_tui.model.record import Environment, Record
    from repro_tui.rebuild.environments.image import rebuild_image

    content = Content()
    digest, _ = content.image("arm64")
    with serving(content) as address:
        name = f"{address}/credit@{digest}"
        _, part = rebuild_image(Record("a", "a", environment=Environment(image=name)), None, hasty)
        docker("rmi", "--force", name)
    assert any("linux/arm64" in warning and "linux/amd64" in warning for warning in part.warnings), part.warnings


@contextlib.contextmanager
def silent_registry() -> Iterator[str]:
    """The address of a registry that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(20)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_registry_that_never_answers_is_given_up(hasty: Context) -> None:
    with (
        silent_registry() as address,
        engine() as client,
        pytest.raises(Inconclusive, match="nothing arrived for 1 s"),
    ):
        pull_image(client, f"{address}/credit:1", hasty)
    assert not pulling()


def pulling() -> list[str]:
    """The threads that still wait for an engine which is to have stopped a pull."""
    return [thread.name for thread in threading.enumerate() if thread.name == "engine-events"]


def test_a_layer_that_stalls_is_given_up_and_a_cancelled_pull_ends_at_once(hasty: Context, context: Context) -> None:
    content, hangs, stopped = Content(), threading.Event(), threading.Event()
    _, layer = content.image()

    def before(handler: BaseHTTPRequestHandler) -> bool:
        if not handler.path.endswith(layer):
            return False
        body = content.bodies[handler.path][1]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2])
        hangs.set()
        stopped.wait(60)
        return True

    content.before = before
    texts: list[str] = []
    with serving(content) as address, engine() as client:
        with pytest.raises(Inconclusive, match="nothing arrived for 1 s"):
            pull_image(client, f"{address}/credit:1", hasty, texts.append)
        hangs.clear()
        with cancelled_once(hangs.is_set, context.cancel), pytest.raises(Cancelled):
            pull_image(client, f"{address}/credit:1", context, texts.append)
        assert not pulling()
        stopped.set()
    assert any("MiB" in text for text in texts), texts


def test_a_redirect_to_another_host_gets_no_credentials(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, elsewhere = Content(), Content()
    digest, layer = content.image()
    elsewhere.bodies = dict(content.bodies)
    with serving(content) as address, serving(elsewhere) as second:
        secret = base64.b64encode(b"ada:canary-pass").decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {address: {"auth": secret}}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        target = f"http://localhost:{second.rpartition(':')[2]}/v2/credit/blobs/{layer}"

        def before(handler: BaseHTTPRequestHandler) -> bool:
            if not handler.headers.get("Authorization"):
                return answers(401, {}, WWW_Authenticate='Basic realm="r"')(handler)
            return handler.path.endswith(layer) and answers(307, {}, Location=target)(handler)

        content.before = before
        with engine() as client:
            pull_image(client, f"{address}/credit@{digest}", context)
        docker("rmi", "--force", f"{address}/credit@{digest}")
    assert f"Basic {secret}" in content.authorizations
    assert elsewhere.authorizations == [""]
