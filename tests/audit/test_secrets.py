"""Canary secrets are planted in every input, and searched for in everything that is shown or written."""

from __future__ import annotations

import base64
import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.audit.project import PREDICT, Project

CANARIES = [f"c4n4ry/{number:02}+s3cr3t" for number in range(21)]
TELL_ALL = """
import base64, os, urllib.parse
for name, value in os.environ.items():
    print(name, value, base64.b64encode(value.encode()).decode(), urllib.parse.quote(value, safe=""))
print(open(params).read())
"""


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
    canaries = []
    for canary in CANARIES:
        raw = canary.encode()
        forms = [raw, quote(canary, safe="").encode(), quote(canary).encode(), base64.b64encode(raw).rstrip(b"=")]
        canaries += [canary for form in forms if form in content]
    return canaries


def test_no_secret_is_written_or_shown(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path / "project")
    give = iter(CANARIES)
    home = tmp_path / "userhome"
    (home / ".docker").mkdir(parents=True)
    (home / ".docker/config.json").write_text(
        json.dumps({"proxies": {"default": {"httpProxy": f"http://u:{next(give)}@h"}}})
    )
    (home / ".netrc").write_text(f"machine h login u password {next(give)}\n")
    (home / ".git-credentials").write_text(f"https://u:{next(give)}@h\n")
    monkeypatch.setenv("HOME", str(home))
    for name in ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "WANDB_API_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, next(give))
    names = ("API_KEY", "DATABASE_URL", "INNOCENT", "SESSION", "PASSPHRASE")
    variables = {name: next(give) for name in names}
    user, password, signature = (quote(next(give), safe="") for _ in range(3))
    source = f"http://{user}:{password}@{server}/model.json?sig={signature}"
    values = {
        "threshold": 5.0,
        "db": {"password": next(give), "dsn": f"postgres://u:{quote(next(give), safe='')}@h/db", "api_key": next(give)},
        "tokens": [next(give)],
        "endpoint": f"https://h/score?key={quote(next(give), safe='')}",
    }
    commit = project.repository.commit({"predict.py": PREDICT + TELL_ALL})
    side = project.deployment(
        description=f"see https://u:{quote(next(give), safe='')}@wiki/page",
        code={"repository": "code", "commit": commit},
        environment=project.environment | {"variables": variables},
        parameters={"values": values},
        data=[{"path": "model.json", "source": source}],
    )
    assert list(give) == []
    changed = side | {"environment": project.environment | {"variables": variables | {"API_KEY": "another-value"}}}
    project.record(a=side, b=changed)
    reports = ("--junit", "out.xml", "--markdown", "out.md", "--html", "out.html", "--all")
    result = project.audit(*reports)
    assert result.status == 0, result.stderr
    variable = [f for f in result.report["areas"]["environment"]["findings"] if f["path"] == ["variables", "API_KEY"]]
    assert [finding["change"] for finding in variable] == ["changed"]
    shown = project.run("show", str(project.audits()[0]))
    listed = project.run("list")
    everything = outputs(project) | {
        stream: text.encode()
        for r in (result, shown, listed)
        for stream, text in (("out", r.stdout), ("err", r.stderr))
    }
    assert any(name.endswith("run-1.log") for name in everything)
    assert {name: hits(content) for name, content in everything.items() if hits(content)} == {}
