"""Servers for the tests: real ones of MLflow and MLServer, and a small HTTP server whose answers a test decides."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.templates import Templates

READY_S = 270  # an import takes minutes on a busy machine; the limit of a test is 300
# What uvicorn, gunicorn and werkzeug log.
LISTENING = re.compile(r"(?:[Rr]unning on|Listening at:) (http://127\.0\.0\.1:[1-9]\d*)")


@dataclass(frozen=True)
class RunningServer:
    """A real server, the folder with its inputs.csv, and the expected answers."""

    url: str
    folder: Path
    known: dict[str, Any]


@contextlib.contextmanager
def mlflow_server(models: Path, folder: Path) -> Iterator[RunningServer]:
    """A model that the real client saved, as `mlflow models serve` serves it."""
    with serving(folder, str(models / "model")) as url:
        yield RunningServer(url, models, json.loads((models / "known.json").read_text()))


@contextlib.contextmanager
def serving(folder: Path, model: str) -> Iterator[str]:
    """Runs `mlflow models serve` in this environment."""
    arguments = ["models", "serve", "--model-uri", model, "--env-manager", "local"]
    arguments += ["--host", "127.0.0.1", "--port", "0"]
    # It does not pass a port of 0 on to uvicorn.
    with process(
        [sys.executable, "-m", "mlflow", *arguments], folder, "/ping", quiet_environment() | {"UVICORN_PORT": "0"}
    ) as url:
        yield url


def quiet_environment() -> dict[str, str]:
    """The environment of MLflow's own programs, which start uvicorn by name."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | {"PYTHONWARNINGS": "ignore", "DO_NOT_TRACK": "1", "PATH": path}


@contextlib.contextmanager
def process(command: list[str], folder: Path, ready: str, environment: dict[str, str]) -> Iterator[str]:
    """A server on any free port, in its own process group, as soon as it is ready."""
    log = folder / "server.log"
    with log.open("wb") as stream:
        served = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield _address(served, log, ready)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(served.pid, signal.SIGTERM)
        try:
            served.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(served.pid, signal.SIGKILL)
            served.wait()


def _address(served: subprocess.Popen[bytes], log: Path, ready: str) -> str:
    """The address that the server logs, as soon as its readiness route answers there."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and served.poll() is None:
        address = LISTENING.search(log.read_text("utf-8", "replace"))
        if address is not None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address[1]}{ready}", timeout=60) as answer:
                if answer.status == 200:
                    return address[1]
        time.sleep(0.2)
    raise AssertionError(log.read_text("utf-8", "replace")[-3000:])


MLSERVER = ["mlserver==1.7.1", "numpy<2.3", "pandas<3"]
MLSERVER_MODEL = """\
from mlserver import MLModel
from mlserver.codecs import PandasCodec
import pandas as pd
class Credit(MLModel):
    async def load(self):
        return True
    async def predict(self, payload):
        rows = self.decode_request(payload, default_codec=PandasCodec)
        score = rows["x"] * 2.0 + rows["y"]
        label = ["yes" if value > 100 else "no" for value in score]
        found = pd.DataFrame({"score": score, "count": rows["n"] + 1, "label": label, "town": rows["town"]})
        return self.encode_response(found, default_codec=PandasCodec)
"""


@contextlib.contextmanager
def mlserver(folder: Path, models: list[str], environment: Path) -> Iterator[str]:
    """MLServer with these models."""
    places = {"host": "127.0.0.1", "http_port": 0, "grpc_port": 0, "metrics_endpoint": None}
    settings = {"parallel_workers": 0, **places}
    (folder / "settings.json").write_text(json.dumps(settings))
    for name in models:
        (folder / name).mkdir()
        (folder / name / f"model_{name}.py").write_text(MLSERVER_MODEL)
        model_settings = {"name": name, "implementation": f"model_{name}.Credit"}
        (folder / name / "model-settings.json").write_text(json.dumps(model_settings))
    command = [str(environment / "bin" / "mlserver"), "start", "."]
    with process(command, folder, "/v2/health/ready", dict(os.environ)) as url:
        yield url


def mlserver_environment(templates: Templates) -> Path:
    """An environment with MLServer. Needs a package registry."""
    return templates.folder("mlserver", _installed)


def _installed(environment: Path) -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    make = [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(environment)]
    subprocess.run(make, check=True)
    python = str(environment / "bin" / "python")
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *MLSERVER], check=True)


# -- a server whose answers a test decides --------------------------------------------------------------------------

Told = tuple[int, bytes]
Decide = Callable[[str, dict[str, Any], int], Any]


@dataclass
class Stub:
    """The requests to a stub, and how many were concurrent. `decide(path, document, n)` answers the n-th request:
    a document (status 200), or (status, bytes); it may also write to the connection itself and return None."""

    decide: Decide
    asked: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    most: int = 0
    now: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def batches(self) -> list[dict[str, Any]]:
        return [document for _, document, _ in self.asked if document]


@contextlib.contextmanager
def stub(decide: Decide, ready: int = 200) -> Iterator[Stub]:
    """A small HTTP server on loopback; the test may make it violate the protocol."""
    double = Stub(decide)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            double.asked.append((self.path, {}, dict(self.headers)))
            self.reply((ready, b"\n") if self.path.partition("?")[0] in ("/ping", "/v2/health/ready") else (404, b"{}"))

        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with double.lock:
                double.asked.append((self.path, document, dict(self.headers)))
                number = len(double.batches())
                double.now += 1
                double.most = max(double.most, double.now)
            try:
                answer = double.decide(self.path, document, number)
                if callable(answer):
                    answer(self)
                else:
                    self.reply(answer)
            finally:
                with double.lock:
                    double.now -= 1

        def reply(self, answer: Any, **headers: str) -> None:
            status, raw = answer if isinstance(answer, tuple) else (200, json.dumps(answer).encode())
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def hanging(asked: Callable[[], object] = lambda: None) -> Iterator[Stub]:
    """A stub that never answers, but calls `asked` for every request."""
    release = threading.Event()

    def silent(path: str, document: dict[str, Any], number: int) -> Any:
        asked()
        release.wait()

    with stub(silent) as server:
        try:
            yield server
        finally:
            release.set()


def triple(path: str, document: dict[str, Any], number: int) -> Any:
    """MLflow's protocol: three times x, and a label."""
    rows = rows_of(document)
    return {"predictions": [{"score": row["x"] * 3, "label": "yes" if row["x"] > 1 else "no"} for row in rows]}


def rows_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    split = document["dataframe_split"]
    return [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
