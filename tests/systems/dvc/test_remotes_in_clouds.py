"""DVC remotes in Google Cloud Storage and in Azure: real clients, and emulators of the services on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from tests.conftest import need
from tests.engines import free_port
from tests.processes import wait_until
from tests.systems.dvc.remotes import CONTENT, FILES, MD5, SECRET, Make, configured, fetch, key_of, listing
from tests.systems.dvc.remotes import no_settings_of_the_user as no_settings_of_the_user

FOLDER = f"outs:\n- md5: {hashlib.md5(listing()).hexdigest()}.dir\n  hash: md5\n  path: many\n"
# The account of every emulator of Azure, which Microsoft publishes.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture(autouse=True)
def no_clouds_of_the_user(no_settings_of_the_user: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST", "AZURE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)


# -- Google -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def google() -> Iterator[str]:
    """The URL of an emulator with the bucket `data`, which has an object, a folder of 120 files, and nothing else."""
    present = all(importlib.util.find_spec(name) for name in ("gcsfs", "gcp_storage_emulator"))
    need("gcs", present, "gcsfs or gcp-storage-emulator is not installed")
    port = free_port()
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", str(port)]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([*command, "--in-memory", "--default-bucket", "data"], **quiet)
    try:
        wait_until(lambda: server.poll() is not None or listens(port), "the emulator listens")
        url = f"http://127.0.0.1:{port}"
        with requests.Session() as session:
            session.trust_env = False
            for content in (CONTENT, listing(), *FILES.values()):
                asked = {"uploadType": "media", "name": key_of(content)}
                headers = {"Content-Type": "application/octet-stream"}
                place = f"{url}/upload/storage/v1/b/data/o"
                session.post(place, params=asked, data=content, headers=headers, timeout=60).raise_for_status()
        yield url
    finally:
        server.terminate()
        server.wait()


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.mark.parametrize("path", ["model.json", "many"])
def test_an_endpoint_of_google_is_honoured(
    git_repository: Make, context: Context, google: str, path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    made = git_repository("project")
    options = {"url": "gs://data/store", "endpointurl": google, "allow_anonymous_login": "true", "projectname": "p"}
    data, warnings = fetch(made, configured(made, options, None, **{"many.dvc": FOLDER}), context, path)
    expected = FILES if path == "many" else {"": CONTENT}
    assert {name: Path(file.file).read_bytes() for name, file in data.files.items()} == expected
    assert "not honoured" not in warnings
    assert capfd.readouterr().err == ""


def test_an_object_that_google_does_not_have_is_absent(git_repository: Make, context: Context, google: str) -> None:
    made = git_repository("project")
    options = {"url": "gs://data/elsewhere", "endpointurl": google, "allow_anonymous_login": "true"}
    with pytest.raises(Inconclusive, match="no DVC store has the object"):
        fetch(made, configured(made, options), context)


class Stranger(BaseHTTPRequestHandler):
    """Says of every object that it is not there, and keeps what it was asked with."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Authorization") or "")
        self.send_error(404)

    def do_POST(self) -> None:
        """The user's token comes from here."""
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b'{"access_token": "%s", "expires_in": 3600, "token_type": "Bearer"}' % SECRET.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: Any) -> None:
        """Stays quiet."""


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server that is not Google's; the user is logged in at Google, as a service account."""
    need("gcs", importlib.util.find_spec("gcsfs") is not None, "gcsfs is not installed")
    Stranger.asked.clear()
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        key = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, text=True, check=True).stdout
        login = {"type": "service_account", "client_email": "a@b.example", "private_key": key, "project_id": "p"}
        (tmp_path / "login.json").write_text(json.dumps({**login, "token_uri": f"{url}/token"}))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "login.json"))
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield url
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("mine", [False, True], ids=["of-the-commit", "of-the-user"])
def test_a_commit_cannot_send_the_users_token_to_its_own_endpoint(
    git_repository: Make, context: Context, stranger: str, mine: bool
) -> None:
    """An endpoint that the user's own configuration names gets the token, which shows that there is one."""
    made = git_repository("project")
    options = {"url": "gs://data/store", "endpointurl": stranger}
    with pytest.raises(Inconclusive, match="no DVC store has the object") as error:
        fetch(made, configured(made, options, {"endpointurl": stranger} if mine else None), context)
    assert any(SECRET in header for header in Stranger.asked) is mine
    assert ("Google's credentials (only the commit names the endpointurl" in error.value.do) is not mine
    assert Stranger.asked


# -- Azure --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an account with the container `data`, which has the object."""
    program = shutil.which("azurite-blob")
    present = program is not None and importlib.util.find_spec("adlfs") is not None
    need("azurite", present, "adlfs or azurite (npm) is not installed")
    from azure.storage.blob import BlobServiceClient

    port, folder = free_port(), tmp_path_factory.mktemp("azurite")
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--skipApiVersionCheck", "--disableTelemetry"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([str(program), *options], cwd=folder, stdout=log, stderr=log)
    try:
        wait_until(lambda: "successfully listens" in (folder / "log").read_text(), "azurite listens")
        place = f"http://127.0.0.1:{port}/devstoreaccount1"
        string = f"AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint={place};"
        with BlobServiceClient.from_connection_string(string) as client:
            container = client.create_container("data")
            container.upload_blob(key_of(CONTENT), CONTENT)
        yield string
    finally:
        server.terminate()
        server.wait()


@pytest.mark.parametrize("scheme", ["azure", "az", "abfs"])
def test_a_connection_string_is_honoured(git_repository: Make, context: Context, azure: str, scheme: str) -> None:
    made = git_repository("project")
    commit = configured(made, {"url": f"{scheme}://data/store"}, {"connection_string": azure})
    data, warnings = fetch(made, commit, context)
    assert (data.files[""].md5, "not honoured" in warnings) == (MD5, False)
    kept = b"".join(path.read_bytes() for path in context.cache.root.rglob("*") if path.is_file())
    assert KEY.encode() not in kept


@pytest.mark.parametrize("place", ["variable", "file"])
def test_the_account_of_azures_own_configuration_is_used(
    git_repository: Make, context: Context, azure: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "file":
        (tmp_path / "user/.azure").mkdir()
        (tmp_path / "user/.azure/config").write_text(f"[storage]\nconnection_string = {azure}\n")
    else:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azure)
    made = git_repository("project")
    assert fetch(made, configured(made, {"url": "azure://data/store"}), context)[0].files[""].md5 == MD5


def test_what_azure_does_not_have_or_refuses_is_told(git_repository: Make, context: Context, azure: str) -> None:
    made = git_repository("project")
    options = {"url": "azure://data/elsewhere", "exclude_environment_credential": "true"}
    with pytest.raises(Inconclusive, match="no DVC store has the object") as error:
        fetch(made, configured(made, options, {"connection_string": azure}), context)
    assert "exclude_environment_credential" in error.value.do
    wrong = azure.replace(KEY[:4], "AAAA")
    with pytest.raises(Inconclusive, match="the DVC remote azure://data/elsewhere cannot be read") as error:
        fetch(made, configured(made, options, {"connection_string": wrong}), context)
    assert "credentials" in error.value.do
    assert KEY[4:] not in str(error.value)


# -- what nothing here reads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["gdrive://root/store", "oss://bucket/store"])
def test_a_remote_without_a_client_says_so(git_repository: Make, context: Context, url: str) -> None:
    made = git_repository("project")
    with pytest.raises(Inconclusive, match="cannot be read") as error:
        fetch(made, configured(made, {"url": url}), context)
    assert "run dvc pull in a clone that can reach it" in error.value.do
    assert "check the URL" not in error.value.do
