"""Canary secrets are planted in every input, and searched for in everything that is shown or written."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast
from urllib.parse import quote

import pytest

from tests.audit.project import PREDICT, Project, warm_cache

__all__ = ["warm_cache"]

CANARIES = [f"c4n4ry/{number:02}+s3c'r3t\"&<é\\{number}" for number in range(20)]
PEM_LINES = [base64.b64encode(hashlib.sha512(b"%d" % number).digest()[:48]).decode() for number in range(4)]
PEM = "\n".join(("-----BEGIN PRIVATE KEY-----", *PEM_LINES, "-----END PRIVATE KEY-----", ""))
NUMBER = 9172638455
# What a program may do with a value before it prints it. The same text is run by the predict step and by this test.
ENCODINGS = """
import base64, html, json, re, shlex, urllib.parse
from xml.sax.saxutils import escape, quoteattr
def encodings(value):
    raw = value.encode()
    yield from (value, repr(value), ascii(value), repr(raw), json.dumps(value), json.dumps([value], ensure_ascii=False))
    yield from (json.dumps(json.dumps(value)), shlex.quote(value), value[::-1])
    yield from (urllib.parse.quote(value, safe=""), urllib.parse.quote(value), urllib.parse.quote_plus(value))
    yield re.sub("%..", lambda match: match.group().lower(), urllib.parse.quote(value, safe=""))
    for before in (b"", b"u", b"us", b"user:", b"user1:", b"user12:"):
        yield base64.b64encode(before + raw).decode()
        yield base64.urlsafe_b64encode(before + raw + b" and more").decode()
    yield from (raw.hex(), raw.hex().upper(), raw.hex(":"), "".join("\\\\x%02x" % byte for byte in raw))
    yield "".join("\\\\u%04x" % ord(it) for it in value)
    yield "".join("&#%d;" % ord(it) for it in value)
    yield "".join("&#x%x;" % ord(it) for it in value)
    yield from (html.escape(value), escape(value), quoteattr(value), "'" + value.replace("'", "''") + "'")
"""
TELL_ALL = (
    ENCODINGS
    + """
import os, sys
secrets = dict(os.environ)
document = json.load(open(params))
secrets |= {name: value for name, value in document["db"].items()} | {"token": document["tokens"][0]}
for name, value in secrets.items():
    for line in value.splitlines():
        for form in encodings(line):
            print(name, form, flush=True)
    print("x" * (4096 - len(name) - 8) + value)
    print("\\x1b[31m\\x9b" + value + "\\x1b]52;c;aGk=\\x07")
    print(value, file=sys.stderr, flush=True)
print(json.dumps(document), document)
if settings.get("crash_late"):
    raise ValueError("cannot log in with " + "; ".join(secrets.values()))
"""
)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Discards output."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "model.json").write_text('{"weight": 2.0}')
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


def outputs(project: Project) -> dict[str, bytes]:
    """Everything that the audits wrote, and every report next to the record."""
    files = [path for audit in project.audits() for path in audit.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in [*files, *project.folder.glob("out.*")]}


def hits(content: bytes) -> list[str]:
    """The secrets, or at least their characteristic beginnings, that are in a file in any encoding."""
    names: dict[str, object] = {}
    exec(ENCODINGS, names)
    encodings = cast("Callable[[str], Iterator[str]]", names["encodings"])
    canaries = []
    for secret in (*(canary[:14] for canary in CANARIES), *PEM_LINES, str(NUMBER)):
        forms = [form.strip("'\"=[]b").encode() for form in encodings(secret)]
        cores = [base64.b64encode(b"\0" * n + secret.encode())[-(-8 * n // 6) : -4] for n in range(3)]
        canaries += [f"{secret}: {form!r}" for form in (*forms, *cores) if form in content]
    return canaries


def test_no_secret_is_written_or_shown(
    tmp_path: Path, own_folders: Path, warm_cache: None, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path / "project")
    give = iter(CANARIES)
    home = tmp_path / "userhome"
    (home / ".docker").mkdir(parents=True)
    (home / ".docker/config.json").write_text(
        json.dumps({"proxies": {"default": {"httpProxy": f"http://u:{quote(next(give), safe='')}@h"}}})
    )
    (home / ".netrc").write_text("machine h login u password c4n4ry-of-netrc\n")
    (home / ".git-credentials").write_text(f"https://u:{quote(next(give), safe='')}@h\n")
    monkeypatch.setenv("HOME", str(home))
    for name in ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "WANDB_API_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, next(give))
    names = ("API_KEY", "DATABASE_URL", "INNOCENT", "SESSION", "PASSPHRASE")
    variables = {name: next(give) for name in names} | {"SSH_KEY": PEM}
    user, password, signature = (quote(next(give), safe="") for _ in range(3))
    source = f"http://{user}:{password}@{server}/model.json?sig={signature}"
    values = {
        "threshold": 5.0,
        "db": {"password": next(give), "dsn": f"postgres://u:{quote(next(give), safe='')}@h/db"},
        "pin": {"password": NUMBER},
        "tokens": [next(give)],
        "endpoint": f"https://h/score?key={quote(next(give), safe='')}",
    }
    code = f"{PREDICT}\nKEY = {variables['API_KEY']!r}\n{TELL_ALL}"
    committed = json.dumps({"db": {"api_key": next(give)}})
    commits = [
        project.repository.commit({"predict.py": text, "params.json": committed})
        for text in (code, code.replace("KEY = ", "KEYS = "))
    ]
    side = project.deployment(
        description=f"see https://u:{quote(next(give), safe='')}@wiki/page",
        code={"repository": "code", "commit": commits[0]},
        environment=project.environment | {"variables": variables},
        parameters={"file": "params.json", "values": values},
        data=[{"path": "model.json", "source": source}],
    )
    assert list(give) == []
    changed = side | {
        "code": {"repository": "code", "commit": commits[1]},
        "environment": project.environment | {"variables": variables | {"API_KEY": "an0ther-value"}},
    }
    project.record(
        a=side, b=changed, c=changed | {"parameters": {"file": "params.json", "values": values | {"crash_late": True}}}
    )
    reports = ("--junit", "out.xml", "--markdown", "out.md", "--html", "out.html", "--all", "--raw-logs")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    seen: set[str] = set()
    with watching(seen, str(own_folders)):
        result = project.audit(*reports, TMPDIR=str(temporary))
        failed = project.audit(b="c", TMPDIR=str(temporary))
    assert (result.status, failed.status) == (0, 3), result.stderr
    assert any("predict.py" in line for line in seen)
    assert "cannot log in with" in failed.stdout
    findings = result.report["areas"]["environment"]["findings"]
    assert [it["change"] for it in findings if it["path"] == ["variables", "API_KEY"]] == ["changed"]
    audits = project.audits()
    shown = [project.run("show", str(audit)) for audit in audits]
    listed = project.run("list")
    refused = project.run(f"https://u:{quote(CANARIES[0], safe='')}@h/x#a", "record.json#none", "--report")
    everything = outputs(project) | {
        f"{stream} {number}": text.encode()
        for number, r in enumerate((result, failed, *shown, listed, refused))
        for stream, text in (("out", r.stdout), ("err", r.stderr))
    }
    metadata = [*(own_folders / "cache/notes").rglob("*.json"), *(own_folders / "cache").glob("hashes.sqlite*")]
    everything |= {str(path): path.read_bytes() for path in (*metadata, *temporary.rglob("*")) if path.is_file()}
    everything |= {"command lines": "\n".join(seen).encode()}
    logs = {name: content for name, content in everything.items() if name.endswith(("run-1.log", "run-1.raw"))}
    assert len(logs) >= 5
    for name, content in logs.items():
        assert content.count(b"hidden:") > 500, name
        assert b"API_KEY hidden:" in content, name
        assert (b"\x1b[31m" in content) == name.endswith(".raw"), name
    leaks = {name: canaries for name, content in everything.items() if (canaries := hits(content))}
    assert leaks == {}


@contextmanager
def watching(seen: set[str], mark: str) -> Iterator[None]:
    """Collects the command lines, which every user of the machine can read, that have the text `mark` in them."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    line = process.read_bytes().decode("utf-8", "replace")
                    seen.update([line] if mark in line else [])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
