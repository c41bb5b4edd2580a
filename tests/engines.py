"""Real engines for tests: a base image with Python, and our own registry."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from filelock import FileLock

from tests.conftest import need
from tests.processes import wait_until
from tests.templates import Templates

TAG = "repro-tui-test-base:small"


def docker(*arguments: str, check: bool = True) -> str:
    """The output of the Docker client."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


@cache
def _engine() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def _chosen() -> str:
    return os.environ.get("REPRO_TUI_BASE_IMAGE", TAG)


def _present() -> str:
    return docker("image", "inspect", "--format", "{{.Id}}", _chosen(), check=False)


@cache
def _base() -> str:
    """The id of the base image, which one process builds while the others wait."""
    with FileLock(Path(tempfile.gettempdir()) / f"repro-tui-test-base-{os.getuid()}.lock"):
        present = _present()
        if present:
            return present
        script = Path(__file__).parent.parent / ".ci" / "base-image"
        subprocess.run(["bash", str(script), TAG], check=True, stdout=subprocess.DEVNULL)
        return docker("image", "inspect", "--format", "{{.Id}}", TAG)


def prepare_base_image() -> None:
    """Builds the base image if possible, which takes minutes, before the time limit of any test starts."""
    if _engine() and shutil.which("debootstrap") is not None:
        with contextlib.suppress(subprocess.CalledProcessError):  # the tests that need it say so
            _base()


def base_image() -> str:
    """The id of a minimal image with python3, built by debootstrap if it does not exist."""
    need("docker", _engine(), "no Docker engine answers")
    need("docker", shutil.which("debootstrap") is not None or bool(_present()), "debootstrap is not installed")
    return _base()


class Images:
    """Images that are built once per session for all tests with the same recipe; removed at the end.

    Every one is built without the engine's cache: no two share a layer but the base's, not even of one content.
    """

    def __init__(self) -> None:
        self._made = dict[str, str]()

    def get(self, recipe: str, fill: Callable[[Path], object]) -> str:
        """The id of the image of that recipe; `fill` writes its build context into an empty folder."""
        if recipe not in self._made:
            with tempfile.TemporaryDirectory() as folder:
                fill(Path(folder))
                self._made[recipe] = docker("build", "--quiet", "--no-cache", folder).splitlines()[-1]
        return self._made[recipe]

    def remove(self) -> None:
        """Removes all of them."""
        if self._made:
            docker("rmi", "--force", *self._made.values(), check=False)


@contextlib.contextmanager
def read_once(cache: Path, templates: Templates) -> Iterator[None]:
    """Starts a test's cache with what other tests of this run have read from images, and keeps what it reads.

    What an image holds is kept by the digest of its content, so that none is taken for another.
    """
    shared, own = templates.root / "inventories", cache / "notes" / "inventory"
    shared.mkdir(exist_ok=True)
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    own.mkdir(parents=True, exist_ok=True)
    for note in shared.glob("*.json"):
        shutil.copyfile(note, own / note.name)
    yield
    for note in own.glob("*.json"):
        if not (shared / note.name).exists():
            copied = shared / f"{uuid.uuid4()}.part"
            shutil.copyfile(note, copied)
            copied.replace(shared / note.name)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def registry() -> Iterator[str]:
    """The address of this test's own registry on loopback."""
    program = shutil.which("docker-registry")
    need("docker", program is not None, "docker-registry is not installed")
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        address, served = _serve_registry(program, Path(folder))
        try:
            yield address
        finally:
            served.terminate()
            served.wait()


def _serve_registry(program: str, folder: Path) -> tuple[str, subprocess.Popen[bytes]]:
    """A running registry and its address; tries another port if the first one was taken."""
    for _ in range(5):
        address = f"127.0.0.1:{free_port()}"
        config = folder / "config.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
            f"http: {{addr: '{address}'}}\n"
        )
        served = subprocess.Popen([program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: served.poll() is not None or _answers(address), f"a registry at {address}")  # noqa: B023
        if served.poll() is None:
            return address, served
    raise AssertionError("the registry does not start")


class DockerCut:
    """A proxy for the engine's socket whose connections can be cut; with `gone`, permanently."""

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
        """Ends every connection; with `gone`, accepts no new ones."""
        if gone:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes all sockets."""
        self.cut(gone=self.listener.fileno() >= 0)
        for end in self.ends:
            end.close()


def _answers(address: str) -> bool:
    host, _, port = address.partition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


def push(image: str, name: str) -> str:
    """Pushes an image to a registry and returns its reference by digest."""
    docker("tag", image, name)
    docker("push", "--quiet", name)
    digests = docker("image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', name).splitlines()
    return next(digest for digest in digests if digest.startswith(name.rpartition(":")[0]))


def sif(folder: Path, image: str, name: str = "image.sif") -> Path:
    """Converts a Docker image to a SIF image in the folder, with fast compression."""
    need("apptainer", shutil.which("apptainer") is not None, "apptainer is not on PATH: .ci/apptainer installs it")
    tag = f"repro-tui-test-sif:{uuid.uuid4().hex[:12]}"
    docker("tag", image, tag)
    try:
        options = ["--silent", "build", "--mksquashfs-args", "-comp gzip -Xcompression-level 1"]
        target = folder / name
        done = subprocess.run(
            ["apptainer", *options, str(target), f"docker-daemon:{tag}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return target
    finally:
        docker("rmi", "--force", tag)


def base_sif(templates: Templates) -> Path:
    """The base image as a SIF image, built once per test run."""
    need("apptainer", shutil.which("apptainer") is not None, "apptainer is not on PATH: .ci/apptainer installs it")
    image = base_image()
    return templates.folder("sif-of-the-base-image", lambda folder: sif(folder, image)) / "image.sif"


@contextlib.contextmanager
def sockets_collected() -> Iterator[None]:
    """docker-py leaves the socket of an attached stream open: it is collected here, before a later test meets it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
