"""The data of a record, fetched from every source and hashed against the record."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from repro_tui.clients.dvc.objects import text_md5
from repro_tui.model.errors import Cancelled, Inconclusive, Refused
from repro_tui.model.record import Code, DataItem, Record
from repro_tui.model.workspace import FetchedData, Part
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.data import digest_of, rebuild_data
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_tree
from tests.conftest import GitRepository

Make = Callable[[str], GitRepository]
MODEL = b'{"weights": [1, 2]}'


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def fetch(record: Record, context: Context) -> tuple[tuple[FetchedData, ...], Part]:
    fetched, part = rebuild_data(record, rebuild_code(record, context)[0], context)
    assert part is not None
    return fetched, part


def of_folder(base: Path, *items: DataItem) -> Record:
    return Record("prod", "prod", base=str(base), data=items)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base/models").mkdir(parents=True)
    (tmp_path / "base/models/credit.json").write_bytes(MODEL)
    return tmp_path / "base"


def test_a_local_file_is_kept_in_the_cache(base: Path, context: Context) -> None:
    items = [
        DataItem("models/credit.json", "file", sha256=sha256(MODEL)),
        DataItem("m.json", "file:models/credit.json", md5=md5(MODEL)),
    ]
    fetched, part = fetch(of_folder(base, *items), context)
    for item in fetched:
        file = item.files[""]
        assert Path(file.file).read_bytes() == MODEL
        assert Path(file.file).is_relative_to(context.cache.root)
        assert (file.sha256, file.size) == (sha256(MODEL), len(MODEL))
    assert fetched[1].files[""].md5 == md5(MODEL)
    assert (part.matches, part.cached) == ("matches", False)
    assert fetch(of_folder(base, *items), context)[1].cached


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_mismatch_reports_both_hashes(base: Path, context: Context, kind: str) -> None:
    digest = sha256 if kind == "sha256" else md5
    item = replace(DataItem("models/credit.json", "file"), **{kind: digest(b"other")})
    with pytest.raises(Inconclusive) as error:
        fetch(of_folder(base, item), context)
    assert digest(b"other") in error.value.what
    assert digest(MODEL) in error.value.what
    assert error.value.do


def test_a_file_that_changed_since_is_seen(base: Path, context: Context) -> None:
    record = of_folder(base, DataItem("models/credit.json", "file", sha256=sha256(MODEL)))
    fetch(record, context)
    (base / "models/credit.json").write_bytes(MODEL[:-1] + b" ")
    with pytest.raises(Inconclusive, match="differs from what was recorded"):
        fetch(record, context)


def test_data_without_a_hash_is_unknown(base: Path, context: Context) -> None:
    _, part = fetch(of_folder(base, DataItem("models/credit.json", "file")), context)
    assert part.matches == "unknown"
    assert "the record has no hash" in part.warnings[0]


def test_a_folder_has_one_digest(base: Path, context: Context) -> None:
    (base / "models/sub").mkdir()
    (base / "models/sub/b").write_bytes(b"b")
    tree = digest_tree([("credit.json", sha256(MODEL)), ("sub/b", sha256(b"b"))])
    fetched, _ = fetch(of_folder(base, DataItem("models", "file", sha256=tree)), context)
    assert list(fetched[0].files) == ["credit.json", "sub/b"]
    assert digest_of(fetched[0].files) == tree
    (base / "models/sub/b").rename(base / "models/sub/c")
    with pytest.raises(Inconclusive, match="differs from what was recorded"):
        fetch(of_folder(base, DataItem("models", "file", sha256=tree)), context)


def test_all_failed_items_are_reported_at_once(base: Path, context: Context) -> None:
    record = of_folder(
        base, DataItem("one", "file"), DataItem("two", "mlflow"), DataItem("x", "wandb"), DataItem("y", "odd")
    )
    with pytest.raises(Inconclusive) as error:
        fetch(record, context)
    for fragment in ("data one: ", "data two: ", "mlflow", "wandb", "'odd'"):
        assert fragment in error.value.what


def test_paths_do_not_leave_the_folder(base: Path, context: Context) -> None:
    (base / "link").symlink_to("/etc/hostname")
    (base / "models/link").symlink_to("/etc")
    for source in ("file:../base/models/credit.json", "file:/etc/hostname", "file:link", "file:models"):
        with pytest.raises(Inconclusive):
            fetch(of_folder(base, DataItem("x", source)), context)
    with pytest.raises(Refused):
        fetch(of_folder(base, DataItem("../x", "file")), context)


def test_git_data_is_the_commits(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    commit = made.commit({"sub/data/model.json": MODEL})
    (made.folder / "sub/data/model.json").write_bytes(b"changed, not committed")
    item = DataItem("data/model.json", "git", sha256=sha256(MODEL))
    record = Record("prod", "prod", code=Code(str(made.folder), commit, "sub"), data=(item,))
    assert Path(fetch(record, context)[0][0].files[""].file).read_bytes() == MODEL
    with pytest.raises(Inconclusive, match="data nothing"):
        fetch(replace(record, data=(DataItem("nothing", "git"),)), context)
    with pytest.raises(Inconclusive, match="has no code"):
        fetch(replace(record, code=None), context)


class Handler(SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, *arguments: Any) -> None:
        type(self).asked.append(self.path)

    def do_GET(self) -> None:
        if self.path.startswith("/slow"):
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"x" * 1000)
            self.wfile.flush()
            self.server.stop.wait(20)  # type: ignore[attr-defined]
        else:
            super().do_GET()


@pytest.fixture
def server(base: Path) -> Iterator[str]:
    Handler.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(base)))
    server.stop = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.stop.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_url_is_fetched_once(server: str, base: Path, context: Context) -> None:
    item = DataItem("m.json", f"{server}/models/credit.json?token=canary", sha256=sha256(MODEL))
    fetched, part = fetch(of_folder(base, item), context)
    assert Path(fetched[0].files[""].file).read_bytes() == MODEL
    assert fetched[0].source == f"{server}/models/credit.json"
    assert not part.cached
    asked = len(Handler.asked)
    assert fetch(of_folder(base, item), context)[1].cached
    assert len(Handler.asked) == asked


def test_a_url_that_is_absent_or_different_is_reported(server: str, base: Path, context: Context) -> None:
    with pytest.raises(Inconclusive, match=r"absent\.json cannot be fetched") as error:
        fetch(of_folder(base, DataItem("m", f"{server.replace('//', '//ada:canary@')}/absent.json")), context)
    assert "canary" not in str(error.value)
    with pytest.raises(Inconclusive, match="differs from what was recorded"):
        fetch(of_folder(base, DataItem("m", f"{server}/models/credit.json", sha256="0" * 64)), context)


def test_a_server_that_is_gone_is_named_once_for_all_its_items(base: Path, context: Context) -> None:
    """A URL, two objects of a DVC remote, and one that no store of this machine has."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # nothing listens there
        gone = f"http://127.0.0.1:{taken.getsockname()[1]}"
        (base / ".dvc").mkdir()
        (base / ".dvc/config").write_text(f"[core]\nremote = r\n['remote \"r\"']\nurl = {gone}/store\n")
        tracked = [DataItem(f"data/{n}.csv", "dvc", md5=str(n) * 32) for n in range(6)]
        urls = [DataItem(name, f"{gone}/{name}") for name in ("x.json", "y.json")]
        with pytest.raises(Inconclusive) as error:
            fetch(of_folder(base, *tracked, *urls, DataItem("z", "file")), context)
    reasons = error.value.what.split("; ")
    assert [reason.partition(":")[0] for reason in reasons] == [
        "data data/0.csv, data/1.csv, data/2.csv and 3 more (6 items)",
        "data x.json and y.json (2 items)",
        "data z",
    ]
    assert reasons[0].count(f"{gone} cannot be reached") == 1
    assert not re.search("csv .*00000|files/md5", reasons[0])
    assert error.value.do.count("check the network") == 2, "with and without what DVC could do"
    assert list(context.unreachable) == [(gone, "")], "the others do not wait for it again"


def test_a_fetch_can_be_stopped(server: str, base: Path, context: Context) -> None:
    threading.Timer(0.5, context.cancel.cancel).start()
    with pytest.raises(Cancelled):
        fetch(of_folder(base, DataItem("m", f"{server}/slow")), context)


def test_other_file_systems(base: Path, context: Context) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/a/one.csv", b"1")
    memory.pipe("/bucket/a/sub/two.csv", b"2")
    fetched, _ = fetch(of_folder(base, DataItem("d", "memory://bucket/a")), context)
    assert {name: file.sha256 for name, file in fetched[0].files.items()} == {
        "one.csv": sha256(b"1"),
        "sub/two.csv": sha256(b"2"),
    }
    fetched, _ = fetch(of_folder(base, DataItem("d", "memory://bucket/a/one.csv")), context)
    assert fetched[0].files[""].size == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("odd://x/y", "odd://x/y"),
        ("simplecache::http://x/y", r"not a URL that data can be read from\. [Rr]ecord a plain URL"),
        ("abfs://x/y", "needs a package"),
    ],
)
def test_a_url_that_cannot_be_read_is_reported(base: Path, context: Context, url: str, message: str) -> None:
    with pytest.raises(Inconclusive, match=message):
        fetch(of_folder(base, DataItem("m", url)), context)


# -- DVC ----------------------------------------------------------------------------------------------------------


class Dvc:
    """A project tracked by DVC, written as DVC 3 writes it."""

    def __init__(self, made: GitRepository, store: Path) -> None:
        self.made, self.store = made, store
        self.files: dict[str, Any] = {".dvc/config": "", "predict.py": "pass\n"}

    def put(self, content: bytes, name: str | None = None, layout: str = "files/md5") -> str:
        digest = name or md5(content)
        file = self.store / layout / digest[:2] / digest[2:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return digest

    def put_folder(self, files: dict[str, bytes]) -> str:
        entries = [{"md5": self.put(content), "relpath": name} for name, content in sorted(files.items())]
        listing = json.dumps(entries).encode()
        return self.put(listing, md5(listing) + ".dir")

    def record(self, *items: DataItem, subdirectory: str = ".") -> Record:
        commit = self.made.commit(self.files)
        return Record("prod", "prod", code=Code(str(self.made.folder), commit, subdirectory), data=items)


@pytest.fixture
def dvc(git_repository: Make) -> Dvc:
    made = git_repository("project")
    (made.folder / ".dvc").mkdir()
    (made.folder / ".git/info").mkdir(exist_ok=True)
    return Dvc(made, made.folder.parent / "store")


def in_cache(dvc: Dvc) -> Dvc:
    dvc.store = dvc.made.folder / ".dvc/cache"
    return dvc


def remote(dvc: Dvc, url: str) -> Dvc:
    dvc.files[".dvc/config"] = (
        f"[core]\n    remote = storage\n    autostage = true\n['remote \"storage\"']\n    url = {url}\n"
    )
    return dvc


def test_dvc_from_the_local_cache(dvc: Dvc, context: Context) -> None:
    digest = in_cache(dvc).put(MODEL)
    dvc.files["models/m.json.dvc"] = f"outs:\n- md5: {digest}\n  size: {len(MODEL)}\n  hash: md5\n  path: m.json\n"
    record = dvc.record(DataItem("models/m.json", "dvc"))
    before = sorted(str(p) for p in dvc.made.folder.rglob("*"))
    fetched, part = fetch(record, context)
    assert Path(fetched[0].files[""].file).read_bytes() == MODEL
    assert (fetched[0].files[""].md5, fetched[0].recorded) == (digest, digest)
    assert sorted(str(p) for p in dvc.made.folder.rglob("*")) == before
    assert not part.cached
    assert fetch(record, context)[1].cached


@pytest.mark.parametrize("url", ["../../store", "{store}", "memory://dvc-remote"])
def test_dvc_from_the_default_remote(dvc: Dvc, context: Context, url: str) -> None:
    digest = remote(dvc, url.format(store=dvc.store)).put(MODEL)
    if url.startswith("memory"):
        import fsspec

        fsspec.filesystem("memory").pipe(f"/dvc-remote/files/md5/{digest[:2]}/{digest[2:]}", MODEL)
        (dvc.store / "files/md5" / digest[:2] / digest[2:]).unlink()
    dvc.files["dvc.lock"] = (
        "schema: '2.0'\nstages:\n  train:\n    cmd: x\n    outs:\n"
        f"    - path: m.json\n      hash: md5\n      md5: {digest}\n"
    )
    fetched, _ = fetch(dvc.record(DataItem("m.json", "dvc")), context)
    assert Path(fetched[0].files[""].file).read_bytes() == MODEL


def test_dvc_from_an_http_remote(dvc: Dvc, context: Context, server: str, base: Path) -> None:
    digest = remote(dvc, f"{server}/store").put(MODEL)
    dvc.store.rename(base / "store")
    fetched, _ = fetch(dvc.record(DataItem("m.json", "dvc", md5=digest)), context)
    assert fetched[0].files[""].sha256 == sha256(MODEL)


def test_a_dvc_folder_is_restored(dvc: Dvc, context: Context) -> None:
    files = {"a.csv": b"1", "sub/b.csv": b"2", "sub/c.csv": b"1"}
    digest = in_cache(dvc).put_folder(files)
    dvc.files["svc/data.dvc"] = f"outs:\n- md5: {digest}\n  nfiles: 3\n  hash: md5\n  path: data\n"
    items = DataItem("data", "dvc"), DataItem("data/sub", "dvc"), DataItem("data/a.csv", "dvc")
    fetched, _ = fetch(dvc.record(*items, subdirectory="svc"), context)
    assert {name: Path(file.file).read_bytes() for name, file in fetched[0].files.items()} == files
    assert list(fetched[1].files) == ["b.csv", "c.csv"]
    assert fetched[2].files[""].sha256 == sha256(b"1")
    assert fetch(dvc.record(*items, subdirectory="svc"), context)[1].cached


def test_a_tampered_dvc_object_is_refused(dvc: Dvc, context: Context) -> None:
    digest = remote(dvc, "../../store").put(MODEL)
    dvc.put(b"evil", digest)
    with pytest.raises(Inconclusive) as error:
        fetch(dvc.record(DataItem("m.json", "dvc", md5=digest)), context)
    assert digest in error.value.what
    assert md5(b"evil") in error.value.what
    folder = dvc.put(b'[{"md5": "' + b"0" * 32 + b'", "relpath": "../x"}]')
    dvc.put((dvc.store / "files/md5" / folder[:2] / folder[2:]).read_bytes(), folder + ".dir")
    with pytest.raises(Inconclusive, match="forbidden path"):
        fetch(dvc.record(DataItem("d", "dvc", md5=folder + ".dir")), context)


def test_an_absent_dvc_object_names_the_stores(dvc: Dvc, context: Context) -> None:
    with pytest.raises(Inconclusive, match=f"no DVC store has the object {md5(b'absent')}"):
        fetch(dvc.record(DataItem("m.json", "dvc", md5=md5(b"absent"))), context)
    with pytest.raises(Inconclusive, match=r"neither n\.json\.dvc nor a dvc\.lock tracks n\.json at that commit"):
        fetch(dvc.record(DataItem("n.json", "dvc")), context)


def test_the_hashes_of_dvc_2_are_reported(dvc: Dvc, context: Context) -> None:
    text = b"id,x\r\n1,2\r\n"
    digest = in_cache(dvc).put(text, md5(text.replace(b"\r\n", b"\n")), layout="")
    dvc.files["t.csv.dvc"] = f"outs:\n- md5: {digest}\n  size: 11\n  path: t.csv\n"
    fetched, part = fetch(dvc.record(DataItem("t.csv", "dvc")), context)
    assert Path(fetched[0].files[""].file).read_bytes() == text
    assert "DVC 2" in part.warnings[0]
    assert fetch(dvc.record(DataItem("t.csv", "dvc")), context)[1].cached


def test_a_bad_dvc_file_is_reported(dvc: Dvc, context: Context) -> None:
    for content in ("outs: [", "outs:\n- md5: nonsense\n  path: m\n", "a: &a [1]\nb: *a\n", "!!python/object:x {}\n"):
        dvc.files["m.dvc"] = content
        with pytest.raises(Inconclusive):
            fetch(dvc.record(DataItem("m", "dvc")), context)


def test_text_md5_joins_line_ends_over_chunks(tmp_path: Path) -> None:
    content = b"x" * ((1 << 20) - 1) + b"\r\n" + b"a\rb\r\n\r"
    (tmp_path / "t").write_bytes(content)
    assert text_md5(tmp_path / "t") == md5(content.replace(b"\r\n", b"\n"))
