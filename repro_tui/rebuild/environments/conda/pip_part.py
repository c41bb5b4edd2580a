"""Installs pip's part of a conda environment with uv, besides the packages that conda has installed.

The environment's interpreter would have to run for uv to ask it, and with it whatever its packages start. So uv is
told the version of Python and the folder of the packages instead.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.environments.pythons.interpreters import run_uv
from repro_tui.rebuild.environments.uv import log_output, uv_failed
from repro_tui.rebuild.environments.venv import pin_name
from repro_tui.rebuild.environments.wheel_files import install_wheels
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context, Step
from repro_tui.support.regular import read_regular
from repro_tui.support.text import join_names, plural, show

_COMPILE = "pip compile --quiet --no-build --no-header --no-annotate --no-strip-markers".split()
_INSTALL = "pip install --no-build --no-deps --link-mode copy".split()
_NEVER = "python_version < '0'"  # an override with this marker takes a package out of the resolution
_META = re.compile(r"python-(\d+\.\d+\.\d+)[^-]*-[^-]+\.json")


@dataclass(frozen=True, slots=True)
class PipPart:
    """Requirements of pip, and the time as of which their dependencies are resolved ("": now).

    `complete`: they are those of a lock, which has all dependencies.
    """

    requirements: tuple[str, ...] = ()
    until: str = ""
    complete: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies it."""
        return (self.until, *self.requirements)


def site_of(folder: Path) -> tuple[Path, str]:
    """The folder of an environment's Python packages, and its full version of Python. Raises Inconclusive."""
    versions = [match.group(1) for path in (folder / "conda-meta").iterdir() if (match := _META.fullmatch(path.name))]
    if not versions:
        raise Inconclusive("there is no Python among the conda packages", "add python to the file")
    return folder / f"lib/python{versions[0].rpartition('.')[0]}/site-packages", versions[0]


def install_pip(part: PipPart, key: str, folder: Path, step: Step, context: Context) -> None:
    """Resolves and installs the requirements; resolved once for a key, so that later rebuilds do not change.

    Raises Inconclusive where uv cannot, and where a package of conda would have been replaced by another version.
    """
    if not part.requirements:
        return
    site, version = site_of(folder)
    by_conda = _installed(site)
    _refuse_replaced(part, by_conda)
    pins = list(part.requirements)
    if not part.complete:
        known = context.cache.read_note("conda-pip", key) or _resolve(part, by_conda, version, step, context)
        context.cache.write_note("conda-pip", key, known)
        pins = known
        step.log(f"resolved for pip: {', '.join(pins)}")
    _install(pins, site, version, step, context)
    _move_scripts(site, folder)
    _check_requirements(site, {pin_name(pin) for pin in pins}, version)


def _installed(site: Path) -> dict[str, Distribution]:
    packages: dict[str, Distribution] = {}
    for distribution in distributions(path=[str(site)]):
        if name := distribution.metadata["Name"]:
            packages[canonicalize_name(name)] = distribution
    return packages


def _refuse_replaced(part: PipPart, by_conda: dict[str, Distribution]) -> None:
    """pip would remove conda's files of a package that it also installs, in another version."""
    for text in part.requirements:
        requirement = Requirement(text.partition(" --hash=")[0])
        present = by_conda.get(canonicalize_name(requirement.name))
        if present and not requirement.specifier.contains(present.version, prereleases=True):
            package = show(requirement.name, 120)
            reason = f"pip would replace conda's {package} {present.version} by {show(text, 120)}"
            raise Inconclusive(reason, f"name {package} only once: for conda or for pip")


def _resolve(part: PipPart, by_conda: dict[str, Distribution], version: str, step: Step, context: Context) -> list[str]:
    step.progress(f"resolving {plural(len(part.requirements), 'requirement')} of pip")
    folder = context.cache.temporary()
    folder.mkdir(parents=True)
    until = ["--exclude-newer", part.until] if part.until else []
    try:
        (folder / "pip.in").write_text("\n".join(part.requirements) + "\n", "utf-8")
        (folder / "conda.txt").write_text("".join(f"{name} ; {_NEVER}\n" for name in sorted(by_conda)), "utf-8")
        wanted = ["--overrides", str(folder / "conda.txt"), "--python-version", version, "--python", sys.executable]
        done = run_uv([*_COMPILE, *until, *wanted, str(folder / "pip.in")], context)
    finally:
        remove_tree(folder)
    if done.exit_code != 0:
        log_output(done.text, step, context)
        raise uv_failed("the requirements of pip cannot be resolved", done.text, context)
    lines = [line.strip() for line in done.text.splitlines()]
    return sorted(line.split(";")[0].strip() for line in lines if line and not line.startswith(("#", "warning")))


def _install(pins: list[str], site: Path, version: str, step: Step, context: Context) -> None:
    if not pins:
        return
    step.progress(f"installing {plural(len(pins), 'package')} of pip")
    listing = context.cache.temporary().with_suffix(".txt")
    listing.write_text("\n".join(pins) + "\n", "utf-8")
    hashed = ["--require-hashes"] if all("--hash=" in pin for pin in pins) else []
    place = ["--target", str(site), "--python-version", version, "--python", sys.executable]
    try:
        install = [*_INSTALL, *hashed, *place, "--requirements", str(listing)]
        names = {pin_name(pin) for pin in pins}
        install_wheels(install, names, site, "the pip packages cannot be installed", step, context)
    finally:
        listing.unlink()


def _move_scripts(site: Path, folder: Path) -> None:
    """Puts the commands of the packages where the environment has its own, with its own interpreter."""
    (site / ".lock").unlink(missing_ok=True)
    for script in sorted((site / "bin").glob("*")):
        content = read_regular(script)
        first, _, rest = content.partition(b"\n")
        if first.startswith(b"#!") and b"python" in first:
            content = f"#!{folder}/bin/python\n".encode() + rest
        (folder / "bin" / script.name).write_bytes(content)
        (folder / "bin" / script.name).chmod(0o755)
    remove_tree(site / "bin")


def _check_requirements(site: Path, names: set[str], version: str) -> None:
    """Raises Inconclusive where a package of pip needs another version of what conda has installed."""
    installed = _installed(site)
    python = {"python_full_version": version, "python_version": version.rpartition(".")[0], "extra": ""}
    markers = {**{key: str(value) for key, value in default_environment().items()}, **python}
    unmet = [
        f"{name} needs {show(requirement, 120)}"
        for name in sorted(names & installed.keys())
        for requirement in _requirements(installed[name])
        if requirement.marker is None or requirement.marker.evaluate(markers)
        if not _is_met(requirement, installed)
    ]
    if unmet:
        reason = f"what conda has installed is not enough for the packages of pip: {join_names(unmet, most=5)}"
        raise Inconclusive(reason, "name versions for conda and pip that fit together")


def _requirements(distribution: Distribution) -> Iterator[Requirement]:
    for text in distribution.requires or ():
        try:
            yield Requirement(text)
        except InvalidRequirement:  # pip ignores what it cannot parse
            continue


def _is_met(requirement: Requirement, installed: dict[str, Distribution]) -> bool:
    present = installed.get(canonicalize_name(requirement.name))
    return present is not None and requirement.specifier.contains(present.version, prereleases=True)
