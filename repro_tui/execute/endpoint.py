"""The runner for live endpoints: nothing of the deployment is executed here, a running server is queried."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from repro_tui.clients.http import HttpOutcome, HttpQuestion, ask_from_here, server_of
from repro_tui.execute.collect import TIMEOUT_REMEDY, collect, end_step
from repro_tui.execute.local import fresh_folder
from repro_tui.execute.protocols.base import Codec
from repro_tui.execute.protocols.conversation import Conversation, NotAnswered, job_of
from repro_tui.execute.runlog import RunLog
from repro_tui.model.run import Isolation, Run
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context, Step
from repro_tui.support.redact import strip_url
from repro_tui.support.text import show

WAIT_S = 3.0


class EndpointRunner:
    """Queries a live server for its predictions."""

    def run(self, workspace: Workspace, inputs: Path, number: int, context: Context) -> Run:
        """One run: requests predictions for every row of the inputs; see execute.base.Runner."""
        folder = context.folder / f"output-{number}"
        where = show(strip_url(workspace.predict.url), 200)
        with (
            fresh_folder(folder),
            context.step(f"run {number}", f"querying {where} ({workspace.predict.protocol})") as step,
        ):
            log = RunLog(context.folder / f"run-{number}.log", context.settings.limits.log, context.redactor, step)
            try:
                run = _run(_Here(workspace, folder, context, log, where), inputs, number, step)
            finally:
                log.close()
            end_step(step, run)
            return run


@dataclass(slots=True)
class _Here:
    """A Transport that sends requests from this machine."""

    workspace: Workspace
    folder: Path
    context: Context
    log: RunLog
    where: str
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        for name in ("ask", "answers"):
            (self.folder / name).mkdir()

    @property
    def answers(self) -> Path:
        """The folder that responses are written to."""
        return self.folder / "answers"

    def place(self, name: str, body: bytes) -> str:
        """Stores a request body where the HTTP child can read it; returns its path."""
        path = self.folder / "ask" / name
        path.write_bytes(body)
        return str(path)

    def send(self, requests: Sequence[HttpQuestion], codec: Codec) -> HttpOutcome:
        """Sends the requests once the server is ready. Raises NotAnswered at the run's time limit, Cancelled."""
        limit = self.workspace.timeout_s
        left = limit - (time.monotonic() - self.began)
        url = self.workspace.predict.url
        server = server_of(url, codec.prefix(urlsplit(url).path))
        job = job_of(requests, codec, server=server, wait_s=WAIT_S, timeout_s=limit)
        outcome = ask_from_here(job, self.answers, self.context.cancel, left, self.log.line)
        if outcome.timed_out:
            raise late(limit)
        return outcome


def late(limit: float) -> NotAnswered:
    """The end of a run at its time limit, in seconds."""
    reason = f"the server did not answer for all rows within the time limit of {limit:g} s"
    return NotAnswered(reason, TIMEOUT_REMEDY, "timed-out")


def _run(transport: _Here, inputs: Path, number: int, step: Step) -> Run:
    talk = Conversation(transport.workspace, transport, transport.folder, transport.context, step.rows_done)
    ended, raw = None, transport.folder
    try:
        raw = talk.table(talk.hold(inputs))
    except NotAnswered as error:
        ended = error
        transport.log.line(error.what)
    return collect(
        number=number,
        workspace=transport.workspace,
        raw=raw,
        exit_code=None if ended else 0,
        seconds=time.monotonic() - transport.began,
        log=transport.log.path,
        tail=transport.log.tail,
        isolation=Isolation("remote", "host", False, {"asked": transport.where}),
        context=transport.context,
        status=ended.status if ended else "succeeded",
        reason=ended.what if ended else "",
        do=ended.do if ended else "",
    )
