"""Real engines for tests: a base image with Python, and a registry of the tests' own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import need

TAG = "repro-tui-test-base:latest"


def docker(*arguments: str, check: bool = True) -> str:
    """The Docker client's output."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


@cache
def _engine() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


@cache
def _base() -> str:
    chosen = os.environ.get("REPRO_TUI_BASE_IMAGE", TAG)
    found = docker("image", "inspect", "--format", "{{.Id}}", chosen, check=False)
    if found:
        return found
    script = Path(__file__).parent.parent / ".ci" / "base-image"
    subprocess.run(["bash", str(script), TAG], check=True, stdout=subprocess.DEVNULL)
    return docker("image", "inspect", "--format", "{{.Id}}", TAG)


def base_image() -> str:
    """The id of an image that has python3 and nothing else of note; made by debootstrap where there is none."""
    need("docker", _engine(), "no Docker engine answers")
    need("docker", shutil.which("debootstrap") is not None or bool(_present()), "debootstrap is not installed")
    return _base()


def _present() -> str:
    return docker("image", "inspect", "--format", "{{.Id}}", os.environ.get("REPRO_TUI_BASE_IMAGE", TAG), check=False)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def registry() -> Iterator[str]:
    """A registry of this test's own on loopback: its address."""
    program = shutil.which("docker-registry")
    need("docker", program is not None, "docker-registry is not installed")
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        address = f"127.0.0.1:{free_port()}"
        config = Path(folder) / "config.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
            f"http: {{addr: '{address}'}}\n"
        )
        served = subprocess.Popen([program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait(address)
            yield address
        finally:
            served.terminate()
            served.wait()


class DockerCut:
    """The engine's socket through one of our own, whose connections can be cut; with `gone`, for good."""

    def __init__(self, path: Path) -> None:
        self.listener, self.ends = socket.socket(socket.AF_UNIX), list[socket.socket]()
        self.listener.bind(str(path))
        self.listener.listen(50)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect("/var/run/docker.sock")
                self.ends += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                target.sendall(content)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def cut(self, *, gone: bool) -> None:
        """Ends every connection; with `gone`, no other is taken."""
        if gone:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Gives everything back."""
        self.cut(gone=self.listener.fileno() >= 0)
        for end in self.ends:
            end.close()


def _wait(address: str) -> None:
    host, _, port = address.partition(":")
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.05)
    pytest.fail(f"nothing answers at {address}")


def push(image: str, name: str) -> str:
    """Pushes an image to a registry and returns its reference by digest."""
    docker("tag", image, name)
    docker("push", "--quiet", name)
    digests = docker("image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', name).splitlines()
    return next(digest for digest in digests if digest.startswith(name.rpartition(":")[0]))


def sif(folder: Path, image: str, name: str = "image.sif") -> Path:
    """A SIF image made of a Docker image, in the folder; its file system is compressed fast and not well."""
    need("apptainer", shutil.which("apptainer") is not None, "apptainer is not on PATH: .ci/apptainer installs it")
    tag = f"repro-tui-test-sif:{image.removeprefix('sha256:')[:12]}"
    docker("tag", image, tag)
    try:
        words = ["--silent", "build", "--mksquashfs-args", "-comp gzip -Xcompression-level 1"]
        target = folder / name
        done = subprocess.run(
            ["apptainer", *words, str(target), f"docker-daemon:{tag}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return target
    finally:
        docker("rmi", "--force", tag)
