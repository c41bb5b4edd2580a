"""The conversation with a served model: find out which columns it expects, send the rows in batches, and collect its
responses in one table.

Live endpoints and the servers of images are queried in the same way; a Transport says how to reach one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from repro_tui.clients.http import HttpOutcome, HttpQuestion, Job, answer_of, refusal_message
from repro_tui.execute.protocols.answered_rows import RowsDone, answered_rows, ignore_rows
from repro_tui.execute.protocols.base import Codec, RequestLayout, Tensor
from repro_tui.execute.protocols.choose import codec_of
from repro_tui.formats.child import python_child
from repro_tui.formats.normalise import CHILD_MEMORY, CHILD_TIMEOUT_S, normalise_file
from repro_tui.model.errors import Inconclusive
from repro_tui.model.run import RunStatus
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context
from repro_tui.support.text import plural, show

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 500
BATCH_BYTES = 4 << 20
MOST_ROWS = 10_000_000
OWN_LOG = "check the server's log"


class NotAnswered(Exception):
    """The server did not respond as it should; holds the status, reason and remedy of the run."""

    def __init__(self, reason: str, do: str = "", status: RunStatus = "failed") -> None:
        super().__init__(reason)
        self.what, self.do, self.status = reason, do, status


class Transport(Protocol):
    """A way to reach a server."""

    @property
    def where(self) -> str:
        """The name of the server for messages."""
        ...

    @property
    def answers(self) -> Path:
        """The folder that responses are written to, on this machine."""
        ...

    def place(self, name: str, body: bytes) -> str:
        """Stores a request body where the HTTP child can read it; returns its path there."""
        ...

    def send(self, requests: Sequence[HttpQuestion], codec: Codec) -> HttpOutcome:
        """Sends requests once the server is ready. Raises NotAnswered at the time limit, Inconclusive, Cancelled."""
        ...


@dataclass(slots=True)
class Conversation:
    """The conversation of one run. `folder` is the run's own, which nobody else can enter.

    `rows_done` is called with the number of answered rows, and of all, while the server is queried.
    """

    workspace: Workspace
    transport: Transport
    folder: Path
    context: Context
    rows_done: RowsDone = ignore_rows
    codec: Codec = field(init=False)

    def __post_init__(self) -> None:
        self.codec = codec_of(self.workspace.predict.protocol or "")

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        return self.context.settings.key or self.workspace.validation.key

    def hold(self, inputs: Path) -> list[tuple[str, int]]:
        """Requests predictions for every row of the inputs; returns the response files with their row counts, in order.

        Raises NotAnswered, Inconclusive if the inputs cannot be sent, and Cancelled.
        """
        import pyarrow.parquet as pq

        rows = normalise_file(inputs, self._inputs, self.context)
        if not 0 < rows <= MOST_ROWS:
            raise Inconclusive(
                f"the validation inputs have {plural(rows, 'row')}, but a server can be queried for 1 to {MOST_ROWS:,}",
                "record fewer inputs" if rows else "record inputs with at least one row",
            )
        layout = self._layout(pq.read_schema(self._inputs).names)
        requests: list[HttpQuestion] = []
        counts: list[tuple[str, int]] = []
        for table, first in batches(self._inputs, layout.columns):
            self.context.cancel.check()
            number = len(requests) + 1
            body = self.transport.place(f"body-{number}.json", self.codec.body(table, layout, first))
            label = f"rows {first:,} to {first + table.num_rows - 1:,}"
            requests.append(HttpQuestion(self.codec.path(layout), f"answer-{number}.json", label, body))
            counts.append((f"answer-{number}.json", table.num_rows))
        with answered_rows(self.transport.answers, counts, self.rows_done):
            self._sent(requests, layout.columns)
        return counts

    @property
    def _inputs(self) -> Path:
        return self.folder / "inputs.parquet"

    def _sent(self, requests: Sequence[HttpQuestion], columns: Sequence[str] = ()) -> HttpOutcome:
        outcome = self.transport.send(requests, self.codec)
        if outcome.failed:
            raise self._not_answered(outcome, columns)
        return outcome

    def _not_answered(self, outcome: HttpOutcome, columns: Sequence[str]) -> NotAnswered:
        where, failed = self.transport.where, show(outcome.failed, 300)
        if not outcome.label:
            do = f"check that the server is running there and supports the protocol {self.workspace.predict.protocol}"
            return NotAnswered(f"{where} cannot be queried: {failed}", do)
        said = refusal_message(self.transport.answers, outcome.answer)
        reason = f"{where} did not answer {show(outcome.label, 100)}: {failed}{f': {said}' if said else ''}"
        if not 400 <= outcome.status < 500:
            return NotAnswered(reason, OWN_LOG)
        sent_columns = show(", ".join(columns), 200)
        return NotAnswered(
            reason, f"{OWN_LOG}; it received the columns {sent_columns} (record predict.columns to send others)"
        )

    # -- which columns, to which model ----------------------------------------------------------------------------

    def _layout(self, names: list[str]) -> RequestLayout:
        columns = self._columns(names)
        if self.workspace.predict.protocol == "mlflow":
            return RequestLayout(columns)
        from repro_tui.execute.protocols.open_inference import declared_inputs, model_path

        model = self.workspace.predict.model or self._only_model()
        requests = [
            HttpQuestion(
                model_path(model), "metadata.json", f"the metadata of {show(model, 80)}", method="GET", optional=True
            ),
            HttpQuestion(
                f"{model_path(model)}/ready", "model.json", "whether the model is ready", method="GET", optional=True
            ),
        ]
        outcome = self._sent(requests)
        statuses = dict(zip(("metadata", "ready"), outcome.statuses, strict=False))
        if statuses.get("ready") not in (200, 405, 501) and statuses.get("metadata") != 200:
            said = refusal_message(self.transport.answers, "model.json")
            raise NotAnswered(
                f"{self.transport.where} has no model {show(model, 80)} that is ready "
                f"(status {statuses.get('ready')}){f': {said}' if said else ''}",
                "name the model in the URL (…/v2/models/NAME), or record predict.model",
            )
        metadata = answer_of(self.transport.answers, "metadata.json") if statuses.get("metadata") == 200 else None
        return self._fitted(declared_inputs(metadata), columns, names, model)

    def _columns(self, names: list[str]) -> tuple[str, ...]:
        """The recorded columns; else all except the key and the truth."""
        recorded = self.workspace.predict.columns
        absent = [name for name in recorded if name not in names]
        if absent:
            missing_columns = show(", ".join(absent), 200)
            raise Inconclusive(f"the validation inputs lack the columns {missing_columns}", "correct predict.columns")
        held_back = {*self.keys, self.workspace.validation.truth}
        columns = recorded or tuple(name for name in names if name not in held_back)
        if not columns:
            raise Inconclusive("the validation inputs have no column to send", "record predict.columns")
        return columns

    def _only_model(self) -> str:
        from repro_tui.execute.protocols.open_inference import models_of

        empty = self.transport.place("empty.json", b"{}")
        requests = [
            HttpQuestion("/v2/repository/index", "index.json", "the list of models", empty, optional=True),
            HttpQuestion("/v2/models", "models.json", "the list of models", method="GET", optional=True),
        ]
        statuses = self._sent(requests).statuses
        index, listed = (
            answer_of(self.transport.answers, request.answer) if status == 200 else None
            for request, status in zip(requests, statuses, strict=True)
        )
        models = models_of(index, listed)
        if len(models) == 1:
            return models[0]
        problem = f"serves several models: {show(', '.join(models), 300)}" if models else "does not list its models"
        do = "name the model in the URL (…/v2/models/NAME), or record predict.model"
        raise NotAnswered(f"{self.transport.where} {problem}", do)

    def _fitted(
        self, tensors: tuple[Tensor, ...], columns: tuple[str, ...], names: list[str], model: str
    ) -> RequestLayout:
        """How rows are sent to a model that declares these inputs. Raises NotAnswered if the columns do not match."""
        recorded = self.workspace.predict.columns
        declared = tuple(tensor.name for tensor in tensors)
        layout = RequestLayout(columns, model, tensors)
        if not tensors or (recorded and set(recorded) == set(declared)):
            return layout
        if not recorded and set(declared) <= set(names):
            return replace(layout, columns=declared)
        if len(tensors) == 1 and declared[0] not in columns and tensors[0].shape in ((-1,), (len(columns),)):
            return replace(layout, matrix=True)
        shapes = ", ".join(f"{show(t.name, 60)} {t.datatype} {list(t.shape)}" for t in tensors)
        raise NotAnswered(
            f"the model {show(model, 80)} declares the inputs {shapes}, which do not match the columns "
            f"{show(', '.join(columns), 200)}",
            "record the columns that it expects in predict.columns",
        )

    # -- the responses --------------------------------------------------------------------------------------------

    def table(self, counts: list[tuple[str, int]]) -> Path:
        """The responses as one table. Raises NotAnswered if they violate the protocol."""
        out, job = self.folder / "table.arrow", self.folder / "answers.json"
        predict = self.workspace.predict
        from repro_tui.execute.protocols.answers import Answers

        answers = Answers(
            predict.protocol or "", str(self.transport.answers), counts, str(out), str(self._inputs),
            list(self.keys), predict.names,
        )  # fmt: skip
        job.write_text(json.dumps(asdict(answers)), "utf-8")
        done = python_child(
            "repro_tui.execute.protocols.answers",
            [job],
            cache=self.context.cache,
            cancel=self.context.cancel,
            memory=CHILD_MEMORY,
            timeout_s=CHILD_TIMEOUT_S,
        )
        last = done.text.strip().rpartition("\n")[2]
        if done.exit_code == 0:
            return out
        known = last.startswith("answers: ")
        reason = (
            show(last.removeprefix("answers: "), 500)
            if known
            else f"their reader ended with exit status {done.exit_code}"
        )
        raise NotAnswered(
            f"the responses of {self.transport.where} cannot be read: {reason}", OWN_LOG, "unreadable-output"
        )


def batches(path: Path, columns: Sequence[str]) -> Iterator[tuple[pa.Table, int]]:
    """The rows of a table in batches of at most 500 rows and about 4 MiB, with its first row's number (from 1)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    head = next(file.iter_batches(BATCH_ROWS, columns=list(columns)))
    each = max(1, head.nbytes // max(1, head.num_rows))
    first = 1
    for batch in file.iter_batches(max(1, min(BATCH_ROWS, BATCH_BYTES // each)), columns=list(columns)):
        table = pa.Table.from_batches([batch]).select(list(columns))
        yield table, first
        first += table.num_rows


def job_of(requests: Sequence[HttpQuestion], codec: Codec, **given: object) -> Job:
    """The job that sends these requests after the protocol's readiness check."""
    return Job(requests=tuple(requests), ready=codec.ready, strict=codec.strict, **given)  # type: ignore[arg-type]
