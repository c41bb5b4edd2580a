"""Git LFS of a repository that is reached by ssh: its host's `git-lfs-authenticate` names the server of the objects.

The ssh server and client, git and git-lfs are real; the program on the host answers as those of hosting services do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repro_tui.clients.git import Repository
from repro_tui.clients.git.checkout import write_out
from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from tests.clients.git.servers import GitServer, make_certificate, serving
from tests.conftest import GIT_ENVIRONMENT, GitRepository
from tests.systems.ssh.server import SshServer, ssh_server

Make = Callable[[str], GitRepository]
CONTENT = b"weights" * 1000
OID = hashlib.sha256(CONTENT).hexdigest()
TOKEN = "canary-t0ken"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize {len(CONTENT)}\n"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    """A host of repositories, whose programs are those of this machine and of the folder `programs`."""
    (tmp_path / "programs").mkdir()
    (tmp_path / "user").mkdir()
    with ssh_server(tmp_path / "ssh", f"PATH={tmp_path / 'programs'}:{os.environ['PATH']}") as server:
        monkeypatch.setenv("PATH", server.client_in(tmp_path / "client"))
        monkeypatch.setenv("HOME", str(tmp_path / "user"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield server


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitServer]:
    """The host's server of objects, which wants the token."""
    certificate = make_certificate(tmp_path)
    for name in ("GIT_SSL_CAINFO", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(certificate))
    with serving(GitServer(tmp_path, "git", TOKEN), certificate) as served:
        served.objects[OID] = CONTENT
        yield served


def publish(made: GitRepository, host: SshServer, folder: Path) -> tuple[str, str]:
    """A commit with an LFS file, and the URL of its repository on the host."""
    commit = made.commit({"m.bin": POINTER, ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    made.git("clone", "--quiet", "--bare", str(made.folder), str(folder / "project.git"))
    return commit, f"{host.url}{folder}/project.git"


def install(program: Path, answer: str) -> None:
    """The program on the host; it writes down what it is asked for."""
    program.write_text(f"#!/bin/sh\necho \"$@\" >> {program.parent}/asked\necho welcome >&2\necho '{answer}'\n")
    program.chmod(0o755)


def answer_of(objects: GitServer, url: str) -> str:
    authorization = "Basic " + base64.b64encode(f"git:{TOKEN}".encode()).decode()
    return json.dumps({"href": url, "header": {"Authorization": authorization}, "expires_in": 600})


def test_objects_come_from_the_server_that_the_host_names(
    git_repository: Make, context: Context, host: SshServer, objects: GitServer, tmp_path: Path
) -> None:
    commit, location = publish(git_repository("project"), host, tmp_path)
    install(tmp_path / "programs/git-lfs-authenticate", answer_of(objects, f"{objects.url}/project.git/info/lfs"))
    (tmp_path / "user/.netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    (tmp_path / "out").mkdir()
    write_out(Repository.open(location, context), commit, tmp_path / "out")
    assert (tmp_path / "out/m.bin").read_bytes() == CONTENT
    assert (tmp_path / "programs/asked").read_text() == f"{tmp_path}/project.git download\n"
    kept = b"".join(path.read_bytes() for path in context.cache.root.rglob("*") if path.is_file())
    assert TOKEN.encode() not in kept


def test_git_lfs_itself_asks_the_same(
    git_repository: Make, host: SshServer, objects: GitServer, tmp_path: Path
) -> None:
    if shutil.which("git-lfs") is None:
        pytest.skip("git-lfs is not installed")
    _, location = publish(git_repository("project"), host, tmp_path)
    install(tmp_path / "programs/git-lfs-authenticate", answer_of(objects, f"{objects.url}/project.git/info/lfs"))
    variables = {**GIT_ENVIRONMENT, "PATH": os.environ["PATH"], "no_proxy": "127.0.0.1", "GIT_LFS_SKIP_SMUDGE": "1"}
    variables["GIT_SSL_CAINFO"] = os.environ["GIT_SSL_CAINFO"]
    for command in (["git", "clone", "--quiet", location, "clone"], ["git", "-C", "clone", "lfs", "fetch"]):
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    fetched = tmp_path / "clone/.git/lfs/objects" / OID[:2] / OID[2:4] / OID
    assert fetched.read_bytes() == CONTENT
    assert (tmp_path / "programs/asked").read_text() == f"{tmp_path}/project.git download\n"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "git-lfs-authenticate on the repository's host failed: .*not found"),
        ("no such repository", "the answer of git-lfs-authenticate on the repository's host is malformed"),
        ('{"href": "http://127.0.0.1:9/x", "header": {"Authorization": "canary"}}', "a server without encryption"),
    ],
    ids=["absent", "malformed", "in the clear"],
)
def test_why_there_is_no_server_is_told(
    git_repository: Make, context: Context, host: SshServer, tmp_path: Path, answer: str | None, reason: str
) -> None:
    commit, location = publish(git_repository("project"), host, tmp_path)
    if answer is not None:
        install(tmp_path / "programs/git-lfs-authenticate", answer)
    (tmp_path / "out").mkdir()
    with pytest.raises(Inconclusive, match=rf"m\.bin .* is in Git LFS .*: .*{reason}") as error:
        write_out(Repository.open(location, context), commit, tmp_path / "out")
    assert error.value.do == f"run git lfs fetch origin {commit} in a clone of it, and record the clone's path"
    assert "canary" not in str(error.value)
