"""What is installed for a file of conda: the archives that it locks or that py-rattler resolves, and the pip part."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
from dataclasses import dataclass, replace
from typing import Any

from repro_tui.clients.client_child import ClientChild, standing_folder
from repro_tui.formats.conda_files import (
    DEFAULTS,
    PYTHON,
    CondaArchive,
    CondaFile,
    parse_conda,
    parse_explicit,
    python_release,
)
from repro_tui.formats.locks.misplaced import conda_lock, misplaced
from repro_tui.formats.requirements import parse_requirements, read_alone
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Record
from repro_tui.model.workspace import CodeTree
from repro_tui.rebuild.environments.conda.pip_part import PipPart
from repro_tui.rebuild.environments.python import read_file
from repro_tui.support.context import Context, Step
from repro_tui.support.extras import reinstall
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import import_root
from repro_tui.support.redact import strip_url
from repro_tui.support.text import plural, show

FORMAT = "1"
CHILD_S = 1800.0
REACH = (
    "check the network and the channel's address (behind a proxy, set HTTPS_PROXY), correct what contradicts itself, "
    "or name the packages in a requirements file where PyPI has them too (--requirements FILE)"
)
AGAIN = "lock it again with its tool"
PASSED_ON = (
    "HOME PATH SSL_CERT_FILE SSL_CERT_DIR HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy "
    "no_proxy RATTLER_AUTH_FILE CONDA_OVERRIDE_CUDA CONDA_OVERRIDE_GLIBC"
).split()


@dataclass(frozen=True, slots=True)
class CondaPlan:
    """What is installed: the archives, the pip part, and the variables that the file sets."""

    archives: tuple[CondaArchive, ...]
    pip: PipPart
    variables: dict[str, str]
    from_lock: bool


def make_plan(name: str, record: Record, code: CodeTree | None, step: Step, context: Context) -> CondaPlan:
    """What a record's file of conda installs. Raises Inconclusive and Refused, see CondaBuilder."""
    raw = read_file(name, record, code)
    if record.environment.kind == "lock":
        return _locked(raw, name, record, step, context)
    file = read_environment(raw, name, record)
    file = _with_python(file, name, record, step)
    pip = PipPart(_requirements(file, name, step), record.environment.as_of or "")
    return CondaPlan(_resolved(file, name, record, step, context), pip, file.variables, from_lock=False)


def _with_python(file: CondaFile, name: str, record: Record, step: Step) -> CondaFile:
    """The file with the recorded version of Python where it names none itself, as those of MLflow projects do."""
    version = record.environment.python
    if file.python is not None:
        return file
    if version is None:
        raise Inconclusive(
            f"{show(name, 120)} does not name Python among its packages", "add it to the file, or record its version"
        )
    step.warn(f"{name} does not name Python: the recorded version {version} is installed")
    pin = f"{PYTHON}={version}" if version.count(".") < 2 else f"{PYTHON}=={version}"
    return replace(file, packages=(pin, *file.packages))


def read_environment(raw: bytes, name: str, record: Record) -> CondaFile:
    """The environment.yml of a record. Raises Inconclusive where it is another kind of file, and Refused."""
    if wrong := misplaced(raw, "conda"):
        raise Inconclusive(f"{show(name, 120)} {wrong[0]}", wrong[1])
    _refuse_groups(name, record)
    return parse_conda(raw, name)


def _refuse_groups(name: str, record: Record) -> None:
    if record.environment.groups:
        raise Inconclusive(f"{show(name, 120)} has no groups", "remove environment.groups")


def _requirements(file: CondaFile, name: str, step: Step) -> tuple[str, ...]:
    """The pip part as requirements; what is left out is warned of. Raises Refused for other lines."""
    content = read_alone(file.pip_text, name)
    if content.mistakes:
        raise Refused.all(content.mistakes)
    for project in content.projects:
        step.warn(f"{name} also installs the project in {show(project.folder, 120)}, which is not installed here")
    for ignored in content.ignored:
        step.warn(ignored)
    return tuple(line.text for line in content.lines)


def _resolved(file: CondaFile, name: str, record: Record, step: Step, context: Context) -> tuple[CondaArchive, ...]:
    """The packages that py-rattler chooses; they are resolved once and cached, so later rebuilds do not change."""
    until = record.environment.as_of or ""
    channels = _channels(file, step)
    key = digest_text(FORMAT, platform.machine(), until, *channels, "", *file.packages)
    known = context.cache.read_note("conda", key)
    if known is None:
        step.progress(f"resolving {plural(len(file.packages), 'conda package')}")
        request = {"specs": list(file.packages), "channels": channels, "until": until}
        where = ", ".join(show(strip_url(channel), 120) for channel in channels)
        known = ask("describe", request, context, where, _remedy(file))
        context.cache.write_note("conda", key, known)
    count = plural(len(known["archives"]), "conda package")
    step.warn(f"{name} is not a lock file: {count} resolved as of {until or 'the first rebuild'}")
    return _archives(known)


def _remedy(file: CondaFile) -> str:
    """What to do where the channels do not bring the packages: often only an exact version of Python is missing."""
    version = python_release(file.python or "")
    return (
        f"{REACH}, or install Python {version} (uv python install {version})" if file.is_pip_only and version else REACH
    )


def _channels(file: CondaFile, step: Step) -> list[str]:
    """The channels in their order; conda's own defaults are two of them by address."""
    if not file.channels:
        step.warn(f"the file names no channel: conda's own defaults are used ({DEFAULTS[0]})")
    channels: list[str] = []
    for channel in file.channels or ("defaults",):
        channels += DEFAULTS if channel == "defaults" else [] if channel == "nodefaults" else [channel]
    return channels


def _locked(raw: bytes, name: str, record: Record, step: Step, context: Context) -> CondaPlan:
    if conda_lock(raw) == "explicit":
        _refuse_groups(name, record)
        return CondaPlan(tuple(parse_explicit(raw, name)), PipPart(), {}, from_lock=True)
    with standing_folder(context) as folder:
        suffix = "pixi.lock" if conda_lock(raw) == "pixi" else "conda-lock.yml"
        (folder / suffix).write_bytes(raw)
        request = {"lock": str(folder / suffix), "groups": list(record.environment.groups)}
        answer = ask("describe", request, context, name)
    return CondaPlan(_archives(answer), _locked_pip(answer["pip"], name, step), {}, from_lock=True)


def _locked_pip(packages: list[dict[str, str]], name: str, step: Step) -> PipPart:
    pins = []
    for package in packages:
        if not package["url"].startswith(("http://", "https://")):
            step.warn(f"{name} also installs the project in {show(package['url'], 120)}, which is not installed here")
            continue
        digest = f" --hash=sha256:{package['sha256']}" if package["sha256"] else ""
        pins.append(f"{package['name']}=={package['version']}{digest}")
    requirements, mistakes = parse_requirements("\n".join(pins), name)
    if mistakes:
        raise Refused.all(mistakes)
    return PipPart(tuple(sorted(line.text for line in requirements)), complete=True)


def _archives(answer: Any) -> tuple[CondaArchive, ...]:
    return tuple(CondaArchive(item["url"], item["sha256"], item["md5"]) for item in answer["archives"])


def ask(command: str, request: dict[str, Any], context: Context, where: str, do: str = AGAIN, target: str = "-") -> Any:
    """The answer of py-rattler in a child process. Raises Inconclusive, which names `where` the request goes to."""
    if not is_installed():
        raise Inconclusive("environments of conda packages need py-rattler, which is not installed", reinstall("conda"))
    client = ClientChild(f"conda ({where})", do, CHILD_S)
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"PYTHONPATH": str(import_root())}
    with standing_folder(context) as folder:
        (folder / "request.json").write_text(json.dumps({"cache": str(folder / "cache"), **request}), "utf-8")
        arguments = ("repro_tui.rebuild.environments.conda.child", command, str(folder / "request.json"), target)
        return client.answer(arguments, passed, folder, context)


def is_installed() -> bool:
    """Whether py-rattler is there, which is an extra."""
    try:
        return importlib.util.find_spec("rattler") is not None
    except ValueError:
        return False
