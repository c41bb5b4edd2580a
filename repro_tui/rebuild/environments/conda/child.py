"""Runs py-rattler in a child process: `python -m repro_tui.rebuild.environments.conda.child describe REQUEST FOLDER`
names the packages of an environment, `… fetch REQUEST FOLDER` installs fetched ones into FOLDER.

REQUEST is a JSON file with the fields of CondaRequest. The library is native code that panics on odd input and logs to
the terminal, which is harmless in a child process. No script of a package is executed. The answer is one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from repro_tui.clients.child_answer import answer_command, plain_error
from repro_tui.rebuild.environments.conda.contents import Contents
from repro_tui.support.regular import open_regular
from repro_tui.support.removal import remove_folder

if TYPE_CHECKING:
    from rattler import RepoDataRecord

MAIN = "main"


class CondaRequest(TypedDict, total=False):
    """What is asked of py-rattler.

    To solve: `specs`, `channels` (names or URLs), `until` (RFC 3339, "": now). To read a lock: `lock`, its path, and
    `groups`. To install: `archives`, each with its `path`. `cache` is a folder for what it keeps.
    """

    specs: list[str]
    channels: list[str]
    until: str
    lock: str
    groups: list[str]
    archives: list[dict[str, str]]
    cache: str


def main() -> int:
    """Runs one command and prints its answer."""
    return answer_command(_describe, _install, plain_error)


def _describe(request: str, _folder: Path) -> dict[str, object]:
    asked: CondaRequest = json.loads(Path(request).read_text("utf-8"))
    if "lock" in asked:
        return _locked(asked)
    return {"archives": [_archive(record) for record in asyncio.run(_solved(asked))], "pip": []}


async def _solved(asked: CondaRequest) -> list[RepoDataRecord]:
    from rattler import Channel, Gateway, Subdir, VirtualPackage, solve

    gateway = Gateway(cache_dir=Path(asked["cache"]))
    records: list[RepoDataRecord] = await solve(
        [Channel(name) for name in asked["channels"]],
        asked["specs"],
        gateway=gateway,
        platforms=[Subdir.current(), "noarch"],
        virtual_packages=VirtualPackage.detect(),
        exclude_newer=datetime.fromisoformat(asked["until"]) if asked["until"] else None,
    )
    return records


def _locked(asked: CondaRequest) -> dict[str, object]:
    """The packages of a conda-lock.yml or pixi.lock for this platform: those of the main category or environment."""
    from rattler import LockFile, Subdir

    lock = LockFile.from_path(Path(asked["lock"]))
    named = dict(lock.environments())
    chosen = [group for group in asked["groups"] if group in named]
    if len(chosen) > 1:
        raise ValueError(f"the environments {', '.join(chosen)} cannot be combined: name one of them")
    environment = named[chosen[0]] if chosen else lock.default_environment()
    current = str(Subdir.current())
    platform = next((p for p in lock.platforms() if str(p.subdir) == current or p.name == current), None)
    if environment is None or platform is None:
        raise ValueError(f"the lock has no environment for {current}")
    left_out = _other_categories(asked, named)
    records = environment.conda_repodata_records_for_platform(platform) or []
    pypi = environment.pypi_packages_for_platform(platform) or []
    return {
        "archives": [_archive(record) for record in records if record.url not in left_out],
        "pip": [_pip(package) for package in pypi if str(package.location) not in left_out],
    }


def _other_categories(asked: CondaRequest, named: Mapping[str, object]) -> set[str]:
    """The URLs of a conda-lock.yml that belong to none of the wanted categories; for another lock, none."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with open_regular(asked["lock"]) as stream:
        document = yaml.load(stream, Loader=loader)  # noqa: S506 - both loaders are safe
    packages = document.get("package") if isinstance(document, dict) else None
    if not isinstance(packages, list):
        unknown = [group for group in asked["groups"] if group not in named]
        if unknown:
            raise ValueError(f"the lock has no environment {', '.join(unknown)}: it has {', '.join(sorted(named))}")
        return set()
    wanted = {MAIN, *asked["groups"]}
    categories = {package["url"]: package.get("category", MAIN) for package in packages}
    if unknown := sorted(wanted - {MAIN} - set(categories.values())):
        raise ValueError(f"the lock has no category {', '.join(unknown)}")
    return {url for url, category in categories.items() if category not in wanted}


def _archive(record: Any) -> dict[str, str]:
    return {
        "name": record.name.normalized,
        "version": str(record.version),
        "url": record.url,
        "sha256": record.sha256.hex() if record.sha256 else "",
        "md5": record.md5.hex() if record.md5 else "",
    }


def _pip(package: Any) -> dict[str, str]:
    hashes = package.hashes
    return {
        "name": package.name,
        "version": str(package.version),
        "url": str(package.location),
        "sha256": hashes.sha256.hex() if hashes and hashes.sha256 else "",
    }


def _install(request: str, folder: Path) -> dict[str, object]:
    asked: CondaRequest = json.loads(Path(request).read_text("utf-8"))
    _check([Path(archive["path"]) for archive in asked["archives"]], Path(asked["cache"]) / "check")
    asyncio.run(_linked(asked, folder))
    return {"installed": len(asked["archives"])}


def _check(archives: list[Path], scratch: Path) -> None:
    from rattler.package_streaming import extract

    contents = Contents()
    for archive in archives:
        extract(archive, scratch)
        contents.add(archive.name, scratch)
        remove_folder(scratch)
    contents.check()


async def _linked(asked: CondaRequest, folder: Path) -> None:
    from rattler import RepoDataRecord, install

    records = [await RepoDataRecord.from_package_archive(archive["path"]) for archive in asked["archives"]]
    await install(records, folder, cache_dir=Path(asked["cache"]), show_progress=False, execute_link_scripts=False)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # threads of the library are still running, and end an orderly exit with a crash
