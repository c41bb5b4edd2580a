"""Reads a W&B run from its folder (`wandb/offline-run-…` or `wandb/run-…`), its log and its files, without W&B."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from repro_tui.formats.wandb_log import Torn, WandbLog, log_of, read_log
from repro_tui.model.errors import Mistake, Refused
from repro_tui.sources.wandb.described import ArtifactDescription, RunDescription, parsed_file
from repro_tui.support.paths import real_path
from repro_tui.support.regular import is_regular, open_regular, read_regular
from repro_tui.support.text import show
from repro_tui.support.walks import walk

LARGEST = 1 << 20
MOST_FILES = 200


def read_folder(folder: Path, reference: str) -> RunDescription:
    """What the folder of a run recorded.

    Raises Refused where it is not the folder of a run, or where its log cannot be read at all. A log that is damaged
    further on is read up to the damage, which becomes a warning.
    """
    place = show(str(folder), 300)
    try:
        log = read_log(log_of(folder))
    except Torn as error:
        message = f"{place} is not the folder of a W&B run: {error}; expected one such as wandb/offline-run-DATE-ID"
        raise Refused(Mistake(show(reference, 200), message)) from error
    except OSError as error:
        raise Refused(
            Mistake(
                show(reference, 200), f"the W&B log in {place} cannot be read ({error.strerror}): check its permissions"
            )
        ) from error
    if not log.run:
        damage = f"{log.torn or 'it ends without one'}; read: {log.read}"
        message = f"the W&B log in {place} does not describe a run ({damage}): copy the folder again"
        raise Refused(Mistake(show(reference, 200), message))
    return _describe(real_path(folder), log)


def _describe(folder: Path, log: WandbLog) -> RunDescription:
    run, files = log.run, folder / "files"
    metadata = _document(files / "wandb-metadata.json")
    recorded = metadata.get("git")
    git = recorded if isinstance(recorded, dict) else {}
    path = "/".join(run.get(name) or "?" for name in ("entity", "project", "id"))
    description = RunDescription(f"wandb: run {show(path, 120)} in {show(folder.name, 80)}", path, run.get("name", ""))
    description.config = log.config or _values(_document(files / "config.yaml"))
    description.summary = log.summary or _document(files / "wandb-summary.json")
    description.commit = run.get("commit") or log.environment.get("commit") or _text(git, "commit")
    description.remote = run.get("remote") or log.environment.get("remote") or _text(git, "remote")
    description.python = log.environment.get("python") or _text(metadata, "python")
    for name in ("root", "docker", "program"):
        setattr(description, name, log.environment.get(name) or _text(metadata, name))
    description.started, description.incomplete = log.started, _incomplete(log)
    description.requirements, description.patch = _bytes(files / "requirements.txt"), _bytes(files / "diff.patch")
    description.code = _saved(files / "code")
    description.artifacts = [
        ArtifactDescription(
            artifact.name, artifact.type, f"wandb:{folder}#{artifact.name}", artifact.digest, artifact.md5
        )
        for artifact in log.artifacts.values()
    ]
    description.warnings = _warnings(log)
    return description


def _incomplete(log: WandbLog) -> str:
    if log.torn:
        return f"the run's log is torn ({log.torn}; read: {log.read})"
    return "" if log.ended else "the run's log does not contain the end of the run"


def _warnings(log: WandbLog) -> list[str]:
    warnings = []
    if reason := _incomplete(log):
        warnings.append(f"{reason}: parameters and artifacts logged later are unknown")
    if log.exit_code:
        warnings.append(f"the run ended with exit status {log.exit_code}")
    return warnings


def _text(table: Mapping[str, object], name: str) -> str:
    value = table.get(name)
    return value if isinstance(value, str) else ""


def _document(file: Path) -> dict[str, object]:
    return parsed_file(_bytes(file), file.name)


def _values(document: Mapping[str, object]) -> dict[str, object]:
    """The values of config.yaml, which stores each below the key `value`."""
    return {name: item["value"] for name, item in document.items() if isinstance(item, dict) and "value" in item}


def _bytes(file: Path) -> bytes | None:
    if not is_regular(file) or file.is_symlink():
        return None
    with open_regular(file, links=False) as stream:
        return stream.read(LARGEST)


def _saved(folder: Path) -> dict[str, bytes]:
    """The code that W&B saved, by its path in the project; links and large files are left out."""
    files: dict[str, bytes] = {}
    if not folder.is_dir() or folder.is_symlink():
        return files
    for name, entry in walk(folder):
        if len(files) < MOST_FILES and entry.is_file(follow_symlinks=False) and entry.stat().st_size < LARGEST:
            files[name] = read_regular(entry.path, most=LARGEST, links=False)
    return dict(sorted(files.items()))
