"""One build in the sandbox: no network, no file of this machine but its source and its tools, bounded in all.

The source is copied to the sandbox's own /tmp, so that the build may write to it.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import BuiltEnvironment
from repro_tui.rebuild.environments.pythons.interpreters import uv_binary
from repro_tui.support.amounts import Pace, amount_in
from repro_tui.support.context import Context
from repro_tui.support.control_groups.group import ControlGroup
from repro_tui.support.isolation import NoSandbox, choose, inside, sandbox_remedy, sandboxed
from repro_tui.support.process import Completed, run
from repro_tui.support.run_group import run_group
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show

BUILD_S, LARGEST_FILE, OPEN_FILES = 1800.0, 1 << 30, 4096  # seconds; bytes; files
MOST_WRITTEN = 2 << 30  # bytes of all files of a build on this machine: as many as its own /tmp has in bubblewrap
# Copies the source ($1) to $2, and builds what is left of the arguments.
_COPY = 'cp -R "$1" "$2" && chmod -R u+w "$2" && shift 2 && exec "$@"'
_UV = "build --wheel --no-build-isolation --offline --no-config --no-cache --no-progress --color never".split()


@dataclass(frozen=True, slots=True)
class Build:
    """A build of one wheel: a source distribution, or the folder `member` of a tree; and its tools."""

    source: Path
    tools: BuiltEnvironment
    member: str = ""
    variables: dict[str, str] = field(default_factory=dict)


def check_may_build(described: str, context: Context) -> None:
    """Raises Inconclusive, which names what would be built, where the settings or this machine forbid to build."""
    if context.settings.no_build:
        raise Inconclusive(
            f"{described} has to be built, which --no-build forbids",
            "leave out --no-build, or record packages that have wheels",
        )
    if context.settings.isolation in ("none", "container"):
        given = f"--isolation {context.settings.isolation}"
        raise Inconclusive(
            f"{described} has to be built, which only happens in a sandbox of this machine, and {given} was given",
            "choose another --isolation, or record packages that have wheels",
        )
    try:
        choose(context.settings)
    except NoSandbox as error:
        advice = f"{sandbox_remedy()}, or record packages that have wheels"
        raise Inconclusive(f"{described} has to be built in a sandbox: {error.reason}", advice) from error


@dataclass(slots=True)
class BuildQuota:
    """Watches that what a build writes on this machine stays within `MOST_WRITTEN` bytes, all files together.

    The limit on one file bounds no number of files. A scan takes 5% of the time.
    """

    folder: Path
    described: str
    pace: Pace = field(default_factory=Pace)

    def check(self, *, now: bool = False) -> None:
        """Raises Inconclusive where the limit is exceeded; cheap enough for every poll."""
        self.pace.measure(self._measure, now=now)

    def _measure(self) -> None:
        if amount_in(self.folder).size > MOST_WRITTEN:
            raise Inconclusive(
                f"the build of {show(self.described, 120)} wrote more than {size_text(MOST_WRITTEN)}, all files "
                "together, and was stopped",
                "keep large files out of its source and its package, or record packages that have wheels, or an image",
            )


def run_build(build: Build, out: Path, context: Context) -> Completed:
    """Builds the wheel into the empty folder `out`, and returns how that ended.

    Raises Inconclusive where it writes more than `MOST_WRITTEN`.
    """
    with context.cache.temporary_folder() as scratch, run_group(context.settings.limits, context.cache) as group:
        quota = BuildQuota(scratch, build.source.name)
        done = run(
            [*group.prefix, *_limits(context, group), *_wrapped(build, scratch, context)],
            environment={"PATH": os.environ.get("PATH", os.defpath)},
            cancel=context.cancel,
            timeout_s=BUILD_S,
            stop=quota.check,
        )
        quota.check(now=True)
        for wheel in (scratch / "out").glob("*.whl"):
            if wheel.is_file() and not wheel.is_symlink():
                shutil.copyfile(wheel, out / wheel.name)
    return done


def _limits(context: Context, group: ControlGroup) -> list[str]:
    """The limits of each process. A group limits the memory of all together, and address space costs nothing then."""
    memory = [] if "memory" in group.controllers else [f"--as={context.settings.limits.memory}"]
    sizes = [f"--cpu={int(BUILD_S)}", f"--fsize={LARGEST_FILE}", f"--nofile={OPEN_FILES}", "--core=0"]
    return ["prlimit", *memory, *sizes, "--"]


def _wrapped(build: Build, scratch: Path, context: Context) -> list[str]:
    tools = build.tools
    source = f"/repro/source/{build.source.name}" if build.source.is_file() else "/repro/source"
    mounts = [(tools.folder, tools.folder, False), (str(build.source), source, False)]
    mounts.append((uv_binary(), "/repro/uv", False))
    if not tools.interpreter_root.startswith("/usr"):
        mounts.append((tools.interpreter_root, tools.interpreter_root, False))
    (scratch / "out").mkdir()
    mounts.append((str(scratch / "out"), "/repro/out", True))
    command = _command(build, "/repro/uv", source, Path("/tmp"), "/repro/out")  # noqa: S108
    box = sandboxed(choose(context.settings), mounts, memory=context.settings.limits.memory)
    return [*box, *inside(_variables(build), "/tmp", command)]  # noqa: S108


def _command(build: Build, uv: str, source: str, scratch: Path, out: str) -> list[str]:
    copied = str(scratch / (build.source.name if build.source.is_file() else "source"))
    uv_call = [uv, *_UV, "--python", build.tools.python, "--out-dir", out, str(Path(copied) / build.member)]
    return ["sh", "-c", _COPY, "sh", source, copied, *uv_call]


def _variables(build: Build) -> dict[str, str]:
    return {
        "PATH": f"{build.tools.folder}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108
        "TMPDIR": "/tmp",  # noqa: S108
        "SOURCE_DATE_EPOCH": "315532800",
        "PYTHONHASHSEED": "0",
        "PIP_NO_INDEX": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        **build.variables,
    }
