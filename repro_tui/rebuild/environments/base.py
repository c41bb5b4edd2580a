"""The seam of environments: what rebuilds one kind of recorded environment.

A package adds one with an entry point in the group `repro_tui.environments`. Its name is the field of the record that
it rebuilds (`requirements`, `lock`, `project`, …), or the field and the name of a file, which goes before the field
alone: `lock.conda-lock.yml`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final, Protocol, cast

from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import ENVIRONMENT_KINDS, Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Part
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.plugins import Plugin
from repro_tui.support.registry import is_third_party, names

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

    Raises what the builder raises; anything but our own errors and OSError becomes PluginFailed, which is Inconclusive.
    """
    name = builder_name(record)
    if name is None:
        with context.step("environment", record.environment.kind):
            raise _no_builder(record)
    plugin = Plugin(GROUP, name, f"the environment's builder {name}")
    builder = cast(EnvironmentBuilder, plugin.instance())

    def build(token: CancelToken) -> tuple[BuiltEnvironment, Part]:
        return builder.rebuild(record, code, replace(context, cancel=token))

    result = plugin.call(build, context.cancel, context.settings.limits.plugin_time)
    return _checked(result, plugin) if is_third_party(GROUP, name) else result


def _checked(result: object, plugin: Plugin) -> tuple[BuiltEnvironment, Part]:
    """What another package's builder returned. Raises PluginFailed if that is not what a builder returns."""
    environment, part = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
    checked = plugin.checked(environment, BuiltEnvironment)
    return checked, plugin.checked(part, Part)


def check_builder(record: Record) -> None:
    """Loads the builder of a record if it is another package's. Raises Refused if that fails."""
    name = builder_name(record)
    if name is not None and is_third_party(GROUP, name):
        Plugin(GROUP, name, f"the environment's builder {name}").instance()


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
