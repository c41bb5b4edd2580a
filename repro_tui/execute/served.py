"""Runs the server of an image: starts it in a container, waits for it, queries it from inside, and removes it.

The container has only its own loopback, so the HTTP child (clients/http_child.py, as asker.py) runs inside it, with the
image's own Python. It reads its requests from a read-only folder; its results are as untrusted as any other output.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro_tui.clients.docker_engine import engine, engine_address
from repro_tui.clients.docker_errors import lost_connection
from repro_tui.clients.docker_inspected import ContainerState
from repro_tui.clients.http import HTTP_CHILD, HttpOutcome, HttpQuestion, Server, read_result
from repro_tui.execute.collect import TIMEOUT_REMEDY, collect, end_step, killed_for_memory, last_output
from repro_tui.execute.command import ROOT, command
from repro_tui.execute.docker_container import ContainerSpec, output_folder, remove
from repro_tui.execute.docker_log import LogReader
from repro_tui.execute.docker_user import user_of
from repro_tui.execute.docker_volumes import amount_in_volumes
from repro_tui.execute.protocols.base import Codec
from repro_tui.execute.protocols.conversation import Conversation, NotAnswered, job_of
from repro_tui.execute.runlog import RunLog
from repro_tui.execute.steps.places import layout
from repro_tui.execute.steps.working_copy import Quota
from repro_tui.model.errors import Inconclusive
from repro_tui.model.run import Isolation, Run
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context, Step

WHERE = "the server of the image"
PYTHONS = ("python3", "python")
NOT_THERE = (126, 127)
# Where servers keep sockets, locks and uploads, besides /tmp.
TEMPORARY = ("/run", "/var/tmp")  # noqa: S108


def run_served(workspace: Workspace, inputs: Path, number: int, context: Context) -> Run:
    """One run: starts the image's server and requests every row from it. Raises Inconclusive, and Cancelled."""
    if context.settings.network != "none":
        reason = "the server of an image is queried on its container's own loopback, which --network host removes"
        raise Inconclusive(reason, "run without --network host")
    description = f"starting the image's server and querying it ({workspace.predict.protocol})"
    with (
        context.step(f"run {number}", description) as step,
        output_folder(context.folder / f"output-{number}") as output,
        engine(context.settings.limits.stall_time) as client,
    ):
        shown = output.parent / "ask"
        shown.mkdir(mode=0o755)
        shutil.copyfile(HTTP_CHILD, shown / "asker.py")
        places = layout(workspace, inputs)
        user = user_of(client, workspace, context)
        box = ContainerSpec(
            client, workspace, inputs, output, context, places, user, ((shown, str(ROOT / "ask")),), TEMPORARY
        )
        run = box.explained(_Served(box, shown, number, step).run())
        end_step(step, run)
        return run


@dataclass(slots=True)
class _Served:
    box: ContainerSpec
    shown: Path
    number: int
    step: Step

    def run(self) -> Run:
        box, context = self.box, self.box.context
        environment, arguments = _entry(box)
        log = RunLog(
            context.folder / f"run-{self.number}.log", context.settings.limits.log, context.redactor, self.step
        )
        own = self.shown.parent / "own"
        own.mkdir(mode=0o700)
        began = time.monotonic()
        try:
            with box.created(environment, arguments) as container:
                isolation = box.verified(container)
                volumes = amount_in_volumes(box.client, container)
                quota = Quota(box.output, None, context.settings.limits.output, volumes)
                inside = _Inside(box, container, self.shown, log, began, quota)
                talk = Conversation(box.workspace, inside, own, context, self.step.rows_done)
                counts, ended = self._held(talk, container, log)
            return self._collected(talk, counts, ended, isolation, log, began)
        finally:
            log.close()

    def _held(
        self, talk: Conversation, container: str, log: RunLog
    ) -> tuple[list[tuple[str, int]], NotAnswered | None]:
        """Holds the conversation from the server's start to its end; returns the row counts and any failure."""
        counts: list[tuple[str, int]] = []
        ended = None
        with self.box.started(container, log):
            try:
                counts = talk.hold(self.box.inputs)
            except NotAnswered as error:
                ended = error
            if self.box.state(container).get("OOMKilled"):
                ended = NotAnswered(*killed_for_memory(self.box.context.settings.limits.memory), "out-of-memory")
            remove(self.box.client, container)
        return counts, ended

    def _collected(
        self,
        talk: Conversation,
        counts: list[tuple[str, int]],
        ended: NotAnswered | None,
        isolation: Isolation,
        log: RunLog,
        began: float,
    ) -> Run:
        raw = talk.folder
        try:
            if ended is None:
                raw = talk.table(counts)
        except NotAnswered as error:
            ended = error
        return collect(
            number=self.number,
            workspace=self.box.workspace,
            raw=raw,
            exit_code=None if ended else 0,
            seconds=time.monotonic() - began,
            log=log.path,
            tail=log.tail,
            isolation=isolation,
            context=self.box.context,
            status=ended.status if ended else "succeeded",
            reason=ended.what if ended else "",
            do=ended.do if ended else "",
        )


def _entry(box: ContainerSpec) -> tuple[dict[str, str], list[str] | None]:
    """The server's environment and its command: the recorded one, else None for the image's own."""
    arguments, environment = command(box.workspace, box.places, box.context.settings)
    if arguments:
        return environment, arguments
    facts = box.workspace.environment.inventory.image
    if not any(facts.get(name, "[]") != "[]" for name in ("entrypoint", "command")):
        reason = "the image has neither an entrypoint nor a command to start its server"
        raise Inconclusive(reason, "record predict.command, which starts the server")
    return environment, None


@dataclass(slots=True)
class _Inside:
    """A Transport that sends requests from inside the container."""

    box: ContainerSpec
    container: str
    shown: Path
    log: RunLog
    began: float
    quota: Quota
    where: str = WHERE
    python: str = ""
    sent: int = 0
    server: Server = field(default_factory=Server)

    @property
    def answers(self) -> Path:
        """The folder that responses are written to, on this machine."""
        return self.box.output

    def place(self, name: str, body: bytes) -> str:
        """Stores a request body where the HTTP child can read it; returns its path in the container."""
        (self.shown / name).write_bytes(body)
        return str(ROOT / "ask" / name)

    def send(self, requests: Sequence[HttpQuestion], codec: Codec) -> HttpOutcome:
        """Sends the requests once the server is ready. Raises NotAnswered, Inconclusive, and Cancelled."""
        limit = self.box.workspace.timeout_s
        server = self.server if self.sent else Server(port=self.box.workspace.predict.port, ports=codec.ports)
        job = job_of(requests, codec, server=server, wait_s=limit, timeout_s=limit)
        self.sent += 1
        path = self.place(f"job-{self.sent}.json", job.document(str(ROOT / "output")).encode("ascii"))
        (self.answers / "result.json").unlink(missing_ok=True)
        for python in (self.python,) if self.python else PYTHONS:
            if self._executed(python, path) not in NOT_THERE or (self.answers / "result.json").exists():
                self.python = python
                break
        else:
            raise Inconclusive(
                "the image has no python3, which is needed to query its server from inside",
                "add Python to the image, or record predict.command",
            )
        outcome = read_result(self.answers, "; ".join(self.log.tail[-1:]))
        self.server = replace(server, port=outcome.port, host=outcome.host)
        return outcome

    def _executed(self, python: str, path: str) -> int:
        """Runs the HTTP child to its end; returns its exit status.

        Raises NotAnswered if the server ends or the time limit is reached, Inconclusive if the engine is lost.
        """
        api = self.box.client.api
        arguments = [python, "-I", str(ROOT / "ask" / "asker.py"), path]
        identifier = api.exec_create(self.container, arguments, user=self.box.user.user, workdir="/")["Id"]
        with _followed(api.exec_start(identifier, stream=True), self.log) as reader:
            while reader.is_alive():
                self.box.context.cancel.wait(0.05)
                if time.monotonic() - self.began > self.box.workspace.timeout_s:
                    raise self._late()
                self._check_quota()
        self._check_quota(now=True)
        self._check_server()
        execution = api.exec_inspect(identifier)
        if execution["Running"] and not (self.answers / "result.json").exists():
            raise lost_connection(engine_address(), "while the server was queried")
        return int(execution["ExitCode"] or 0)

    def _check_quota(self, *, now: bool = False) -> None:
        """Raises NotAnswered if the server, or the HTTP child in its container, has written too much."""
        if self.quota.check(now=now):
            reason, do = self.quota.reason
            raise NotAnswered(reason.replace("predict", WHERE, 1), do)

    def _check_server(self) -> None:
        """Raises NotAnswered if the server has ended, which also ends the HTTP child a moment before it is reported."""
        for _ in range(1 if (self.answers / "result.json").exists() else 20):
            state = self.box.state(self.container)
            if not state["Running"]:
                raise self._server_ended(state)
            self.box.context.cancel.wait(0.05)

    def _late(self) -> NotAnswered:
        limit = self.box.workspace.timeout_s
        progress = "did not answer for all rows" if (self.answers / "found").exists() else "was not ready"
        return NotAnswered(
            f"{WHERE} {progress} within the time limit of {limit:g} s and was killed", TIMEOUT_REMEDY, "timed-out"
        )

    def _server_ended(self, state: ContainerState) -> NotAnswered:
        time.sleep(0.2)  # its last output may still be on its way
        said = f"; {last_output(self.log.tail)}" if self.log.tail else ""
        reason = f"{WHERE} ended with exit status {state['ExitCode']} before it had answered{said}"
        user = f"{self.box.user.user} ({self.box.user.why})"
        return NotAnswered(
            reason, f"see {self.log.path.name}: the server runs as {user}, on a read-only root, without a network"
        )


@contextmanager
def _followed(stream: Iterable[bytes], log: RunLog) -> Iterator[LogReader]:
    """A reader that copies the HTTP child's output to the log."""
    reader = LogReader(stream, log)
    reader.start()
    yield reader
    reader.finish()
