"""Rebuilds one side from its record alone: code first, then environment, data and parameters at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Part, Workspace
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.data import digest_of, rebuild_data
from repro_tui.rebuild.live import live
from repro_tui.rebuild.parameters import dumps_typed, rebuild_parameters
from repro_tui.rebuild.tree import compose
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.plain import to_plain
from repro_tui.support.text import show

STEPS = ("code", "environment", "data", "parameters")


def rebuild(record: Record, context: Context) -> Workspace:
    """The workspace of a record.

    Raises Inconclusive with the step (`step`: "code", "environment", "data", "parameters" or "workspace"; several
    are joined by a comma) and with the parts that were finished (`parts`); Refused and Cancelled as they come.
    """
    if record.predict is None or not (record.predict.command or record.predict.protocol):
        raise _no_command(record)
    if record.predict.url:
        return live(record, record.predict, context)
    in_image = record.code is not None and record.code.in_image
    work = _Work(context)
    code = work.one("code", lambda: rebuild_code(record, context))
    work.raise_errors()
    laid = None if in_image else code
    environment, data, parameters = work.at_once(
        ("environment", lambda: _environment(record, code, context)),
        ("data", lambda: rebuild_data(record, laid, context)),
        ("parameters", lambda: rebuild_parameters(record, laid, context)),
    )
    work.raise_errors()
    tree = work.one("workspace", lambda: (compose(laid, data, parameters, context), None))
    work.raise_errors()
    workspace = Workspace(
        key="",
        name=record.name,
        command=record.predict.command or (record.environment.command if record.predict.protocol else ()),
        timeout_s=record.predict.timeout_s,
        environment=environment,
        parameters=parameters,
        code=code,
        data=data,
        tree=str(tree) if tree else "",
        subdirectory=code.subdirectory if code else ".",
        predict=record.predict,
        validation=record.validation,
        code_in_image=in_image,
        code_commit=record.code.commit if record.code else "",
        code_unknown="; ".join(work.parts["code"].warnings) if in_image and code is None else "",
        code_dirty=bool(record.code and record.code.dirty),
        parts=work.finished(),
    )
    return replace(workspace, key=content_key(workspace))


def _no_command(record: Record) -> Inconclusive:
    error = Inconclusive(
        f"the record of {record.name} has no predict step",
        "record predict.command, or give it with --predict; of a server, say which with --protocol",
    )
    error.step = "record"
    return error


def _environment(record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltEnvironment, Part]:
    kind = record.environment.kind
    if kind in ("lock", "requirements"):
        from repro_tui.rebuild.environments.python import rebuild_python_environment

        return rebuild_python_environment(record, code, context)
    if kind in ("image", "dockerfile"):
        from repro_tui.rebuild.environments.image import rebuild_image

        return rebuild_image(record, code, context)
    if kind == "sif":
        from repro_tui.rebuild.environments.sif import rebuild_sif

        return rebuild_sif(record, context)
    with context.step("environment", kind):
        raise Inconclusive(
            "the record says nothing of the environment",
            "record one of environment.image, dockerfile, lock, requirements or sif",
        )


def content_key(workspace: Workspace) -> str:
    """The content hash of everything that can change the output."""
    code, environment, parameters = workspace.code, workspace.environment, workspace.parameters
    return digest_text(
        code.commit if code else "",
        code.subdirectory if code else "",
        environment.key,
        environment.working_dir,
        dumps_typed(environment.variables),
        dumps_typed(list(workspace.command)),
        dumps_typed([(item.path, digest_of(item.files)) for item in workspace.data]),
        dumps_typed(parameters.values),
        PurePosixPath(parameters.file).name,
        parameters.overlay,
        dumps_typed(to_plain(workspace.predict)),
    )


@dataclass(slots=True)
class _Work:
    """The steps of one rebuild: what they yielded, what was finished, what was lost."""

    context: Context
    parts: dict[str, Part] = field(default_factory=dict)
    errors: dict[str, Inconclusive] = field(default_factory=dict)

    def one(self, step: str, work: Callable[[], tuple[Any, Part | None]]) -> Any:
        """One step's value; None where it was lost."""
        try:
            value, part = work()
        except Inconclusive as error:
            self.errors[step] = error
            return None
        except OSError as error:
            what = f"the {step} could not be written or read: {show(str(error), 300)}"
            self.errors[step] = Inconclusive(what, "see to the space and the permissions of the cache's folder")
            return None
        if part:
            self.parts[step] = part
        return value

    def at_once(self, *steps: tuple[str, Callable[[], tuple[Any, Part | None]]]) -> list[Any]:
        """Several steps at the same time; all of them end before an error goes on up."""
        with ThreadPoolExecutor(len(steps), thread_name_prefix="rebuild") as pool:
            futures = [pool.submit(self.one, step, work) for step, work in steps]
        return [future.result() for future in futures]

    def finished(self) -> tuple[Part, ...]:
        """The parts that were finished, in their order."""
        return tuple(self.parts[step] for step in STEPS if step in self.parts)

    def raise_errors(self) -> None:
        """Raises what was lost so far as one error."""
        if not self.errors:
            return
        lost = {step: self.errors[step] for step in (*STEPS, "workspace") if step in self.errors}
        first = next(iter(lost.values()))
        if len(lost) == 1:
            error = Inconclusive(first.what, first.do)
        else:
            advice = dict.fromkeys(error.do for error in lost.values() if error.do)
            error = Inconclusive("; ".join(f"{step}: {e.what}" for step, e in lost.items()), "; ".join(advice))
        error.step, error.parts = ", ".join(lost), self.finished()
        raise error from first
