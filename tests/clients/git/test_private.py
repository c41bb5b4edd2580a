"""Private repositories over https: the ways to give credentials, and that none of them is kept, shown or sent on."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repro_tui.clients.git import Repository, clone_folder
from repro_tui.clients.git.access import Access
from repro_tui.clients.git.checkout import write_out
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Code, Record
from repro_tui.rebuild.code import rebuild_code
from repro_tui.support.context import Context
from tests.clients.git.servers import BACKEND, GitServer, make_certificate, serving
from tests.clients.git.test_checkout import POINTER, files_below, run_git
from tests.conftest import GitRepository

Make = Callable[[str], GitRepository]
USER, PASSWORD = "ada", "canary/s3cret pass"
QUOTED = "canary%2Fs3cret%20pass"
pytestmark = pytest.mark.skipif(not BACKEND.exists(), reason="git has no http-backend here")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitServer]:
    """A server of private repositories, whose certificate is trusted; the user has no credentials yet."""
    (tmp_path / "served").mkdir()
    certificate = make_certificate(tmp_path)
    for name in ("GIT_SSL_CAINFO", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(certificate))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("GIT_ASKPASS", raising=False)
    (tmp_path / "user").mkdir()
    with serving(GitServer(tmp_path / "served", USER, PASSWORD), certificate) as served:
        yield served


def publish(made: GitRepository, server: GitServer, name: str = "project") -> str:
    run_git(server.root, "clone", "--quiet", "--bare", str(made.folder), f"{name}.git")
    return f"{server.url}/{name}.git"


def with_user(url: str) -> str:
    return url.replace("https://", f"https://{USER}:{QUOTED}@")


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_credentials_of_a_url_are_used_and_not_kept(
    git_repository: Make, context: Context, server: GitServer, tmp_path: Path
) -> None:
    commit = (made := git_repository("project")).commit({"a": "1"})
    url = publish(made, server)
    events: list[str] = []
    record = Record("prod", "prod", code=Code(with_user(url), commit))
    tree, part = rebuild_code(record, context)
    assert tree is not None
    assert (Path(tree.folder) / "a").read_text() == "1"
    assert {user for _, user in server.asked} == {"", USER}
    kept = everything_below(context.cache.root) + repr((tree, part, events)).encode()
    assert not [secret for secret in (PASSWORD, QUOTED, "canary") if secret.encode() in kept]
    assert clone_folder(with_user(url), context) == clone_folder(url, context)


def test_no_credentials_stand_in_a_command_line(
    git_repository: Make, context: Context, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git before git on PATH notes its own command line, and that of the process that started it."""
    (made := git_repository("project")).commit({"a": "1"})
    url = publish(made, server)
    seen, programs = tmp_path / "seen", tmp_path / "programs"
    programs.mkdir()
    wrapper = programs / "git"
    wrapper.write_text(f'#!/bin/sh\ncat /proc/$$/cmdline >> {seen}\nexec /usr/bin/git "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    Repository.open(with_user(url), context).resolve("main")
    assert b"clone" in seen.read_bytes()
    assert b"canary" not in seen.read_bytes()


def test_without_credentials_the_three_ways_are_named(
    git_repository: Make, context: Context, server: GitServer
) -> None:
    (made := git_repository("project")).commit({"a": "1"})
    with pytest.raises(Inconclusive) as error:
        Repository.open(publish(made, server), context)
    for way in ("~/.netrc", "GIT_ASKPASS", "git.credential_helper", "127.0.0.1"):
        assert way in error.value.do


@pytest.mark.parametrize("way", ["netrc", "askpass", "helper"])
def test_each_way_works(
    git_repository: Make, context: Context, server: GitServer, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made := git_repository("project")).commit({"a": "1"})
    url = publish(made, server)
    home = tmp_path / "user"
    if way == "netrc":
        (home / ".netrc").write_text(f'machine 127.0.0.1 login {USER} password "{PASSWORD}"\n')
    elif way == "askpass":
        program = home / "askpass"
        program.write_text(f"#!/bin/sh\ncase $1 in User*) echo {USER} ;; *) echo '{PASSWORD}' ;; esac\n")
        program.chmod(0o755)
        monkeypatch.setenv("GIT_ASKPASS", str(program))
    else:
        (home / "kept").write_text(f"{with_user(server.url)}\n")
        (home / "config").mkdir()
        (home / "config/config.toml").write_text(f'[git]\ncredential_helper = "store --file={home}/kept"\n')
        monkeypatch.setenv("REPRO_TUI_CONFIG", str(home / "config"))
    assert Repository.open(url, context).resolve("main") is not None


def test_the_helper_of_a_repository_is_not_run(
    git_repository: Make, context: Context, server: GitServer, tmp_path: Path
) -> None:
    """Neither the user's global configuration nor a hostile repository's own names a program that runs."""
    (made := git_repository("project")).commit({"a": "1"})
    url = publish(made, server)
    command = f"!touch {tmp_path}/marker; :"
    for config in (tmp_path / "user/.gitconfig", server.root / "project.git/config"):
        subprocess.run(["git", "config", "--file", config, "credential.helper", command], check=True)
    with pytest.raises(Inconclusive):
        Repository.open(url, context)
    assert not (tmp_path / "marker").exists()


def test_another_host_is_not_given_the_credentials(
    git_repository: Make, context: Context, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submodule on another host gets neither the URL's password nor what the user's GIT_ASKPASS says to any host."""
    program = tmp_path / "askpass"
    program.write_text(f"#!/bin/sh\necho '{PASSWORD}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("GIT_ASKPASS", str(program))
    made = git_repository("project")
    with serving(GitServer(tmp_path / "served", "nobody", "x"), tmp_path / "server.pem") as stranger:
        commit = made.commit({".gitmodules": f'[submodule "lib"]\n\tpath = lib\n\turl = {stranger.url}/lib.git\n'})
        made.git("update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
        made.git("commit", "--quiet", "--message", "submodule")
        location = with_user(publish(made, server))
        (tmp_path / "out").mkdir()
        with pytest.raises(Inconclusive, match="the submodule lib"):
            write_out(Repository.open(location, context), made.git("rev-parse", "HEAD"), tmp_path / "out")
        assert {user for _, user in stranger.asked} == {""}


@pytest.mark.parametrize("way", ["url", "askpass"])
def test_a_redirect_carries_no_credentials_to_another_host(
    context: Context, server: GitServer, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "askpass"
    program.write_text(f"#!/bin/sh\necho '{PASSWORD}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("GIT_ASKPASS", str(program))
    with serving(GitServer(tmp_path / "served", USER, PASSWORD), tmp_path / "server.pem") as stranger:
        server.moved = stranger.url
        location = f"{server.url}/moved/x.git"
        with pytest.raises(Inconclusive):
            Repository.open(with_user(location) if way == "url" else location, context)
        assert {user for _, user in stranger.asked} == {""}


def test_submodules_of_the_same_host_are_read(
    git_repository: Make, context: Context, server: GitServer, tmp_path: Path
) -> None:
    lib, made = git_repository("lib"), git_repository("project")
    inner = lib.commit({"x.py": "1"})
    publish(lib, server, "lib")
    made.commit({".gitmodules": '[submodule "lib"]\n\tpath = lib\n\turl = ../lib.git\n'})
    made.git("update-index", "--add", "--cacheinfo", f"160000,{inner},lib")
    made.git("commit", "--quiet", "--message", "submodule")
    location = with_user(publish(made, server))
    (tmp_path / "out").mkdir()
    write_out(Repository.open(location, context), made.git("rev-parse", "HEAD"), tmp_path / "out")
    assert (tmp_path / "out/lib/x.py").read_text() == "1"


@pytest.mark.parametrize("place", ["remote", "lfsconfig"])
def test_lfs_objects_come_from_the_batch_api(
    git_repository: Make, context: Context, server: GitServer, tmp_path: Path, place: str
) -> None:
    made, content = git_repository("project"), b"weights" * 1000
    oid = hashlib.sha256(content).hexdigest()
    server.objects[oid] = content
    files: dict[str, str | bytes] = {"m.bin": POINTER.format(oid, len(content))}
    if place == "lfsconfig":
        files[".lfsconfig"] = f"[lfs]\n\turl = {server.url}/elsewhere/\n"
    commit = made.commit(files)
    location = with_user(publish(made, server))
    (tmp_path / "out").mkdir()
    write_out(Repository.open(location, context), commit, tmp_path / "out")
    assert files_below(tmp_path / "out")["m.bin"][0] == content
    asked = "/elsewhere/objects/batch" if place == "lfsconfig" else "/project.git/info/lfs/objects/batch"
    assert (asked, USER) in server.asked
    server.objects[oid] = b"tampered"
    missing = made.commit({"m.bin": POINTER.format("0" * 64, 9)})
    run_git(made.folder, "push", "--quiet", str(server.root / "project.git"), "main")
    (tmp_path / "again").mkdir()
    with pytest.raises(Inconclusive, match="does not have it") as error:
        write_out(Repository.open(location, context), missing, tmp_path / "again")
    assert "canary" not in str(error.value)


def test_ssh_says_why(context: Context) -> None:
    with pytest.raises(Inconclusive, match=r"ssh: .*(Connection refused|connect to host)") as error:
        Repository.open("ssh://ada:canary-secret@127.0.0.1:9/x.git", context)
    assert "canary" not in str(error.value)
    assert "check the network" in error.value.do


@pytest.mark.parametrize(("way", "scheme"), [("url", "http"), ("netrc", "http"), ("url", "https")])
def test_a_commit_cannot_have_credentials_sent_in_the_clear_or_elsewhere(
    git_repository: Make, context: Context, server: GitServer, tmp_path: Path, way: str, scheme: str
) -> None:
    """Here .lfsconfig names another server on this machine."""
    made = git_repository("project")
    if way == "netrc":
        (tmp_path / "user/.netrc").write_text(f'machine 127.0.0.1 login {USER} password "{PASSWORD}"\n')
    stranger = GitServer(tmp_path / "served", USER, PASSWORD)
    certificate = tmp_path / "server.pem"
    with serving(stranger, certificate) if scheme == "https" else answering(stranger):
        host = stranger.url.removeprefix("https://") if scheme == "https" else f"127.0.0.1:{stranger.server_port}"
        commit = made.commit(
            {".lfsconfig": f"[lfs]\n\turl = {scheme}://{host}/x\n", "m.bin": POINTER.format("0" * 64, 9)}
        )
        location = publish(made, server)
        (tmp_path / "out").mkdir()
        with pytest.raises(Inconclusive, match=r"m\.bin"):
            write_out(
                Repository.open(with_user(location) if way == "url" else location, context), commit, tmp_path / "out"
            )
        assert {user for _, user in stranger.asked} == {""}


def test_a_url_without_encryption_gets_no_password() -> None:
    access = Access("h.example", USER, PASSWORD)
    assert access.at("https://h.example/lib.git") is access
    assert access.at("http://h.example/lib.git").password == ""


@contextlib.contextmanager
def answering(server: GitServer) -> Iterator[None]:
    """Serves without encryption."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
