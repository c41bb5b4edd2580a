"""Rebuilds one side from its record alone: code first, then environment, data and parameters at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar, cast

from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, CodeTree, FetchedData, Part, Workspace
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.data import digest_of, rebuild_data
from repro_tui.rebuild.environments.base import rebuild_environment
from repro_tui.rebuild.hybrid_environment import with_projects
from repro_tui.rebuild.live import live
from repro_tui.rebuild.packaged import packaged_code
from repro_tui.rebuild.parameters import dumps_typed, rebuild_parameters
from repro_tui.rebuild.tree import compose
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_file, digest_text
from repro_tui.support.plain import to_plain
from repro_tui.support.regular import is_regular
from repro_tui.support.text import show

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
STEPS = ("code", "environment", "data", "parameters")


def rebuild(record: Record, context: Context) -> Workspace:
    """Rebuilds a record into a runnable workspace.

    A live endpoint is not rebuilt: its workspace only has the predict step. Where the code is inside an image, the
    commit is fetched for comparison and not placed in the tree.

    Raises Inconclusive whose `step` names the failed step ("record", "code", "environment", "data", "parameters" or
    "workspace"; several are joined by ", "), whose `parts` are the parts that were finished, and whose `environment`
    and `data` are those that were made. Refused and Cancelled are passed on.
    """
    if record.predict is None or not record.predict.is_recorded:
        raise _no_predict_step(record)
    if record.predict.url:
        return live(record, record.predict, context)
    in_image = record.code is not None and record.code.in_image
    steps = _Steps(context)
    code = steps.run("code", lambda: rebuild_code(record, context))
    steps.raise_errors()
    composed_code = None if in_image else code
    environment, data, parameters = steps.run_together(
        ("environment", lambda: rebuild_environment(record, code, context)),
        ("data", lambda: rebuild_data(record, composed_code, context)),
        ("parameters", lambda: rebuild_parameters(record, composed_code, context)),
    )
    tree = steps.run("workspace", lambda: (compose(composed_code, data, parameters, context), None))
    packaged = steps.run("packages", lambda: (_packaged(composed_code, environment, data, parameters, context), None))
    steps.raise_errors()
    workspace = Workspace(
        key="",
        name=record.name,
        command=record.predict.command or (record.environment.command if record.predict.protocol else ()),
        timeout_s=record.predict.timeout_s,
        environment=packaged or environment,
        parameters=parameters,
        code=code,
        data=data,
        tree=str(tree) if tree else "",
        subdirectory=code.subdirectory if code else ".",
        predict=record.predict,
        validation=record.validation,
        code_in_image=in_image,
        code_commit=record.code.commit if record.code else "",
        code_unknown="; ".join(steps.parts["code"].warnings) if in_image and code is None else "",
        code_dirty=bool(record.code and record.code.dirty),
        parts=steps.finished(),
    )
    return replace(workspace, key=content_key(workspace))


def _packaged(
    code: CodeTree | None,
    environment: BuiltEnvironment,
    data: tuple[FetchedData, ...],
    parameters: BuiltParameters,
    context: Context,
) -> BuiltEnvironment:
    """The environment with the projects of the commit as they are with this data and these parameters."""
    own = packaged_code(code, environment, data, parameters, context)
    return environment if own is code else with_projects(environment, environment, own, context)


def _no_predict_step(record: Record) -> Inconclusive:
    error = Inconclusive(
        f"the record of {record.name} has no predict step",
        "record predict.command or pass --predict COMMAND; for a server, pass --protocol",
    )
    error.step = "record"
    return error


def _storage_remedy(error: OSError, context: Context) -> str:
    root = show(str(context.cache.root), 200)
    if isinstance(error, PermissionError):
        return f"check the permissions of the cache folder {root}"
    return f"check the free space and the file-size limits where the cache is, {root}"


def content_key(workspace: Workspace) -> str:
    """The hash of everything in a workspace that can change its output: two equal keys need only one run."""
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
        digest_file(parameters.file).sha256 if parameters.unknown and is_regular(Path(parameters.file)) else "",
        "" if parameters.per_file else PurePosixPath(parameters.file).name,
        parameters.overlay,
        dumps_typed([(name, file.overlay) for name, file in parameters.files.items()]),
        dumps_typed(sorted(parameters.absent)),
        dumps_typed(to_plain(workspace.predict)),
    )


@dataclass(slots=True)
class _Steps:
    """Runs the steps of one rebuild, and collects the values, the finished parts and the errors by step."""

    context: Context
    parts: dict[str, Part] = field(default_factory=dict)
    errors: dict[str, Inconclusive] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)

    def run(self, step: str, work: Callable[[], tuple[A, Part | None]]) -> A | None:
        """Runs one step and returns its value; None where it failed."""
        try:
            value, part = work()
        except Inconclusive as error:
            self.errors[step] = error
            return None
        except OSError as error:
            message = f"the {step} could not be written or read: {show(str(error), 300)}"
            self.errors[step] = Inconclusive(message, _storage_remedy(error, self.context))
            return None
        self.values[step] = value
        if part:
            self.parts[step] = part
        return value

    def run_together(
        self,
        a: tuple[str, Callable[[], tuple[A, Part | None]]],
        b: tuple[str, Callable[[], tuple[B, Part | None]]],
        c: tuple[str, Callable[[], tuple[C, Part | None]]],
    ) -> tuple[A, B, C]:
        """Runs three steps in parallel, and raises their errors; all have ended before an exception propagates."""
        with ThreadPoolExecutor(3, thread_name_prefix="rebuild") as pool:
            futures = [pool.submit(work) for work in (lambda: self.run(*a), lambda: self.run(*b), lambda: self.run(*c))]
        values = tuple(future.result() for future in futures)
        self.raise_errors()
        return cast("tuple[A, B, C]", values)  # no step failed, so none is missing

    def finished(self) -> tuple[Part, ...]:
        """The finished parts, in the order of the steps."""
        return tuple(self.parts[step] for step in STEPS if step in self.parts)

    def raise_errors(self) -> None:
        """Raises the errors so far as one Inconclusive."""
        if not self.errors:
            return
        lost = {step: self.errors[step] for step in (*STEPS, "workspace", "packages") if step in self.errors}
        first = next(iter(lost.values()))
        if len(lost) == 1:
            error = Inconclusive(first.what, first.do)
        else:
            advice = dict.fromkeys(error.do for error in lost.values() if error.do)
            error = Inconclusive("; ".join(f"{step}: {e.what}" for step, e in lost.items()), "; ".join(advice))
        error.step, error.parts = ", ".join(lost), self.finished()
        error.environment = cast("BuiltEnvironment | None", self.values.get("environment"))
        error.data = cast("tuple[FetchedData, ...] | None", self.values.get("data"))
        raise error from first
