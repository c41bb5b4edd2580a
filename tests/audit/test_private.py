"""An audit of code in a private repository writes its password nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.audit.project import Project, warm_cache
from tests.clients.git.servers import BACKEND, GitServer, make_certificate, serving
from tests.clients.git.test_checkout import run_git

__all__ = ["warm_cache"]
PASSWORD = "c4n4ry-s3cr3t"
pytestmark = [pytest.mark.skipif(not BACKEND.exists(), reason="git has no http-backend here")]


def test_the_password_of_a_repository_is_written_nowhere(tmp_path: Path, own_folders: Path, warm_cache: None) -> None:
    project = Project(tmp_path / "project")
    (tmp_path / "served").mkdir()
    run_git(tmp_path / "served", "clone", "--quiet", "--bare", str(project.repository.folder), "code.git")
    certificate = make_certificate(tmp_path)
    with serving(GitServer(tmp_path / "served", "ada", PASSWORD), certificate) as server:
        location = f"{server.url}/code.git".replace("https://", f"https://ada:{PASSWORD}@")
        deployment = project.deployment(code={"repository": location, "commit": project.commit})
        project.record(a=deployment, b=deployment)
        trusted = dict.fromkeys(("GIT_SSL_CAINFO", "SSL_CERT_FILE"), str(certificate))
        result = project.audit(**trusted, no_proxy="127.0.0.1")
        again = project.audit(**trusted, no_proxy="127.0.0.1")
    assert (result.status, again.status) == (0, 0), result.stderr
    written = [*Path(os.environ["REPRO_TUI_AUDITS"]).rglob("*"), *own_folders.rglob("*")]
    kept = b"".join(path.read_bytes() for path in written if path.is_file() and not path.is_symlink())
    assert PASSWORD not in result.stdout + result.stderr + again.stdout
    assert PASSWORD.encode() not in kept
