"""One build of a Dockerfile: what is built, with what, and its bounds in time and disk."""

from __future__ import annotations

import re
import shutil
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from repro_tui.clients.docker_engine import BUILD_LABEL
from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context, Step
from repro_tui.support.control_groups.group import ControlGroup
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show

if TYPE_CHECKING:
    from docker import DockerClient

KEPT_LINES, SHOWN_LINES = 50, 5  # of the build's output: kept, and shown in the error of a failed build
LEAST_FREE, LEAST_MEMORY = 1 << 30, 512 << 20
REPEAT = "run docker build on the commit to see its whole output"
# BuildKit pulls the image that a `# syntax` line names from its registry, even for what the engine could read itself.
_FRONTEND = re.compile(r"resolve image config for (\S+?):?(;|\s|$)")
_FRONTEND_FAILED = "failed to solve with frontend gateway.v0"
_KILLED = "code: 137"
LONGER = "record an image that is already built, or raise {} in config.toml"


@dataclass(frozen=True, slots=True)
class Machine:
    """What is left of this machine: available memory in bytes, and what runs on it."""

    memory: int
    tasks: int


def machine() -> Machine:
    """The state of this machine now."""
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    available = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    return Machine(available, int(Path("/proc/loadavg").read_text("ascii").split()[3].partition("/")[2]))


@dataclass(slots=True)
class BuildJob:
    """A build: the context as a tar in `archive`, and the path of the Dockerfile in it.

    `group` limits its containers; if it has no folders, the machine is watched.
    """

    client: DockerClient
    archive: IO[bytes]
    dockerfile: str
    key: str
    arguments: dict[str, str]
    target: str
    step: Step
    context: Context
    group: ControlGroup = field(default_factory=ControlGroup)
    began: float = field(default_factory=time.monotonic)
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    free: int | None = None
    _root: str = ""
    _before: Machine = field(init=False)

    def __post_init__(self) -> None:
        self._before = machine()
        self._root = str(self.client.info().get("DockerRootDir") or "")
        self.free = self._free()

    @property
    def network(self) -> str:
        """The network of its RUN steps: "default" or "none"."""
        return self.context.settings.build_network

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the image."""
        return {BUILD_LABEL: self.key}

    def line(self, text: str) -> None:
        """Takes one line of the build's output."""
        if text.strip():
            clean = show(self.context.redactor.scrub(text.strip()), 500)
            self.recent.append(clean)
            self.step.log(clean)

    def check(self) -> None:
        """Raises Inconclusive where the build takes too long or fills the disk, and Cancelled."""
        self.context.cancel.check()
        limits = self.context.settings.limits
        name = show(self.dockerfile, 120)
        if time.monotonic() - self.began > limits.build_time:
            reason = f"the build of {name} did not finish within {limits.build_time:,} s and was stopped{self.last()}"
            raise Inconclusive(reason, LONGER.format("limits.build_time"))
        free = self._free()
        if free is not None and self.free is not None:
            if self.free - free > limits.build_disk:
                reason = f"the build of {name} filled more than {size_text(limits.build_disk)} and was stopped"
                raise Inconclusive(reason, LONGER.format("limits.build_disk"))
            if free < LEAST_FREE < self.free:
                left = f"less than {size_text(LEAST_FREE)} free in {self._root}"
                reason = f"the build of {name} was stopped because it left {left}"
                raise Inconclusive(reason, "free some space there (docker system df), and run the audit again")

        if not self.group.folders:
            self._check_machine()

    def _check_machine(self) -> None:
        """Raises Inconclusive where a build without a control group takes more of the machine than it may."""
        now, name, most = machine(), show(self.dockerfile, 120), self.context.settings.limits.build_processes
        if now.memory < LEAST_MEMORY < self._before.memory:
            memory = f"less than {size_text(LEAST_MEMORY)} of memory left"
            reason = f"the build of {name} was stopped because this machine had {memory}"
            raise Inconclusive(reason, "free some memory, or record an image that is already built")
        if now.tasks - self._before.tasks > most:
            reason = f"the build of {name} was stopped because it started more than {most:,} processes"
            raise Inconclusive(reason, LONGER.format("limits.build_processes"))

    def failed(self, message: str = "") -> Inconclusive:
        """The error of a build that failed, with its last lines."""
        tail = "; ".join(text for text in [*list(self.recent)[-SHOWN_LINES:], message.strip()] if text)
        if _KILLED in tail and self.group.filled_memory():
            size = size_text(self.context.settings.limits.memory)
            reason = (
                f"the build of {show(self.dockerfile, 120)} needed more than the memory limit of {size}{self.last()}"
            )
            return Inconclusive(reason, "raise the limit with --memory, or record an image that is already built")
        if _FRONTEND_FAILED in tail and (image := _FRONTEND.search(tail)):
            return self._without_frontend(image[1], tail)
        do = f"raise the limit with --memory if it was killed for that, or {REPEAT}" if _KILLED in tail else REPEAT
        return Inconclusive(f"the build of {show(self.dockerfile, 120)} failed: {show(tail, 900)}", do)

    def _without_frontend(self, image: str, tail: str) -> Inconclusive:
        """The error of a build whose `# syntax` line names an image that the engine cannot have."""
        reason = tail.rpartition("failed to do request: ")[2]
        return Inconclusive(
            f"the engine cannot pull {image}, which the # syntax line of {show(self.dockerfile, 120)} names: "
            f"{show(reason, 300)}",
            "let the engine reach its registry or a mirror of it (registry-mirrors in daemon.json), or leave the line "
            "out where Docker Engine is 23.0 or later, which reads heredocs without it",
        )

    def last(self) -> str:
        """The last line of the output, as the end of a sentence."""
        return f"; its last output: {self.recent[-1]}" if self.recent else ""

    def _free(self) -> int | None:
        """The free bytes where the engine keeps its images; None where that is not on this machine."""
        try:
            return shutil.disk_usage(Path(self._root)).free if self._root else None
        except OSError:
            return None
