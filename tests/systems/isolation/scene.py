"""What the probes aim at: files, sockets, keys, shared memory and a process of this machine, all planted for a test."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from repro_tui.model.record import Predict
from repro_tui.model.run import Run
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.contract.conftest import case_of
from tests.processes import BOUND_S, process, sleepers, wait_until
from tests.systems.isolation import probes
from tests.systems.isolation.probes import Targets
from tests.templates import Templates

# The isolations by the name that the table has for each, and the runner's case that has it.
ISOLATIONS = {
    "bubblewrap": "local bubblewrap",
    "namespace": "local namespace",
    "Docker": "docker",
    "Apptainer": "apptainer",
    "none": "local none",
}
PLACES = {"Apptainer": "/tmp"}  # the one of .ci has a /var/tmp of its own
STEP = Path(probes.__file__).read_text("utf-8")
# What the machine itself shows after the runs, in the rows of the table.
AFTERWARDS = {
    "changed": "files of yours: read, changed, added",
    "heard": "sockets in the file system, such as Docker's",
    "surviving": "files and processes left for another run",
}
REMOVE = 0  # IPC_RMID


@dataclass
class Scene:
    """Planted targets: `folder` is open to every user, so that no probe is stopped by the mode of a file."""

    folder: Path
    context: Context
    targets: Targets
    heard: list[str] = field(default_factory=list)

    def snapshot(self) -> dict[str, bytes]:
        """Every file that a run must not change, with its content; none of those that an audit itself writes."""
        own = (
            self.context.folder,
            *(self.context.cache.root / name for name in ("folders", "locks", "notes", "owners", "tree")),
        )
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in files if not any(map(path.is_relative_to, own))}


@contextmanager
def planted(place: str) -> Iterator[Scene]:
    """A scene in a folder of `place`, which is cleared away with what runs have left."""
    name = f"repro-tui-probe-{uuid.uuid4().hex[:12]}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="repro-tui-probes-", dir=place)))
        context = Context(
            Cache(folder / "private" / "cache"), side="a", folder=folder / "audit" / "side", audit_id=name
        )
        scene = Scene(folder, context, {"canary": f"canary-{name}", "process canary": f"seen-{name}", "left": name})
        context.folder.mkdir(parents=True)
        _files(scene)
        for plant in (_listeners, _process, _keys, _memory):
            stack.enter_context(plant(scene))
        stack.callback(_clear, scene)
        yield scene


def _files(scene: Scene) -> None:
    targets, folder, cached = scene.targets, scene.folder, scene.context.cache.root / "objects" / "planted"
    places = {
        "secret": folder / "home" / "secret.txt",
        "earlier audit": folder / "earlier" / "audit.json",
        "tool cache": folder / "home" / ".cache" / "uv" / "wheel",
        "cached": cached,
    }
    for name, path in places.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(targets["canary"])
        targets[name] = str(path)
    (folder / "repository" / ".git" / "hooks").mkdir(parents=True)
    (folder / "audit" / "audit.json").write_text("{}")
    (folder / "audit" / "inputs.csv").write_text("id\n1\n")
    targets |= {"repository": str(folder / "repository"), "audit": str(folder / "audit"), "root": os.geteuid() == 0}
    for parent, _, files in os.walk(folder):
        Path(parent).chmod(0o777)
        for file in files:
            Path(parent, file).chmod(0o666)


@contextmanager
def _listeners(scene: Scene) -> Iterator[None]:
    name = scene.targets["left"]
    scene.targets |= {"socket": str(scene.folder / "socket"), "abstract": f"{name}-abstract"}
    addresses: dict[str, tuple[int, object]] = {
        "socket": (socket.AF_UNIX, scene.targets["socket"]),
        "abstract": (socket.AF_UNIX, "\0" + scene.targets["abstract"]),
        "tcp": (socket.AF_INET, ("127.0.0.1", 0)),
        "tcp6": (socket.AF_INET6, ("::1", 0)),
    }
    with ExitStack() as stack:
        for kind, (family, address) in addresses.items():
            listener = stack.enter_context(socket.socket(family))
            listener.bind(address)  # type: ignore[arg-type]
            listener.listen()
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            if kind.startswith("tcp"):
                scene.targets[kind] = listener.getsockname()[1]
            threading.Thread(target=_hear, args=(scene, kind, listener), daemon=True).start()
        Path(scene.targets["socket"]).chmod(0o777)
        yield


def _hear(scene: Scene, kind: str, listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.close()
            scene.heard.append(kind)


@contextmanager
def _process(scene: Scene) -> Iterator[None]:
    """A process with secrets in its arguments and its environment, and one inheritable file of this process."""
    canary, secret = scene.targets["process canary"], scene.targets["secret"]
    program = [sys.executable, "-c", "import time; time.sleep(600)", canary]
    with subprocess.Popen(program, env={"SECRET": scene.targets["canary"]}) as child, open(secret) as stream:  # noqa: PTH123
        stream_number = stream.fileno()
        os.set_inheritable(stream_number, True)
        scene.targets["process"] = child.pid
        try:
            yield
        finally:
            child.kill()


@contextmanager
def _keys(scene: Scene) -> Iterator[None]:
    """A key in each keyring of this process, which every user may read."""
    description, keys = f"{scene.targets['left']}-key", []
    with suppress(OSError):  # a machine may deny keyrings, to us as to a run
        for keyring in probes.KEYRINGS.values():
            keys.append(probes.leave_key(keyring, description, scene.targets["canary"].encode()))
            with suppress(OSError):  # of the user's keyrings, where this process does not possess them
                probes.call(probes.KEYCTL, probes.SET_PERMISSIONS, keys[-1], 0x3F3F3F3F)
    scene.targets |= {"key description": description, "keys": keys}
    try:
        yield
    finally:
        for key in keys:
            with suppress(OSError):
                probes.call(probes.KEYCTL, probes.REVOKE, key)


@contextmanager
def _memory(scene: Scene) -> Iterator[None]:
    number = uuid.uuid4().int % (1 << 30)
    scene.targets |= {"shared memory": number, "left memory": number + 1, "queue": f"{scene.targets['left']}-queue"}
    scene.targets["sleep"] = f"600.{number:010}"
    scene.targets["containerd"] = "/run/containerd/containerd.sock"
    probes.attached(number, 4096, 0o1666)
    probes.called(probes.libc.msgget, number, 0o1666)
    queue = scene.targets["queue"]
    os.close(probes.call(probes.MQ_OPEN, queue.encode(), os.O_CREAT | os.O_RDWR, 0o666, None))
    Path("/dev/shm", queue).write_text("shared")
    Path("/dev/shm", queue).chmod(0o666)
    try:
        yield
    finally:
        for name in (queue, scene.targets["left"]):
            Path("/dev/shm", name).unlink(missing_ok=True)
            with suppress(OSError):
                probes.call(probes.MQ_OPEN + 1, name.encode())  # mq_unlink
        for key in (number, number + 1):
            _remove_memory(key)


def _remove_memory(key: int) -> None:
    libc = probes.libc
    for get, control in ((libc.shmget, libc.shmctl), (libc.msgget, libc.msgctl), (libc.semget, libc.semctl)):
        arguments = (ctypes.c_size_t(0), 0) if get is not libc.msgget else (0,)
        identifier = int(get(key, *arguments))
        if identifier >= 0 and get is libc.semget:
            control(identifier, 0, REMOVE)
        elif identifier >= 0:
            control(identifier, REMOVE, None)


def _clear(scene: Scene) -> None:
    """Removes what a run without isolation has left on the machine."""
    for identifier in sleepers(scene.targets["sleep"]):
        process(int(identifier)).send(signal.SIGKILL)
    for folder in probes.PLACES:
        Path(folder, scene.targets["left"]).unlink(missing_ok=True)
    Path(sys.prefix, "bin", scene.targets["left"]).unlink(missing_ok=True)
    for keyring in probes.KEYRINGS.values():
        with suppress(OSError):
            description = f"{scene.targets['left']}-{keyring}".encode()
            key = probes.call(probes.KEYCTL, probes.SEARCH, keyring, b"user", description, 0)
            probes.call(probes.KEYCTL, probes.REVOKE, key)


# -- the runs -------------------------------------------------------------------------------------------------------


def observed_in(isolation: str, templates: Templates) -> dict[str, dict[str, str]]:
    """What every probe reached in an isolation, by the probe's name; from two runs, one after the other."""
    with planted(PLACES.get(isolation, "/var/tmp")) as scene:
        before = scene.snapshot()
        results = _results(_run(scene, isolation, "first", templates))
        surviving = _surviving(scene.targets["sleep"], isolated=isolation != "none")
        results |= _results(_run(scene, isolation, "next", templates))
        after = scene.snapshot()
        changed = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
        reached = {"changed": ", ".join(sorted(changed)), "heard": ", ".join(scene.heard), "surviving": surviving}
        return results | {name: {"name": name, "reached": text} for name, text in reached.items()}


def _surviving(sleep: str, *, isolated: bool) -> str:
    """The processes that outlive a run: the kernel ends those of an isolation in their own time."""
    with suppress(AssertionError):
        wait_until(lambda: not sleepers(sleep), "", bound_s=BOUND_S if isolated else 1)
    return ", ".join(sleepers(sleep))


def _run(scene: Scene, isolation: str, phase: str, templates: Templates) -> Run:
    case = case_of(ISOLATIONS[isolation], templates, scene.context)
    files = {"probes.py": STEP, "targets.json": json.dumps(scene.targets)}
    run = case.step(files, Predict(("python3", "probes.py", phase, "{inputs}", "{output}")))
    assert run.status == "succeeded", (run, Path(run.log).read_text())
    return run


def _results(run: Run) -> dict[str, dict[str, str]]:
    lines = Path(run.log).read_text("utf-8").splitlines()
    results = [json.loads(line.removeprefix("PROBE ")) for line in lines if line.startswith("PROBE ")]
    return {result["name"]: result for result in results}
