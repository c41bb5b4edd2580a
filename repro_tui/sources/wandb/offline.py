"""A W&B run's folder (`wandb/offline-run-…` or `wandb/run-…`): its log and its files, read without W&B."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from repro_tui.formats.documents import parse_document
from repro_tui.formats.wandb_log import Torn, WandbLog, log_of, read_log
from repro_tui.model.errors import Mistake, Refused
from repro_tui.sources.wandb.described import ArtifactDescription, RunDescription
from repro_tui.support.cache import walk
from repro_tui.support.text import show

LARGEST = 1 << 20
MOST_FILES = 200


def read_folder(folder: Path, reference: str) -> RunDescription:
    """What a run's folder says of its run. Raises Refused where it is none, or its log cannot be read at all."""
    try:
        file = log_of(folder)
        log = read_log(file)
    except (Torn, OSError) as error:
        words = str(error) if isinstance(error, Torn) else str(error.strerror)
        raise Refused(Mistake(show(reference, 200), f"{show(str(folder), 300)} is no run of W&B: {words}")) from error
    if not log.run:
        words = f"its log says nothing of the run ({log.torn or 'it is empty'})"
        raise Refused(Mistake(show(reference, 200), f"{show(str(folder), 300)} cannot be read: {words}"))
    return _told(folder.resolve(), log)


def _told(folder: Path, log: WandbLog) -> RunDescription:
    run, files = log.run, folder / "files"
    metadata = _document(files / "wandb-metadata.json")
    git = metadata["git"] if isinstance(metadata.get("git"), dict) else {}
    path = "/".join(run.get(name) or "?" for name in ("entity", "project", "id"))
    told = RunDescription(f"wandb: run {show(path, 120)} in {show(folder.name, 80)}", path, run.get("name", ""))
    told.config = log.config or _values(_document(files / "config.yaml"))
    told.summary = log.summary or _document(files / "wandb-summary.json")
    told.commit = run.get("commit") or log.environment.get("commit") or _word(git, "commit")
    told.remote = run.get("remote") or log.environment.get("remote") or _word(git, "remote")
    told.python = log.environment.get("python") or _word(metadata, "python")
    for name in ("root", "docker", "program"):
        setattr(told, name, log.environment.get(name) or _word(metadata, name))
    told.started, told.incomplete = log.started, _incomplete(log)
    told.requirements, told.patch = _bytes(files / "requirements.txt"), _bytes(files / "diff.patch")
    told.code = _saved(files / "code")
    told.artifacts = [
        ArtifactDescription(found.name, found.type, f"wandb:{folder}#{found.name}", found.digest, found.md5)
        for found in log.artifacts.values()
    ]
    told.warnings = _warnings(log)
    return told


def _incomplete(log: WandbLog) -> str:
    if log.torn:
        return f"the run's log cannot be read to its end ({log.torn})"
    return "" if log.ended else "the run's log ends before the run did"


def _warnings(log: WandbLog) -> list[str]:
    found = []
    if why := _incomplete(log):
        found.append(f"{why}: parameters and artifacts that came later are not known")
    if log.exit_code:
        found.append(f"the run ended with status {log.exit_code}")
    return found


def _word(table: dict[str, Any], name: str) -> str:
    value = table.get(name)
    return value if isinstance(value, str) else ""


def _document(file: Path) -> dict[str, Any]:
    """A small JSON or YAML file of the run, empty where there is none that can be read."""
    raw = _bytes(file)
    try:
        return parse_document(raw, file.suffix, file.name) if raw else {}
    except Refused:
        return {}


def _values(document: dict[str, Any]) -> dict[str, Any]:
    """config.yaml keeps each value below `value`."""
    return {name: item["value"] for name, item in document.items() if isinstance(item, dict) and "value" in item}


def _bytes(file: Path) -> bytes | None:
    if not file.is_file() or file.is_symlink():
        return None
    with file.open("rb") as stream:
        return stream.read(LARGEST)


def _saved(folder: Path) -> dict[str, bytes]:
    """The program that W&B saved, by its path in the project; links and large files are left out."""
    found: dict[str, bytes] = {}
    if not folder.is_dir() or folder.is_symlink():
        return found
    for name, entry in walk(folder):
        if len(found) < MOST_FILES and entry.is_file(follow_symlinks=False) and entry.stat().st_size < LARGEST:
            found[name] = Path(entry.path).read_bytes()
    return dict(sorted(found.items()))
