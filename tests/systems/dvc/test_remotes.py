"""DVC remotes as people have them: S3 with an endpoint of its own, http with a password, options that are not honoured.

The objects are laid out as `dvc push` does; the stores are real servers on loopback.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib.util
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from tests.conftest import need
from tests.systems.dvc.remotes import (
    CONTENT,
    FILES,
    MD5,
    POINTER,
    SECRET,
    Make,
    configured,
    fetch,
    key_of,
    listing,
    section,
)
from tests.systems.dvc.remotes import no_settings_of_the_user as no_settings_of_the_user


@pytest.fixture(autouse=True)
def private_settings(no_settings_of_the_user: None) -> None:
    """No test reads the user's own settings."""


# -- S3 -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of an S3 server with the bucket `data`, which has an object, a folder of 120 files, and nothing else."""
    present = all(importlib.util.find_spec(name) for name in ("s3fs", "moto", "boto3"))
    need("dvc", present, "s3fs or moto is not installed")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    import boto3

    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    client.create_bucket(Bucket="data")
    for content in (CONTENT, listing(), *FILES.values()):
        client.put_object(Bucket="data", Key=key_of(content), Body=content, ACL="public-read")
    yield url
    server.stop()


def test_an_endpoint_and_keys_are_honoured(git_repository: Make, context: Context, s3: str) -> None:
    made = git_repository("project")
    commit = configured(
        made,
        {"url": "s3://data/store", "endpointurl": s3, "region": "us-east-1", "jobs": "4"},
        {"access_key_id": "AKIACANARY", "secret_access_key": SECRET},
    )
    data, warnings = fetch(made, commit, context)
    assert Path(data.files[""].file).read_bytes() == CONTENT
    assert "not honoured" not in warnings


def test_a_profile_of_the_user_is_honoured(git_repository: Make, context: Context, s3: str, tmp_path: Path) -> None:
    (tmp_path / "user/.aws").mkdir()
    (tmp_path / "user/.aws/credentials").write_text("[team]\naws_access_key_id = A\naws_secret_access_key = B\n")
    made = git_repository("project")
    commit = configured(made, {"url": "s3://data/store", "endpointurl": s3, "profile": "team"})
    assert fetch(made, commit, context)[0].files[""].md5 == MD5


def test_a_remote_inherits_the_options_of_its_base(git_repository: Make, context: Context, s3: str) -> None:
    made = git_repository("project")
    base = f"['remote \"base\"']\n    url = s3://data\n    endpointurl = {s3}\n    allow_anonymous_login = true\n"
    commit = made.commit({"model.json.dvc": POINTER, ".dvc/config": base + section({"url": "remote://base/store"})})
    assert fetch(made, commit, context)[0].files[""].md5 == MD5


def test_a_folder_is_fetched_several_objects_at_once(git_repository: Make, context: Context, s3: str) -> None:
    made = git_repository("project")
    md5 = hashlib.md5(listing()).hexdigest()
    pointer = f"outs:\n- md5: {md5}.dir\n  hash: md5\n  path: many\n"
    options = {"url": "s3://data/store", "endpointurl": s3, "allow_anonymous_login": "true"}
    commit = configured(made, options, None, **{"many.dvc": pointer})
    data, _ = fetch(made, commit, context, "many")
    assert {name: Path(file.file).read_bytes() for name, file in data.files.items()} == FILES


def test_options_that_are_not_honoured_are_named(git_repository: Make, context: Context, s3: str) -> None:
    made = git_repository("project")
    keys = {"access_key_id": "A", "secret_access_key": "B"}
    options = {"url": "s3://data/elsewhere", "endpointurl": s3, **keys}
    commit = configured(made, options | {"version_aware": "true", "configpath": "aws", "worktree": "false"})
    with pytest.raises(Inconclusive, match="no DVC store has the object") as error:
        fetch(made, commit, context)
    assert error.value.do.endswith("not honoured here (version_aware, configpath)")
    options["url"] = "s3://data/store"
    commit = configured(made, options | {"configpath": "aws"})
    assert "s3://data/store that are not honoured: configpath" in fetch(made, commit, context)[1]


def test_a_store_that_cannot_be_asked_is_not_one_without_the_object(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    options = {"url": "s3://data/store", "endpointurl": "http://127.0.0.1:9", "allow_anonymous_login": "true"}
    with pytest.raises(Inconclusive, match="the DVC remote s3://data/store cannot be read") as error:
        fetch(made, configured(made, options), context)
    assert "dvc push" not in error.value.do


# -- http ---------------------------------------------------------------------------------------------------------


class PrivateHandler(SimpleHTTPRequestHandler):
    """Serves to one user, or to who sends a token."""

    allowed = ("Basic " + base64.b64encode(f"ada:{SECRET}".encode()).decode(), SECRET)

    def do_GET(self) -> None:
        super().do_GET() if self._may_read() else self.send_error(401)

    def do_HEAD(self) -> None:
        super().do_HEAD() if self._may_read() else self.send_error(401)

    def _may_read(self) -> bool:
        asked.append(self.headers.get("Authorization") or self.headers.get("X-Token") or "")
        return asked[-1] in self.allowed or self.path.startswith("/public/")

    def log_message(self, *arguments: Any) -> None:
        """Stays quiet."""


asked: list[str] = []


@pytest.fixture
def private(tmp_path: Path) -> Iterator[str]:
    """The URL of a private store."""
    place = tmp_path / "served" / key_of(CONTENT)
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    asked.clear()
    with serving(tmp_path / "served") as url:
        yield f"{url}/store"


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: PrivateHandler(*given, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "local",
    [
        {"auth": "basic", "user": "ada", "password": SECRET},
        {"auth": "custom", "custom_auth_header": "X-Token", "password": SECRET},
    ],
    ids=["basic", "custom"],
)
def test_http_authentication_is_honoured(
    git_repository: Make, context: Context, private: str, local: dict[str, str]
) -> None:
    made = git_repository("project")
    commit = configured(made, {"url": private, "connect_timeout": "5", "read_timeout": "5"}, local)
    assert fetch(made, commit, context)[0].files[""].md5 == MD5
    kept = b"".join(path.read_bytes() for path in context.cache.root.rglob("*") if path.is_file())
    assert SECRET.encode() not in kept


def test_a_password_of_the_global_configuration_is_used(
    git_repository: Make, context: Context, private: str, tmp_path: Path
) -> None:
    (tmp_path / "user/.config/dvc").mkdir(parents=True)
    local = {"url": private, "auth": "basic", "user": "ada", "password": SECRET}
    (tmp_path / "user/.config/dvc/config").write_text(section(local))
    made = git_repository("project")
    assert fetch(made, configured(made, {"url": private}), context)[0].files[""].md5 == MD5


def test_a_password_is_not_sent_to_the_host_that_a_commit_names(
    git_repository: Make, context: Context, private: str, tmp_path: Path
) -> None:
    made = git_repository("project")
    with serving(tmp_path / "served") as stranger:
        commit = configured(made, {"url": f"{stranger}/store"})
        configured(made, {"url": private}, {"auth": "basic", "user": "ada", "password": SECRET})
        with pytest.raises(Inconclusive) as error:
            fetch(made, commit, context)
    assert "cannot be read" in error.value.what
    assert "run dvc pull in a clone that can reach it" in error.value.do
    assert not [header for header in asked if header]
    assert SECRET not in str(error.value)


def test_a_refusal_says_what_to_do(git_repository: Make, context: Context, private: str) -> None:
    made = git_repository("project")
    with pytest.raises(Inconclusive, match="401") as error:
        fetch(made, configured(made, {"url": private}), context)
    assert "credentials" in error.value.do
    with pytest.raises(Inconclusive, match="the option connect_timeout of a DVC remote is malformed"):
        fetch(made, configured(made, {"url": private, "connect_timeout": "soon"}), context)


def test_data_of_a_url_is_fetched_from_there(git_repository: Make, context: Context, private: str) -> None:
    """What `dvc import-url` brought: the URL is asked where no store has the data, and checked by its md5."""
    made = git_repository("project")
    served = made.folder.parent / "served/public/model.json"
    served.parent.mkdir()
    served.write_bytes(CONTENT)
    url = private.replace("/store", "/public/model.json")
    imported = POINTER + f"deps:\n- path: {url}\n  checksum: '\"x\"'\n"
    commit = made.commit({"model.json.dvc": imported, ".dvc/config": ""})
    assert fetch(made, commit, context)[0].files[""].md5 == MD5
    served.write_bytes(b"other")
    imported = imported.replace(MD5, hashlib.md5(b"lost").hexdigest())
    commit = made.commit({"model.json.dvc": imported})
    with pytest.raises(Inconclusive, match="it has other data now: recorded md5"):
        fetch(made, commit, context)
