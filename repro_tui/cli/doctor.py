"""`repro-tui doctor`: the engines and tools that audits use, their versions, and what to install."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from repro_tui.model.errors import Refused
from repro_tui.support.extras import reinstall
from repro_tui.support.paths import audits_root, cache_root, make_private
from repro_tui.support.process import query

if TYPE_CHECKING:
    from docker import DockerClient


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    `state` says whether the tool can be used, `needed` what does not work without it, and `do` how to get it.
    """

    name: str
    state: Literal["found", "missing", "too old", "not working"]
    version: str = ""
    needed: str = ""
    do: str = ""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check the engines and tools that audits use, and name what to install.

    The exit status is 0 where an audit can run on this machine (git, uv, and a sandbox or an engine), else 3.
    """
    checks = list(examine())
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            _print(check)
    ctx.exit(0 if _can_audit(checks) else 3)


def _print(check: Check) -> None:
    from repro_tui.support.text import show

    glyph = "=" if check.state == "found" else "!"
    detail = check.version if check.state == "found" else f"{check.state}; needed for {check.needed}"
    click.echo(f"  {glyph} {check.name:<16} {show(detail, 200)}")
    if check.do and check.state != "found":
        click.echo(f"    {'':<16} {check.do}")


def _can_audit(checks: list[Check]) -> bool:
    usable = {check.name for check in checks if check.state == "found"}
    return {"git", "uv", "cache folder"} <= usable and bool({"bubblewrap", "namespaces", "docker engine"} & usable)


def examine() -> Iterator[Check]:
    """Checks this machine: one result for each tool, folder and terminal, in the order in which they are shown."""
    yield _git()
    yield _uv()
    yield from _pythons()
    yield _sandbox("bubblewrap", "bubblewrap", "bwrap", "apt install bubblewrap")
    yield _sandbox("namespaces", "namespace", "unshare", "apt install util-linux")
    yield _control_groups()
    yield from _docker()
    yield _apptainer()
    yield _compiler()
    for extra in ("mlflow", "wandb"):
        yield _extra(extra, f"reading {extra} references and data")
    yield _extra("conda", "environments of conda packages", "rattler")
    yield _folder("cache folder", "REPRO_TUI_CACHE", cache_root)
    yield _folder("audits folder", "REPRO_TUI_AUDITS", audits_root)
    yield _terminal()


def _git() -> Check:
    check = _program("git", ["git", "--version"], "every audit of code", "apt-get install git")
    numbers = tuple(int(part) for part in re.findall(r"\d+", check.version)[:2])
    if check.state == "found" and numbers < (2, 30):
        return Check(
            "git", "too old", check.version, "every audit of code (2.30 or later)", "install git 2.30 or later"
        )
    return check


def _program(name: str, command: list[str], needed: str, do: str) -> Check:
    """Runs a program that prints its version."""
    if shutil.which(command[0]) is None:
        return Check(name, "missing", needed=needed, do=do)
    try:
        done = query(command, environment=os.environ, timeout_s=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name, "not working", str(error), needed, do)
    line = (done.stdout or done.stderr).strip().splitlines()
    return Check(name, "found" if done.returncode == 0 else "not working", line[0] if line else "", needed, do)


def _apptainer() -> Check:
    from repro_tui.execute.apptainer import PROGRAMS

    program = next(filter(shutil.which, PROGRAMS), PROGRAMS[0])
    return _program("apptainer", [program, "--version"], "running SIF images", "install Apptainer: see apptainer.org")


def _uv() -> Check:
    from repro_tui.rebuild.environments.pythons.interpreters import uv_binary

    try:
        return _program("uv", [uv_binary(), "--version"], "Python environments", "pip install uv")
    except FileNotFoundError:
        return Check("uv", "missing", needed="Python environments", do="pip install uv")


def _pythons() -> Iterator[Check]:
    """The Pythons that environments can be rebuilt with, wherever they were installed."""
    from repro_tui.model.errors import ReproError
    from repro_tui.rebuild.environments.pythons.interpreters import installed
    from repro_tui.support.cache import Cache
    from repro_tui.support.context import Context

    try:
        versions = list(dict.fromkeys(it.version for it in installed(Context(Cache(cache_root())))))
    except ReproError:  # the cache's own check says what is wrong with it
        versions = []
    state: Literal["found", "missing"] = "found" if versions else "missing"
    yield Check("python", state, ", ".join(versions), "Python environments", "uv python install 3.11")


def _sandbox(name: str, kind: Literal["bubblewrap", "namespace"], program: str, do: str) -> Check:
    """Starts a child in a real sandbox, which checks what it can see."""
    from repro_tui.support.isolation import failure, sandbox_remedy

    needed = "running Python environments (lock or requirements files) in a sandbox"
    check = _program(name, [program, "--version"], needed, do)
    if check.state != "found":
        return check
    reason = failure(kind)
    if not reason:
        return check
    return Check(name, "not working", check.version, needed, f"{reason}: {sandbox_remedy()}")


def _control_groups() -> Check:
    """Whether local runs can be limited as a whole. An engine has a scope of its own where systemd gives it one."""
    from repro_tui.support.control_groups.places import CONTROLLERS, group_places
    from repro_tui.support.control_groups.scope import own_scope

    needed = "limits on the memory, processes and cores of a local run as a whole"
    controllers = {name for place in group_places() for name in place.controllers}
    if "memory" in controllers:
        return Check("control groups", "found", ", ".join(name for name in CONTROLLERS if name in controllers), needed)
    if own_scope("doctor"):
        return Check("control groups", "found", "in a scope of systemd", needed)
    do = "with systemd and cgroup v2, run: loginctl enable-linger; else run as root where /sys/fs/cgroup is writable"
    return Check("control groups", "missing", needed=needed, do=do)


def _compiler() -> Check:
    needed = "building packages that have no wheel and contain C"
    return _program("C compiler", ["cc", "--version"], needed, "apt-get install build-essential")


def _docker() -> Iterator[Check]:
    needed = "images and Dockerfiles"
    do = "install Docker Engine, start it, and check that you may use its socket (group docker)"
    try:
        import docker

        client = docker.from_env(timeout=10)
        try:
            reply = client.version()
            yield Check("docker engine", "found", f"{reply['Version']} at {client.api.base_url}", needed)
            yield from _runc(reply)
            yield _buildkit(client)
        finally:
            client.close()
    except Exception as error:  # noqa: BLE001 - whatever its client raises, the engine cannot be used
        yield Check("docker engine", "missing", str(error)[:200], needed, do)


def _buildkit(client: DockerClient) -> Check:
    """The Docker client that builds with the engine's BuildKit."""
    import tempfile

    from repro_tui.clients.buildkit import INSTALL, client_settings, find_build_client

    needed = "Dockerfiles with RUN --mount, heredocs, COPY --chmod and the like"
    with tempfile.TemporaryDirectory() as folder:
        program = find_build_client(client, client_settings(Path(folder) / "client"))
    if program is None:
        return Check("BuildKit", "missing", needed=needed, do=INSTALL)
    return Check("BuildKit", "found", program.name, needed)


def _runc(version_reply: Mapping[str, object]) -> Iterator[Check]:
    """The container runtime, of which old versions have known escapes."""
    components = version_reply.get("Components") or []
    for part in components if isinstance(components, list) else []:
        if part.get("Name") == "runc":
            version = str(part.get("Version", ""))
            numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:3])
            old = numbers < (1, 2, 8)
            do = "install runc 1.2.8 or later, which fixes known container escapes"
            yield Check("runc", "too old" if old else "found", version, f"safe containers (this is {version})", do)


def _extra(name: str, needed: str, module: str = "") -> Check:
    from importlib.util import find_spec

    state: Literal["found", "missing"] = "found" if find_spec(module or name) else "missing"
    return Check(f"extra {name}", state, "installed", needed, reinstall(name))


def _folder(name: str, variable: str, find: Callable[[], Path]) -> Check:
    try:
        return Check(name, "found", str(make_private(find())))
    except Refused as error:
        return Check(
            name, "not working", str(error), "every audit", f"set {variable} to a folder that you can write to"
        )


def _terminal() -> Check:
    term = os.environ.get("TERM", "dumb")
    colours = (
        "16 million" if os.environ.get("COLORTERM") in ("truecolor", "24bit") else "256" if "256" in term else "16"
    )
    if term == "dumb":
        return Check(
            "terminal",
            "missing",
            term,
            "the interface",
            "set TERM to your terminal's type; headless commands do not need it",
        )
    return Check("terminal", "found", f"{term}, {colours} colours")
