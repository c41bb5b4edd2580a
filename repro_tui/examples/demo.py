"""Creates the demo: a small credit-score project with a git history, and the records of its two deployments."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from repro_tui.model.errors import Refused

SOURCE = Path(__file__).parent / "credit"
# The two deployments use different releases of numpy; both need wheels for the Python that runs the demo.
NUMPY = ("1.26.4", "2.1.3") if sys.version_info < (3, 13) else ("2.1.3", "2.3.5")
RECORD = """\
schema = 1

[validation]
inputs = "validation/applications.csv"
key = ["id"]
sha256 = "{inputs}"

[validation.columns.decision]
kind = "label"

[validation.columns.probability]
kind = "probability"
"""
DEPLOYMENT = """
[deployments.{name}]
description = "{description}"

[deployments.{name}.code]
repository = "project"
commit = "{commit}"

[deployments.{name}.environment]
requirements = "requirements.txt"
python = "{python}"

[deployments.{name}.parameters]
file = "params.yaml"

[[deployments.{name}.data]]
path = "models/credit.json"
source = "file:models/{model}"
sha256 = "{sha256}"

[deployments.{name}.predict]
command = ["python", "predict.py", "--input", "{{inputs}}", "--output", "{{output}}", "--params", "{{params}}"]
timeout_s = 120
"""


def prepare(folder: Path) -> tuple[str, str]:
    """Creates the demo's project in `folder`, replacing an earlier one, and returns the references of prod and staging.

    The commits are the same on every machine with the same minor version of Python, so that a second demo rebuilds
    nothing. Raises Refused where git is not installed or fails.
    """
    if shutil.which("git") is None:
        raise Refused("git is not on the PATH: install git, which the demo and every audit of code need")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("project", "models", "validation"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("models", "validation"):
        shutil.copytree(SOURCE / name, folder / name)
    commits = _history(folder / "project")
    inputs = _sha256(folder / "validation/applications.csv")
    text = RECORD.format(inputs=inputs)
    text += _deployment(folder, "prod", "serves customers", commits[0], "credit-2026-01.json")
    text += _deployment(folder, "staging", "next week's candidate", commits[1], "credit-2026-02.json")
    (folder / "repro.toml").write_text(text, "utf-8")
    return f"{folder / 'repro.toml'}#prod", f"{folder / 'repro.toml'}#staging"


def _deployment(folder: Path, name: str, description: str, commit: str, model: str) -> str:
    return DEPLOYMENT.format(
        name=name,
        description=description,
        commit=commit,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        model=model,
        sha256=_sha256(folder / "models" / model),
    )


def _history(project: Path) -> tuple[str, str]:
    """Creates the project's repository, and returns the commits of prod and of staging."""
    shutil.copytree(SOURCE / "first", project)
    shutil.copyfile(SOURCE / f"numpy-{NUMPY[0]}.txt", project / "requirements.txt")
    _git(project, 0, "init", "--quiet", "--initial-branch=main", "--template=")
    first = _commit(project, 1, "Score applications with the January model")
    shutil.copyfile(SOURCE / f"numpy-{NUMPY[1]}.txt", project / "requirements.txt")
    _commit(project, 2, f"Move to numpy {NUMPY[1]}")
    shutil.copyfile(SOURCE / "second" / "params.yaml", project / "params.yaml")
    return first, _commit(project, 3, "Decline from 0.6 on, as credit risk asked")


def _commit(project: Path, day: int, message: str) -> str:
    _git(project, day, "add", "--all")
    _git(project, day, "commit", "--quiet", f"--message={message}")
    return _git(project, day, "rev-parse", "HEAD")


def _git(project: Path, day: int, *arguments: str) -> str:
    date = f"2026-02-{day + 1:02}T09:30:00Z"
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(project),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Credit team",
        "GIT_AUTHOR_EMAIL": "credit@example.org",
        "GIT_COMMITTER_NAME": "Credit team",
        "GIT_COMMITTER_EMAIL": "credit@example.org",
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_DATE": date,
    }
    done = subprocess.run(
        ["git", *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Refused(
            f"git {arguments[0]} failed in {project}: {done.stderr.strip() or f'exit status {done.returncode}'}"
        )
    return done.stdout.strip()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
