"""Projects with a DVC remote, and what `dvc push` would have laid there: an object, and a folder of 120 files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from repro_tui.model.record import Code, DataItem, Record
from repro_tui.model.workspace import FetchedData
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.data import rebuild_data
from repro_tui.support.context import Context
from tests.conftest import GitRepository

Make = Callable[[str], GitRepository]
CONTENT = b'{"weight": 2.0}'
MD5 = hashlib.md5(CONTENT).hexdigest()
POINTER = f"outs:\n- md5: {MD5}\n  size: 15\n  hash: md5\n  path: model.json\n"
FILES = {f"f{n:03}": b"content %d" % n for n in range(120)}
SECRET = "canary-s3cret-key"


@pytest.fixture
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("XDG_CONFIG_HOME", "DVC_GLOBAL_CONFIG_DIR", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def configured(made: GitRepository, options: dict[str, str], local: dict[str, str] | None = None, **files: str) -> str:
    """A commit of a project whose remote `store` has these options, and `config.local` those."""
    written: dict[str, str | bytes] = {"model.json.dvc": POINTER, ".dvc/config": section(options), **files}
    commit = made.commit(written)
    if local:
        (made.folder / ".dvc/config.local").write_text(section(local))
    return commit


def section(options: dict[str, str]) -> str:
    lines = "".join(f"    {name} = {value}\n" for name, value in options.items())
    return f"[core]\n    remote = store\n['remote \"store\"']\n{lines}"


def fetch(made: GitRepository, commit: str, context: Context, path: str = "model.json") -> tuple[FetchedData, str]:
    record = Record("prod", "prod", code=Code(str(made.folder), commit), data=(DataItem(path, "dvc"),))
    data, part = rebuild_data(record, rebuild_code(record, context)[0], context)
    assert part is not None
    return data[0], " ".join(part.warnings)


def listing() -> bytes:
    entries = [{"md5": hashlib.md5(content).hexdigest(), "relpath": name} for name, content in FILES.items()]
    return json.dumps(entries).encode()


def key_of(content: bytes) -> str:
    md5 = hashlib.md5(content).hexdigest() + (".dir" if content.startswith(b"[") else "")
    return f"store/files/md5/{md5[:2]}/{md5[2:]}"
