"""DVC remotes over SSH: a real server on loopback, whose host key must be known before anything is sent to it."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from tests.conftest import need
from tests.systems.dvc.remotes import CONTENT, FILES, MD5, SECRET, Make, configured, fetch, key_of, listing
from tests.systems.dvc.remotes import no_settings_of_the_user as no_settings_of_the_user
from tests.systems.ssh.server import SshServer, ssh_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    need("dvc", importlib.util.find_spec("sshfs") is not None, "sshfs is not installed")
    with ssh_server(tmp_path_factory.mktemp("ssh")) as running:
        yield running


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a remote that has an object, and a folder of 120 files."""
    folder = tmp_path_factory.mktemp("remote")
    for content in (CONTENT, listing(), *FILES.values()):
        place = folder / key_of(content)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder / "store"


@pytest.fixture
def known(server: SshServer, no_settings_of_the_user: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has seen the server's host key before, and has no agent."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / "user/.ssh").mkdir(0o700)
    (tmp_path / "user/.ssh/known_hosts").write_text(server.known_host)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("path", ["model.json", "many"])
def test_a_key_a_port_and_a_user_are_honoured(
    git_repository: Make, context: Context, server: SshServer, pushed: Path, path: str
) -> None:
    """The keyfile of config.local is relative to its folder, as DVC writes it."""
    made = git_repository("project")
    pointer = f"outs:\n- md5: {hashlib.md5(listing()).hexdigest()}.dir\n  hash: md5\n  path: many\n"
    options = {"url": f"ssh://127.0.0.1{pushed}", "port": str(server.port), "allow_agent": "false", "timeout": "30"}
    commit = configured(made, options, {"user": "root", "keyfile": "../key"}, **{"many.dvc": pointer})
    shutil.copy(server.key, made.folder / "key")
    data, warnings = fetch(made, commit, context, path)
    expected = FILES if path == "many" else {"": CONTENT}
    assert {name: Path(file.file).read_bytes() for name, file in data.files.items()} == expected
    assert "not honoured" not in warnings


@pytest.mark.usefixtures("known")
def test_a_host_of_the_users_ssh_configuration_is_found(
    git_repository: Make, context: Context, server: SshServer, pushed: Path, tmp_path: Path
) -> None:
    host = f"Host Store\n  HostName 127.0.0.1\n  Port {server.port}\n  User root\n  IdentityFile {server.key}\n"
    (tmp_path / "user/.ssh/config").write_text(host)
    made = git_repository("project")
    assert fetch(made, configured(made, {"url": f"ssh://Store{pushed}"}), context)[0].files[""].md5 == MD5


@pytest.mark.usefixtures("known")
def test_a_server_whose_key_is_not_known_is_sent_nothing(
    git_repository: Make, context: Context, server: SshServer, pushed: Path, tmp_path: Path
) -> None:
    (tmp_path / "user/.ssh/known_hosts").write_text("")
    made = git_repository("project")
    commit = configured(made, {"url": f"{server.url}{pushed}"}, {"password": SECRET})
    with pytest.raises(Inconclusive, match="ost key is not trusted") as error:
        fetch(made, commit, context)
    assert "known_hosts" in error.value.do
    assert SECRET not in str(error.value)


@pytest.mark.usefixtures("known")
def test_who_is_refused_is_told_so_and_what_was_left_out(
    git_repository: Make, context: Context, server: SshServer, pushed: Path
) -> None:
    made = git_repository("project")
    commit = configured(made, {"url": f"{server.url}{pushed}", "ask_password": "true"})
    with pytest.raises(Inconclusive, match=r"cannot be read \(options that are not honoured: ask_password\)") as error:
        fetch(made, commit, context)
    assert "credentials" in error.value.do


@pytest.mark.usefixtures("known")
def test_an_object_that_is_not_there_is_absent(
    git_repository: Make, context: Context, server: SshServer, pushed: Path
) -> None:
    made = git_repository("project")
    commit = configured(made, {"url": f"{server.url}{pushed}/elsewhere"}, {"keyfile": str(server.key)})
    with pytest.raises(Inconclusive, match="no DVC store has the object"):
        fetch(made, commit, context)
