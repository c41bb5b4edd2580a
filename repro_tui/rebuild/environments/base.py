"""The seam of environments: what rebuilds one kind of recorded environment.

A package adds one with an entry point in the group `repro_tui.environments`. Its name is the field of the record that
it rebuilds (`requirements`, `lock`, `project`, …), or the field and the name of a file, which goes before the field
alone: `lock.conda-lock.yml`.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final, Protocol, cast

from repro_tui.model.errors import Inconclusive, ReproError
from repro_tui.model.record import ENVIRONMENT_KINDS, Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Part
from repro_tui.support.context import Context
from repro_tui.support.registry import load, names
from repro_tui.support.text import show

GROUP: Final = "repro_tui.environments"


class EnvironmentBuilder(Protocol):
    """Rebuilds the environments of one kind."""

    def rebuild(self, record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltEnvironment, Part]:
        """The environment of a record, and how it was obtained, as a step named `environment`.

        `code` is the commit's tree (None: the record has no code). Nothing of the environment or of the commit is
        executed outside a sandbox. Raises Inconclusive where it cannot be rebuilt, with the reason and a remedy,
        Refused for a file that names what is not allowed, and Cancelled.
        """
        ...


def rebuild_environment(record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltEnvironment, Part]:
    """The environment of a record, by the builder that is registered for it.

    Raises what the builder raises; anything but our own errors and OSError becomes Inconclusive.
    """
    name = builder_name(record)
    if name is None:
        with context.step("environment", record.environment.kind):
            raise _no_builder(record)
    builder = cast(EnvironmentBuilder, load(GROUP, name)())
    try:
        return builder.rebuild(record, code, context)
    except (ReproError, OSError):
        raise
    except Exception as error:
        reason = f"the environment's builder {name} failed: {type(error).__name__}: {show(str(error), 300)}"
        raise Inconclusive(reason, "report it to the package that the builder comes from") from error


def builder_name(record: Record) -> str | None:
    """The name of the builder for a record: the one for its file, else the one for its kind; None if there is none."""
    kind = record.environment.kind
    file = getattr(record.environment, kind, None) if kind in ENVIRONMENT_KINDS else None
    candidates = (f"{kind}.{PurePosixPath(str(file).removeprefix('file:')).name}", kind)
    return next((name for name in candidates if name in names(GROUP)), None)


def _no_builder(record: Record) -> Inconclusive:
    kind = record.environment.kind
    if kind == "unrecorded":
        return Inconclusive(
            "the record does not name an environment",
            "record one of environment.image, dockerfile, lock, requirements, conda, project or sif",
        )
    return Inconclusive(
        f"nothing on this machine rebuilds environment.{kind}",
        f"install the package that adds it, or record one of {', '.join(sorted(names(GROUP)))}",
    )
