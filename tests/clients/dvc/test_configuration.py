"""DVC's configuration as DVC writes it, and as people do."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro_tui.clients.dvc.configuration import DvcPlace, read_configuration, remotes_of
from repro_tui.clients.dvc.objects import DvcObjects
from repro_tui.clients.dvc.options import IRRELEVANT, client_arguments
from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DvcPlace:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for folder in ("tree", "local"):
        (tmp_path / folder / ".dvc").mkdir(parents=True)
    return DvcPlace(tmp_path / "tree", tmp_path / "local")


@pytest.mark.parametrize("header", ["['remote \"store\"']", '[remote "store"]', "['remote \"store\"']  # ours"])
def test_sections_are_read_however_they_are_quoted(place: DvcPlace, header: str) -> None:
    assert place.tree is not None
    text = f"[core]\n    remote = store\n{header}\n    url = s3://b/p  # the data\n\tregion = 'eu west'\n"
    (place.tree / ".dvc/config").write_text(text)
    assert read_configuration(place).remotes() == ["store"]
    (remote,) = remotes_of(place)
    assert (remote.url, remote.options) == ("s3://b/p", {"region": "eu west"})


def test_the_default_remote_is_the_first(place: DvcPlace) -> None:
    assert place.tree is not None
    assert place.local is not None
    text = "['remote \"a\"']\nurl = /a\n['remote \"b\"']\nurl = /b\n"
    (place.tree / ".dvc/config").write_text(text)
    (place.local / ".dvc/config.local").write_text("[core]\nremote = b\n['remote \"a\"']\nurl = /other\n")
    assert [(remote.name, remote.url) for remote in remotes_of(place)] == [("b", "/b"), ("a", "/other")]


def test_a_remote_that_begins_at_itself_ends(place: DvcPlace) -> None:
    assert place.tree is not None
    (place.tree / ".dvc/config").write_text("['remote \"a\"']\nurl = remote://a/x\n")
    assert len(remotes_of(place)) == 1


def test_every_option_of_dvc_is_honoured_irrelevant_or_named() -> None:
    """DVC's own schema says which options there are."""
    schema = pytest.importorskip("dvc.config_schema")
    for protocol in ("s3", "gs", "azure", "http", "https", "ssh"):
        names = [str(getattr(name, "schema", name)) for name in schema.REMOTE_SCHEMAS[protocol]]
        for name in names:
            if name == "url":
                continue
            values = {"auth": "digest", "ssl_verify": "false", "allow_agent": "false"}
            value = values.get(name, "5" if "timeout" in name or name == "port" else "true")
            arguments, left_out = client_arguments(protocol, {name: value})
            arguments.pop("anon", None) if name != "allow_anonymous_login" else None
            plain = {"client_kwargs": {"trust_env": True}} if protocol.startswith("http") else {}
            helps_another = name in ("user", "password", "custom_auth_header") and protocol.startswith("http")
            assert name in IRRELEVANT or left_out or arguments != plain or helps_another, (protocol, name)


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises(Inconclusive, match="use_ssl"):
        client_arguments("s3", {"use_ssl": "perhaps"})


@pytest.mark.parametrize(
    ("own", "committed"),
    [
        ("url = https://h.example/x", "url = http://h.example/x"),
        ("url = s3://b/x", "url = s3://b/x\nendpointurl = https://elsewhere.example"),
        ("url = azure://b/x\naccount_name = ours", "url = azure://b/x\naccount_name = theirs"),
        ("url = https://h.example/x", "url = https://h.example/x\nssl_verify = false"),
        ("url = ssh://h.example/x", "url = ssh://h.example/x\nport = 2222"),
    ],
)
def test_a_commit_cannot_send_a_secret_elsewhere_or_in_the_clear(place: DvcPlace, own: str, committed: str) -> None:
    assert place.tree is not None
    assert place.local is not None
    (place.local / ".dvc/config").write_text(f"['remote \"store\"']\n{own}\n")
    (place.local / ".dvc/config.local").write_text("['remote \"store\"']\npassword = canary\nsas_token = canary\n")
    (place.tree / ".dvc/config").write_text(f"['remote \"store\"']\n{committed}\n")
    (remote,) = remotes_of(place)
    assert remote.withheld == ("password", "sas_token")
    assert "canary" not in remote.options.values()
    (place.tree / ".dvc/config").write_text(f"['remote \"store\"']\n{own}\n")
    (remote,) = remotes_of(place)
    assert remote.options["password"] == "canary"


@pytest.mark.parametrize(
    ("endpoint", "personal", "anonymous"),
    [
        ("", "", False),
        ("https://storage-ours.p.googleapis.com", "", False),
        ("http://storage.googleapis.com", "", True),
        ("https://googleapis.com.example", "", True),
        ("https://cloud.example", "", True),
        ("https://cloud.example", "https://cloud.example", False),
        ("https://cloud.example", "https://other.example", True),
    ],
)
def test_a_login_at_google_goes_to_google_or_where_the_user_says(
    place: DvcPlace, context: Context, endpoint: str, personal: str, anonymous: bool
) -> None:
    """The last row: config.local is above the commit's file, and yet must not lend its trust to another endpoint."""
    assert place.tree is not None
    assert place.local is not None
    named = f"endpointurl = {endpoint}\n" if endpoint else ""
    (place.tree / ".dvc/config").write_text(f"['remote \"a\"']\nurl = gs://b/x\n{named}credentialpath = key.json\n")
    section = f"['remote \"{'a' if personal == endpoint else 'b'}\"']\nendpointurl = {personal}\n"
    (place.local / ".dvc/config.local").write_text(section if personal else "")
    (remote,) = remotes_of(place)
    arguments, _ = client_arguments("gs", remote.options)
    assert (arguments["token"] == "anon") is anonymous
    assert anonymous or arguments["token"] == str(place.local / ".dvc/key.json")
    assert bool(remote.withheld) is anonymous
    warnings: list[str] = []
    DvcObjects(place, context, warnings.append).stores()
    assert any("set it in .dvc/config.local if that server may have them)" in text for text in warnings) is anonymous
