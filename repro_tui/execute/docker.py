"""The Docker runner: a fresh container for every run, without network or capabilities; only its output is writable."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro_tui.execute.collect import collect
from repro_tui.execute.command import HOST_NAME, OUTPUT_NAME, ROOT, Layout, command, data_mounts, layout
from repro_tui.execute.container_log import LogReader
from repro_tui.execute.runlog import RunLog
from repro_tui.model.errors import Inconclusive
from repro_tui.model.run import Isolation, Run, RunStatus
from repro_tui.model.workspace import Workspace
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context, Step
from repro_tui.support.docker_engine import AUDIT_LABEL, CACHE_LABEL, cache_digest, engine
from repro_tui.support.process import LINE_LIMIT

if TYPE_CHECKING:
    from docker import DockerClient

NOBODY = "65534:65534"
TEMPORARY_BYTES = 2 << 30
GRACE_S = 5
SAFE_RUNC = (1, 2, 8)
OLD_RUNC = "runc {} has known escapes, which 1.2.8 mends"
ON_NETWORK = "This code could reach the network: --network host was asked for."


class DockerRunner:
    """Runs a workspace whose environment is an image."""

    def run(self, workspace: Workspace, inputs: Path, number: int, context: Context) -> Run:
        """One run in a fresh container; see execute.base.Runner."""
        outer = context.folder / f"output-{number}"
        remove_tree(outer)
        output = outer / "out"
        output.mkdir(parents=True, mode=0o700)
        outer.chmod(0o711)
        output.chmod(0o777)
        with context.step(f"run {number}", " ".join(workspace.command)) as step, engine() as client:
            try:
                run = _Container(client, workspace, inputs, output, number, context, step).run()
            finally:
                remove_tree(outer)
            step.how = f"{run.seconds:.2f} s, {run.rows:,} rows" if run.rows is not None else run.what
            step.failed = run.status != "succeeded"
            return run


@dataclass(frozen=True, slots=True)
class _Container:
    client: DockerClient
    workspace: Workspace
    inputs: Path
    output: Path
    number: int
    context: Context
    step: Step

    def run(self) -> Run:
        places = layout(self.workspace, self.inputs)
        with self._created(places) as container:
            isolation = self._verified(container)
            limits = self.context.settings.limits
            log = RunLog(self.context.folder / f"run-{self.number}.log", limits.log, self.context.redactor, self.step)
            began = time.monotonic()
            try:
                timed_out = self._until_end(container, log, began)
            finally:
                log.close()
            seconds = time.monotonic() - began
            state = self.client.api.inspect_container(container)["State"]
            return self._ended(state, timed_out, seconds, log, isolation)

    @contextmanager
    def _created(self, places: Layout) -> Iterator[str]:
        arguments, environment = command(self.workspace, places, self.context.settings)
        api = self.client.api
        made = api.create_container(
            self.workspace.environment.image_id,
            command=arguments,
            entrypoint=[],
            environment=environment,
            user=NOBODY,
            working_dir=places.working_dir,
            hostname=HOST_NAME,
            labels={AUDIT_LABEL: self.context.audit_id, CACHE_LABEL: cache_digest(self.context.cache.root)},
            host_config=self._host_config(places),
            use_config_proxy=False,
        )
        try:
            yield made["Id"]
        finally:
            _remove(self.client, made["Id"])

    def _host_config(self, places: Layout) -> dict[str, Any]:
        from docker.types import LogConfig, Ulimit

        limits = self.context.settings.limits
        found: dict[str, Any] = self.client.api.create_host_config(
            network_mode=self.context.settings.network,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=limits.processes,
            mem_limit=limits.memory,
            memswap_limit=limits.memory,
            nano_cpus=limits.cpus * 10**9 or None,
            tmpfs={"/tmp": f"rw,nosuid,nodev,size={TEMPORARY_BYTES}"},  # noqa: S108
            init=True,
            ipc_mode="private",
            ulimits=[Ulimit(name="core", soft=0, hard=0), Ulimit(name="fsize", soft=limits.output, hard=limits.output)],
            log_config=LogConfig(type="json-file", config={"max-size": "8m", "max-file": "2"}),
            mounts=list(self._mounts(places)),
            runtime="runsc" if "runsc" in (self.client.info().get("Runtimes") or {}) else None,
        )
        return found

    def _mounts(self, places: Layout) -> Iterator[Any]:
        from docker.types import Mount

        def read_only(target: str, source: str | Path) -> Any:
            return Mount(target, str(source), type="bind", read_only=True)

        yield read_only(places.inputs, self.inputs)
        if self.workspace.parameters.file:
            yield read_only(places.params, self.workspace.parameters.file)
        if self.workspace.laid is not None:
            yield read_only(str(ROOT / "code"), self.workspace.tree)
        for source, target in data_mounts(self.workspace, places):
            yield read_only(target, source)
        yield Mount(str(ROOT / "output"), str(self.output), type="bind")

    def _verified(self, container: str) -> Isolation:
        """What the engine says that it will do, before the container is started."""
        told = self.client.api.inspect_container(container)
        host = told["HostConfig"]
        detail = {
            "network": str(host["NetworkMode"]),
            "root": "read-only" if host["ReadonlyRootfs"] else "writable",
            "capabilities": "none" if host["CapDrop"] == ["ALL"] and not host["CapAdd"] else "some",
            "user": str(told["Config"]["User"]),
            "runtime": str(host.get("Runtime") or "runc"),
        }
        wanted = {"network": self.context.settings.network, "root": "read-only", "capabilities": "none", "user": NOBODY}
        wrong = [name for name, value in wanted.items() if detail[name] != value]
        if wrong:
            raise Inconclusive(
                f"the engine does not isolate the container as asked: {', '.join(wrong)}", "see its version"
            )
        warnings = (ON_NETWORK,) if self.context.settings.network == "host" else ()
        return Isolation("container", self.context.settings.network, True, detail, (*warnings, *self._old_runc(detail)))

    def _old_runc(self, detail: dict[str, str]) -> tuple[str, ...]:
        if detail["runtime"] != "runc":
            return ()
        for part in self.client.version().get("Components") or []:
            if part.get("Name") == "runc":
                version = str(part.get("Version", ""))
                numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
                return (OLD_RUNC.format(version),) if numbers < SAFE_RUNC else ()
        return ()

    def _until_end(self, container: str, log: RunLog, began: float) -> bool:
        """Starts it and waits; returns whether it was ended at its time limit."""
        api = self.client.api
        reader = LogReader(self.client, container, log)
        api.start(container)
        reader.start()
        timed_out = False
        try:
            while api.inspect_container(container)["State"]["Running"]:
                self.context.cancel.wait(0.05)
                if time.monotonic() - began > self.workspace.timeout_s:
                    timed_out = True
                    api.stop(container, timeout=GRACE_S)
        except BaseException:
            _remove(self.client, container)
            raise
        finally:
            reader.finish()
        if not log.tail:  # a run of a few milliseconds can be over before the engine has attached the stream
            for line in api.logs(container, tail=100).splitlines():
                log.line(line[:LINE_LIMIT].decode("utf-8", "replace"))
        return timed_out

    def _ended(self, state: dict[str, Any], timed_out: bool, seconds: float, log: RunLog, isolation: Isolation) -> Run:
        limit = self.context.settings.limits.memory
        status: RunStatus = "succeeded"
        what = do = ""
        if state.get("OOMKilled"):
            status, do = "out-of-memory", "give it more with --memory"
            what = f"a process of predict was killed for memory, of which it has {limit / (1 << 30):g} GiB"
        elif timed_out:
            status, do = "timed-out", "see why it takes so long, or record a larger predict.timeout_s"
            what = f"predict had not ended after its limit of {self.workspace.timeout_s:g} s, and was killed"
        return collect(
            number=self.number,
            raw=self.output / OUTPUT_NAME,
            exit_code=None if timed_out else int(state["ExitCode"]),
            seconds=seconds,
            log=log.path,
            tail=log.tail or ((str(state["Error"]),) if state.get("Error") else ()),
            isolation=isolation,
            context=self.context,
            status=status,
            what=what,
            do=do,
        )


def _remove(client: DockerClient, container: str) -> None:
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


def remove_containers(audit_ids: list[str], context: Context) -> None:
    """Removes what is left of these audits' containers, of this cache; nothing where no engine answers."""
    try:
        with engine() as client:
            for audit in audit_ids:
                labels = [f"{AUDIT_LABEL}={audit}", f"{CACHE_LABEL}={cache_digest(context.cache.root)}"]
                for found in client.api.containers(all=True, filters={"label": labels}):
                    _remove(client, found["Id"])
    except Inconclusive as error:
        if "no Docker engine" not in error.what and "not this machine" not in error.what:
            raise
