"""`repro-tui doctor`: every engine and tool, found, missing or too old, and what to install."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

from repro_tui.model.errors import Refused
from repro_tui.support.paths import audits_root, cache_root, make_private


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: `state` says whether it is there, `needed` what does not work without it."""

    name: str
    state: Literal["found", "missing", "too old", "not working"]
    version: str = ""
    needed: str = ""
    do: str = ""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Name every engine and tool found, missing or too old, and what to install.

    Exit status 0 where an audit can run on this machine (git, uv and one sandbox or engine), else 3.
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
    found = {check.name for check in checks if check.state == "found"}
    return {"git", "uv", "cache folder"} <= found and bool({"bubblewrap", "namespaces", "docker engine"} & found)


def examine() -> Iterator[Check]:
    """Looks at this machine."""
    yield _git()
    yield _uv()
    yield from _pythons()
    yield _sandbox(
        "bubblewrap", "bwrap", ["--unshare-all", "--ro-bind", "/", "/", "true"], "apt-get install bubblewrap"
    )
    yield _sandbox(
        "namespaces", "unshare", ["--user", "--map-root-user", "--net", "true"], "apt-get install util-linux"
    )
    yield from _docker()
    yield _apptainer()
    for extra in ("mlflow", "wandb", "dvc"):
        yield _extra(extra)
    yield _folder("cache folder", cache_root)
    yield _folder("audits folder", audits_root)
    yield _terminal()


def _git() -> Check:
    check = _program("git", ["git", "--version"], "every audit of code", "apt-get install git")
    numbers = tuple(int(part) for part in re.findall(r"\d+", check.version)[:2])
    if check.state == "found" and numbers < (2, 30):
        return Check("git", "too old", check.version, "every audit of code (2.30 or later)", "install a newer git")
    return check


def _program(name: str, words: list[str], needed: str, do: str) -> Check:
    if shutil.which(words[0]) is None:
        return Check(name, "missing", needed=needed, do=do)
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name, "not working", str(error), needed, do)
    line = (done.stdout or done.stderr).strip().splitlines()
    return Check(name, "found" if done.returncode == 0 else "not working", line[0] if line else "", needed, do)


def _apptainer() -> Check:
    from repro_tui.execute.apptainer import PROGRAMS

    found = next(filter(shutil.which, PROGRAMS), PROGRAMS[0])
    return _program("apptainer", [found, "--version"], "running SIF images", "see apptainer.org")


def _uv() -> Check:
    from repro_tui.rebuild.environments.interpreters import uv_binary

    try:
        return _program("uv", [uv_binary(), "--version"], "Python environments", "pip install uv")
    except FileNotFoundError:
        return Check("uv", "missing", needed="Python environments", do="pip install uv")


def _pythons() -> Iterator[Check]:
    from repro_tui.rebuild.environments.interpreters import uv_binary

    words = [uv_binary(), "--no-config", "python", "list", "--only-installed", "--output-format", "json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    try:
        versions = sorted({str(item["version"]) for item in json.loads(done.stdout)})
    except (ValueError, KeyError, TypeError):
        versions = []
    state: Literal["found", "missing"] = "found" if versions else "missing"
    yield Check("python", state, ", ".join(versions), "Python environments", "uv python install 3.11")


def _sandbox(name: str, program: str, arguments: list[str], do: str) -> Check:
    needed = "running a lock or requirements file in a sandbox"
    if shutil.which(program) is None:
        return Check(name, "missing", needed=needed, do=do)
    works = subprocess.run([program, *arguments], capture_output=True, check=False, timeout=20).returncode == 0
    version = _program(name, [program, "--version"], needed, do)
    state: Literal["found", "not working"] = "found" if works else "not working"
    return Check(name, state, version.version, needed, "allow unprivileged user namespaces" if not works else "")


def _docker() -> Iterator[Check]:
    needed, do = "images and Dockerfiles", "install Docker Engine and start it"
    try:
        import docker

        client = docker.from_env(timeout=10)
        try:
            told = client.version()
            yield Check("docker engine", "found", f"{told['Version']} at {client.api.base_url}", needed)
            yield from _runc(told)
        finally:
            client.close()
    except Exception as error:  # noqa: BLE001 - whatever the engine's client says, the engine is not usable
        yield Check("docker engine", "missing", str(error)[:200], needed, do)


def _runc(told: dict[str, object]) -> Iterator[Check]:
    components = told.get("Components") or []
    for part in components if isinstance(components, list) else []:
        if part.get("Name") == "runc":
            version = str(part.get("Version", ""))
            numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:3])
            old = numbers < (1, 2, 8)
            do = "known escapes are mended in runc 1.2.8: install it"
            yield Check("runc", "too old" if old else "found", version, f"a safe container (it is {version})", do)


def _extra(name: str) -> Check:
    from importlib.util import find_spec

    state: Literal["found", "missing"] = "found" if find_spec(name) else "missing"
    return Check(f"extra {name}", state, "installed", f"{name} (a later version)", f"pip install 'repro-tui[{name}]'")


def _folder(name: str, find: Callable[[], Path]) -> Check:
    try:
        return Check(name, "found", str(make_private(find())))
    except Refused as error:
        return Check(name, "not working", str(error), "every audit", "set REPRO_TUI_CACHE and REPRO_TUI_AUDITS")


def _terminal() -> Check:
    term = os.environ.get("TERM", "dumb")
    colours = (
        "16 million" if os.environ.get("COLORTERM") in ("truecolor", "24bit") else "256" if "256" in term else "16"
    )
    if term == "dumb":
        return Check("terminal", "missing", term, "the interface", "set TERM; the headless commands work without")
    return Check("terminal", "found", f"{term}, {colours} colours")
