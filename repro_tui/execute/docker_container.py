"""One hardened container: no network, no capabilities, a read-only root, and only the mounts that it needs."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from repro_tui.clients.docker_engine import audit_labels
from repro_tui.clients.docker_inspected import ContainerState
from repro_tui.execute.command import data_mounts
from repro_tui.execute.docker_limits import means_of_engine, nano_cpus, unlimited
from repro_tui.execute.docker_log import LogReader
from repro_tui.execute.docker_user import SCRATCH_HOME, StepUser
from repro_tui.execute.docker_volumes import volume_places
from repro_tui.execute.runlog import RunLog
from repro_tui.execute.sandbox import ON_NETWORK
from repro_tui.execute.steps.access import closed_to_us
from repro_tui.execute.steps.places import RunPaths, working_dir
from repro_tui.execute.steps.working_copy import WorkingCopy, tree_mounts
from repro_tui.model.errors import Inconclusive
from repro_tui.model.run import Isolation, Run
from repro_tui.model.workspace import Workspace
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from repro_tui.support.isolation import HOST_NAME
from repro_tui.support.lines import as_line

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.types import HostConfig, Mount

TEMPORARY_BYTES = 2 << 30
SYSTEM = frozenset(
    "/ /bin /boot /etc /home /lib /lib64 /media /mnt /opt /root /run /sbin /srv /tmp /usr /var".split()
) | {
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/lib",
    "/var/lib",
}
KERNEL = ("/proc/", "/sys/", "/dev/", "/tmp/", "/repro/")  # noqa: S108
OPENING_S = 60
SAFE_RUNC = (1, 2, 8)
ANOTHER_USER = "or name another user with --user"
OLD_RUNC = "runc {} has known container escapes: update it to 1.2.8 or later"
SHARED_MEMORY = "/dev/shm"  # noqa: S108
SHARED_BYTES = 64 << 20
_INODES = f"nr_inodes={1 << 18}"
_ANYBODYS = f"rw,nosuid,nodev,size={TEMPORARY_BYTES},{_INODES}"
_SHARED = f"rw,nosuid,nodev,noexec,size={SHARED_BYTES},{_INODES}"


@contextmanager
def output_folder(outer: Path) -> Iterator[Path]:
    """A fresh folder that a container may write to, inside `outer`, which nobody else can list; removed afterwards."""
    remove_tree(outer)
    output = outer / "out"
    output.mkdir(parents=True, mode=0o700)
    outer.chmod(0o711)
    output.chmod(0o777)
    try:
        yield output
    finally:
        with contextlib.suppress(PermissionError):  # of folders that the run made private, which its notes name
            remove_tree(outer)


def copied_by_engine(workspace: Workspace) -> str:
    """The image's own working folder, if the step may write to a copy of it; "" if not.

    The engine copies it, with its owners and modes, into a volume that is removed with the container. The folders of
    the system are never copied, nor one that data hides.
    """
    folder = working_dir(workspace)
    own = workspace.runs_in_image and workspace.predict.writable and not workspace.predict.protocol
    hidden = any(PurePosixPath(folder).is_relative_to(item.path) for item in workspace.data)
    return folder if own and not hidden and folder not in SYSTEM and not folder.startswith(KERNEL) else ""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """The specification of a container, whose step runs as `user`.

    `shown` are our own folders that it sees read-only, with their path inside; `temporary` are the folders besides /tmp
    that it may write to until it ends. `copy` is its working copy (None: the cached tree, read-only), and `volume` the
    folder of the image that the engine copies into a volume for it ("": none).
    """

    client: DockerClient
    workspace: Workspace
    inputs: Path
    output: Path
    context: Context
    places: RunPaths
    user: StepUser
    shown: tuple[tuple[Path, str], ...] = ()
    temporary: tuple[str, ...] = ()
    copy: WorkingCopy | None = None
    volume: str = ""

    @contextmanager
    def created(self, environment: dict[str, str], command: list[str] | None) -> Iterator[str]:
        """Creates a container without starting it and yields its id; it is removed on leaving the block.

        `command` None: the image's own entrypoint and command.
        """
        identifier = self.client.api.create_container(
            self.workspace.environment.image_id,
            environment=self._for_user(environment),
            user=self.user.user,
            working_dir=self.places.working_dir,
            hostname=HOST_NAME,
            labels=audit_labels(self.context),
            host_config=self._host_config(),
            # What the image says would run beside the step, and how it is ended, would otherwise be the image's choice.
            healthcheck={"test": ["NONE"]},
            stop_signal="SIGTERM",
            use_config_proxy=False,
            command=command,
            entrypoint=None if command is None else [],
        )["Id"]
        try:
            yield identifier
        finally:
            remove(self.client, identifier)

    def _for_user(self, environment: dict[str, str]) -> dict[str, str]:
        """The variables with HOME and USER of the user, unless they are recorded."""
        recorded = self.workspace.environment.variables
        return environment | {name: value for name, value in self.user.variables.items() if name not in recorded}

    def _host_config(self) -> HostConfig:
        from docker.types import LogConfig, Ulimit

        limits, info = self.context.settings.limits, self.client.info()
        mounts, places = self._mounts_and_places()
        # Owned by the user: setting a mode does not work, since the engine uses that of the existing folder.
        own = f"{_ANYBODYS},uid={self.user.uid},gid={self.user.gid}"
        temporary = {SCRATCH_HOME: _ANYBODYS, SHARED_MEMORY: _SHARED} | dict.fromkeys(places, own)
        config: HostConfig = self.client.api.create_host_config(
            network_mode=self.context.settings.network,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=limits.processes,
            mem_limit=limits.memory,
            memswap_limit=limits.memory,
            nano_cpus=nano_cpus(info, limits.cpus),
            tmpfs=temporary,
            init=True,
            ipc_mode="private",
            ulimits=[Ulimit(name="core", soft=0, hard=0), Ulimit(name="fsize", soft=limits.output, hard=limits.output)],
            log_config=LogConfig(type="json-file", config={"max-size": "8m", "max-file": "2"}),
            mounts=mounts,
            runtime="runsc" if "runsc" in (info.get("Runtimes") or {}) else None,
        )
        return config

    def _mounts_and_places(self) -> tuple[list[Mount], tuple[str, ...]]:
        """All mounts, and the places of a tmpfs besides /tmp and /dev/shm."""
        mounts = list(self._mounts())
        image = self.client.api.inspect_image(self.workspace.environment.image_id)
        declared = (image.get("Config") or {}).get("Volumes") or {}
        filled = self.workspace.environment.inventory.volumes
        volumes = volume_places(declared, filled, mounts, (SCRATCH_HOME, SHARED_MEMORY, *self.temporary))
        return [*mounts, *volumes.mounts], (*self.temporary, *volumes.temporary)

    def _mounts(self) -> Iterator[Mount]:
        from docker.types import Mount

        def read_only(target: str, source: str | Path) -> Mount:
            return Mount(target, str(source), type="bind", read_only=True)

        yield from self._working_folder(read_only)
        for folder, target in self.shown:
            yield read_only(target, folder)
        if self.workspace.environment.site:
            yield read_only(self.workspace.environment.site_path, self.workspace.environment.site)
        if self.workspace.parameters.file:
            yield read_only(self.places.params, self.workspace.parameters.file)
        for source, target in data_mounts(self.workspace, self.places):
            yield read_only(target, source)
        yield Mount(self.workspace.at("output"), str(self.output), type="bind")

    def _working_folder(self, read_only: Callable[[str, str | Path], Mount]) -> Iterator[Mount]:
        """The mounts of the working folder, and of the inputs unless they are laid into it."""
        from docker.types import Mount

        if self.volume:
            yield Mount(self.volume, None, type="volume")
        if self.copy is not None:
            for source, target, writable in tree_mounts(self.workspace, self.copy):
                yield Mount(target, source, type="bind", read_only=not writable)
        elif self.workspace.laid is not None:
            yield read_only(self.workspace.at("code"), self.workspace.tree)
        if self.copy is None or not self.workspace.predict.inputs:
            yield read_only(self.places.inputs, self.inputs)

    def verified(self, container: str) -> Isolation:
        """The isolation that the engine reports before the start. Raises Inconclusive if it is not as requested."""
        inspected = self.client.api.inspect_container(container)
        host = inspected["HostConfig"]
        detail = {
            "network": str(host["NetworkMode"]),
            "root": "read-only" if host["ReadonlyRootfs"] else "writable",
            "capabilities": "none" if host["CapDrop"] == ["ALL"] and not host["CapAdd"] else "some",
            "user": str(inspected["Config"]["User"]),
            "runtime": str(host.get("Runtime") or "runc"),
        }
        required = {
            "network": self.context.settings.network,
            "root": "read-only",
            "capabilities": "none",
            "user": self.user.user,
        }
        wrong = [name for name, value in required.items() if detail[name] != value]
        if wrong:
            raise Inconclusive(
                f"the Docker engine does not isolate the container as requested: {', '.join(wrong)}",
                "check the version and the configuration of the engine",
            )
        home = self.workspace.environment.variables.get("HOME", self.user.variables["HOME"])
        detail |= {"chosen user": self.user.why, "home": home}
        warnings: tuple[str, ...] = (ON_NETWORK,) if self.context.settings.network == "host" else ()
        info = self.client.info()
        warnings = (*warnings, *self._old_runc(detail), *unlimited(info))
        return Isolation("container", self.context.settings.network, True, detail, warnings, means_of_engine(info))

    def _old_runc(self, detail: dict[str, str]) -> tuple[str, ...]:
        if detail["runtime"] != "runc":
            return ()
        for part in self.client.version().get("Components") or []:
            if part.get("Name") == "runc":
                version = str(part.get("Version", ""))
                numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
                return (OLD_RUNC.format(version),) if numbers < SAFE_RUNC else ()
        return ()

    @contextmanager
    def started(self, container: str, log: RunLog) -> Iterator[LogReader]:
        """Starts the container and copies its output to the log until it ends; an error removes it at once."""
        from docker.errors import NotFound

        reader = LogReader(self.client.api.attach(container, stdout=True, stderr=True, stream=True), log)
        self.client.api.start(container)
        reader.start()
        try:
            yield reader
        except BaseException:
            remove(self.client, container)
            raise
        finally:
            reader.finish()
        if not log.tail:  # a run of a few milliseconds can end before the engine has attached the stream
            with contextlib.suppress(NotFound):
                for line in self.client.api.logs(container, tail=100).splitlines():
                    log.line(as_line(line))

    def explained(self, run: Run) -> Run:
        """A run that failed, with what a "Permission denied" at the end of its log means."""
        inventory = self.workspace.environment.inventory
        denial = "" if run.status == "succeeded" else self.user.denial(run.tail, self.places.working_dir, inventory)
        return replace(run, what=f"{run.what}; {denial}", do=f"{run.do}; {ANOTHER_USER}") if denial else run

    def opened(self) -> list[str]:
        """Opens what the run made private to this user, who has to read and remove it; returns what stayed closed.

        Only the run's own user can do it, so a container of the same image does, with the image's own chmod.
        """
        if not os.geteuid() or not closed_to_us(self.output.parent):
            return []
        from docker.errors import DockerException

        targets = [self.workspace.at("output"), *([self.workspace.at("code")] if self.copy else [])]
        with (
            contextlib.suppress(DockerException, OSError),
            self.created({}, ["chmod", "-R", "a+rwX", *targets]) as container,
        ):
            self.client.api.start(container)
            self.client.api.wait(container, timeout=OPENING_S)
        return closed_to_us(self.output.parent)

    def state(self, container: str) -> ContainerState:
        """The state of the container as the engine reports it."""
        state: ContainerState = self.client.api.inspect_container(container)["State"]
        return state


def remove(client: DockerClient, container: str) -> None:
    """Ends and removes a container with its volumes; one that no longer exists is not an error."""
    from docker.errors import APIError, NotFound

    for _ in range(50):
        try:
            client.api.remove_container(container, force=True, v=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409:  # it is being removed already
                raise
        time.sleep(0.05)
