"""A Docker engine of the test's own, which can be killed: its socket, data and containers are no other's."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import need
from tests.engines import docker
from tests.processes import wait_until

LEAST_FREE = 4 << 30


@dataclass
class OwnEngine:
    """An engine below a folder."""

    root: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def bridge(self) -> str:
        """The name of its network bridge."""
        return f"rt{zlib.crc32(os.fsencode(self.root)):08x}"

    @property
    def address(self) -> str:
        return f"unix://{self.root}/docker.sock"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        for left in ("docker.pid", "exec/containerd/containerd.pid"):  # a daemon that was killed leaves them
            (self.root / left).unlink(missing_ok=True)
        options = [
            f"--host={self.address}",
            f"--data-root={self.root}/data",
            f"--exec-root={self.root}/exec",
            f"--pidfile={self.root}/docker.pid",
            # Never --bridge=none, which removes the bridge of the machine's own engine.
            *(f"--bridge={self.bridge}", "--iptables=false", "--ip-forward=false", "--ip-masq=false"),
        ]
        if not Path(f"/sys/class/net/{self.bridge}").exists():
            subprocess.run(["ip", "link", "add", self.bridge, "type", "bridge"], check=True)
            subprocess.run(["ip", "addr", "add", "10.213.77.1/24", "dev", self.bridge], check=True)
            subprocess.run(["ip", "link", "set", self.bridge, "up"], check=True)
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(["dockerd", *options], stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: self._answers() or self._ended(), "an engine of the test's own")
        assert not self._ended(), (self.root / "log").read_text()[-3000:]

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _answers(self) -> bool:
        return bool(docker("--host", self.address, "version", "--format", "{{.Server.Version}}", check=False))

    def kill(self) -> None:
        """Kills the daemon alone, as a crash does: its containers go on."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def load(self, image: str) -> None:
        """Copies an image from the engine of the machine."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            subprocess.run(
                ["docker", "--host", self.address, "load"], stdin=saved.stdout, stdout=subprocess.DEVNULL, check=True
            )

    def end(self) -> None:
        """Ends everything that it has started, and removes its data."""
        self.kill()
        for pid in self._family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self._family(), "the end of its containers")
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in sorted((place for place in mounts if place.startswith(f"{self.root}/")), reverse=True):
            subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", self.bridge], check=False, capture_output=True)
        shutil.rmtree(self.root, ignore_errors=True)

    def _family(self) -> list[int]:
        """The processes of its containerd and of its containers, which name its folder."""
        pids = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if os.fsencode(self.root) in path.read_bytes() and int(path.parent.name) != os.getpid():
                    pids.append(int(path.parent.name))
        return pids


@contextlib.contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """An engine for the time of the block; it needs root."""
    tools = all(shutil.which(tool) for tool in ("dockerd", "ip"))
    need(
        "docker", tools and os.geteuid() == 0, "no engine can be started here: it needs dockerd, ip (iproute2) and root"
    )
    with tempfile.TemporaryDirectory(prefix="rt-engine-") as folder:  # short: the path of a socket has 107 characters
        need("docker", shutil.disk_usage(folder).free > LEAST_FREE, "an engine needs more space")
        engine, machines_own = OwnEngine(Path(folder) / "e"), Path("/sys/class/net/docker0")
        before = machines_own.exists()
        engine.root.mkdir()
        try:
            engine.start()
            yield engine
        finally:
            engine.end()
        assert machines_own.exists() == before, "the bridge of the machine's own engine is gone"
