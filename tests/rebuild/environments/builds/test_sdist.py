"""Packages without a wheel: built in the sandbox from a source that is fetched as data."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import os
import re
import runpy
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.request import IsolationChoice, Settings
from repro_tui.rebuild.environments.builds import box
from repro_tui.rebuild.environments.builds.box import check_may_build
from repro_tui.rebuild.environments.builds.sdist import declarations
from repro_tui.support.context import Context
from repro_tui.support.isolation import choose
from tests.audit.project import sandbox_works
from tests.builds import project, sdist
from tests.conftest import need
from tests.rebuild.environments.rebuilding import Rebuilding, site, versions
from tests.wheels import wheel

PROBED = project("scorer", code={"probe.py": "/absent"})


@pytest.fixture(autouse=True)
def sandboxed() -> None:
    need("bubblewrap", sandbox_works(), "no sandbox works here")


def test_a_package_without_a_wheel_is_built_where_it_sees_nothing(rebuilding: Rebuilding, links: Path) -> None:
    sdist(links, "scorer", project("scorer", code={"probe.py": str(links)}))
    built, part = rebuilding({"r.txt": "scorer==1.0\n"}, requirements="r.txt")
    assert versions(built) == {"scorer": "1.0"}
    assert part.matches == "matches"
    assert built.inventory.python_packages["scorer"].source == "index"
    interfaces, sees_the_machine, variables = runpy.run_path(str(site(built) / "scorer" / "probe.py"))["SEEN"]
    assert interfaces == ["lo"]
    assert not sees_the_machine
    assert "UV_FIND_LINKS" not in variables
    assert rebuilding({"other": "x", "r.txt": "scorer==1.0\n"}, requirements="r.txt")[1].cached


def test_what_another_package_needs_is_built_as_well(rebuilding: Rebuilding, links: Path) -> None:
    wheel(links, "app", 1, requires=("scorer>=0.5",))
    sdist(links, "scorer", PROBED)
    built, part = rebuilding({"r.txt": "app==1\n"}, requirements="r.txt")
    assert versions(built) == {"app": "1", "scorer": "1.0"}
    assert any(
        "not recorded, resolved as of 2026-01-05, the commit's date: scorer==1.0" in text for text in part.warnings
    )


def test_no_older_release_is_taken_for_want_of_a_wheel(rebuilding: Rebuilding, links: Path) -> None:
    """From wheels alone, uv goes back to a release that does not need what has none: hydra-core 0.11 for 1.3."""
    wheel(links, "app", 1)
    wheel(links, "app", 2, requires=("scorer",))
    sdist(links, "scorer", PROBED)
    built, _ = rebuilding({"r.txt": "app\n"}, requirements="r.txt")
    assert versions(built) == {"app": "2", "scorer": "1.0"}


def test_where_it_cannot_be_built_an_older_release_is_told(rebuilding: Rebuilding, links: Path) -> None:
    wheel(links, "app", 1)
    wheel(links, "app", 2, requires=("scorer",))
    sdist(links, "scorer", PROBED)
    for _ in range(2):  # the second one is from the cache
        built, part = rebuilding({"r.txt": "app\n"}, Settings(no_build=True), requirements="r.txt")
        assert versions(built) == {"app": "1"}
        assert any(
            "an older release than app==2 is used: scorer==1.0 has to be built, which --no-build forbids" in warning
            for warning in part.warnings
        )


def test_the_sources_of_a_lock_have_its_hashes(rebuilding: Rebuilding, links: Path) -> None:
    path = sdist(links, "scorer", PROBED)
    recorded = hashlib.sha256(path.read_bytes()).hexdigest()
    lock = 'lock-version = "1.0"\ncreated-by = "tests"\n[[packages]]\nname = "scorer"\nversion = "1.0"\n'
    lock += f'sdist = {{url = "https://h.example/scorer-1.0.tar.gz", hashes = {{sha256 = "{recorded}"}}}}\n'
    built, part = rebuilding({"pylock.toml": lock}, lock="pylock.toml")
    assert (versions(built), part.matches) == ({"scorer": "1.0"}, "matches")
    wrong = lock.replace(recorded, "0" * 64)
    with pytest.raises(Inconclusive, match=r"scorer 1.0 on the index has another hash|[Hh]ash mismatch"):
        rebuilding({"pylock.toml": wrong}, lock="pylock.toml")


@pytest.mark.parametrize(
    ("settings", "reason", "do"),
    [
        (Settings(no_build=True), "scorer==1.0 has to be built, which --no-build forbids", "--no-build"),
        (Settings(isolation="none"), "scorer==1.0 has to be built, which only happens in a sandbox", "--isolation"),
        (Settings(isolation="container"), "and --isolation container was given", "choose another --isolation"),
    ],
)
def test_it_is_not_built_where_that_is_forbidden(
    rebuilding: Rebuilding, links: Path, settings: Settings, reason: str, do: str
) -> None:
    sdist(links, "scorer", PROBED)
    with pytest.raises(Inconclusive, match=re.escape(reason)) as error:
        rebuilding({"r.txt": "scorer==1.0\n"}, settings, requirements="r.txt")
    assert do in error.value.do
    assert not list(rebuilding.context.cache.root.glob("folders/source-wheels/*"))


def test_where_no_sandbox_works_the_remedy_is_not_to_build_without_one(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # neither bwrap nor unshare
    monkeypatch.setattr("repro_tui.support.isolation._working", set())
    with pytest.raises(Inconclusive, match="scorer has to be built in a sandbox: no sandbox works") as error:
        check_may_build("scorer", context)
    assert "--isolation none" not in str(error.value)
    assert "install bubblewrap" in error.value.do
    with pytest.raises(Refused, match="or use --isolation none"):  # of a run, it is one
        choose(context.settings)


def test_without_bubblewrap_it_is_built_in_namespaces(rebuilding: Rebuilding, links: Path) -> None:
    sdist(links, "scorer", PROBED)
    built, _ = rebuilding({"r.txt": "scorer==1.0\n"}, Settings(isolation="namespace"), requirements="r.txt")
    interfaces, _, variables = runpy.run_path(str(site(built) / "scorer" / "probe.py"))["SEEN"]
    assert interfaces == ["lo"]
    assert "UV_FIND_LINKS" not in variables


@pytest.mark.parametrize(
    ("code", "reason", "do"),
    [
        ("import nothing_of_this_name", "No module named 'nothing_of_this_name'", "add what has nothing_of_this_name"),
        (
            "raise SystemExit(\"error: command 'gcc' failed: No such file or directory\")",
            "there is no C compiler on this machine",
            "apt-get install build-essential",
        ),
        (
            "raise SystemExit('n.c:1:10: fatal error: nope.h: No such file or directory')",
            "fatal error: nope.h",
            "install the library that has nope.h",
        ),
        ("raise SystemExit('the weights are missing')", "the weights are missing", "record a version that has a wheel"),
    ],
)
def test_what_cannot_be_built_is_named_with_the_last_words(
    rebuilding: Rebuilding, links: Path, code: str, reason: str, do: str
) -> None:
    system = '[build-system]\nrequires = ["tinybuild"]\nbuild-backend = "own"\nbackend-path = ["."]\n'
    sdist(links, "scorer", {"pyproject.toml": system, "own.py": f"def build_wheel(*a, **k):\n    {code}\n"})
    with pytest.raises(Inconclusive, match=r"scorer 1\.0 cannot be built: ") as error:
        rebuilding({"r.txt": "scorer==1.0\n"}, requirements="r.txt")
    assert reason in error.value.what
    assert "build backend" not in error.value.what
    assert do in error.value.do


@pytest.mark.parametrize("isolation", ["bubblewrap", "namespace"])
def test_a_build_that_writes_many_files_is_ended(
    rebuilding: Rebuilding, links: Path, monkeypatch: pytest.MonkeyPatch, isolation: IsolationChoice
) -> None:
    """Each is far below the limit of one file: all together count, in folders of any depth, while it runs."""
    monkeypatch.setattr(box, "MOST_WRITTEN", 8 << 20)
    code = """
    import os, time
    for number in range(10):
        os.makedirs(f"{target}/{number}/deep")
        with open(f"{target}/{number}/deep/file", "wb") as file:
            file.write(os.urandom(1 << 20))
    time.sleep(600)
"""
    system = '[build-system]\nrequires = ["tinybuild"]\nbuild-backend = "own"\nbackend-path = ["."]\n'
    sdist(links, "scorer", {"pyproject.toml": system, "own.py": f"def build_wheel(target, *a, **k):{code}"})
    with pytest.raises(Inconclusive, match=r"wrote more than 8 MiB, all files") as error:
        rebuilding({"r.txt": "scorer==1.0\n"}, Settings(isolation=isolation), requirements="r.txt")
    assert "keep large files out" in error.value.do


@pytest.mark.parametrize(
    ("requires", "reason"),
    [
        ("--index-url https://h/x", "the option --index-url is not allowed"),
        ("x @ https://h/x.whl", "comes from a URL"),
        ("six\\n--index-url https://h/x", "is not a requirement"),
    ],
)
def test_build_requirements_cannot_redirect_uv(rebuilding: Rebuilding, links: Path, requires: str, reason: str) -> None:
    sdist(links, "scorer", {"pyproject.toml": f'[build-system]\nrequires = ["{requires}"]\n'})
    with pytest.raises(Inconclusive, match=reason):
        rebuilding({"r.txt": "scorer==1.0\n"}, requirements="r.txt")


def test_a_source_that_builds_another_package_is_refused(rebuilding: Rebuilding, links: Path) -> None:
    sdist(links, "scorer", project("numpy"))
    with pytest.raises(Inconclusive, match=r"scorer 1\.0 cannot be built"):
        rebuilding({"r.txt": "scorer==1.0\n"}, requirements="r.txt")


def test_a_source_that_unpacks_to_a_bomb_or_is_none_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb-1.0.tar.gz"
    info = tarfile.TarInfo("bomb-1.0/zeros")
    info.size = 9 << 30
    bomb.write_bytes(gzip.compress(info.tobuf()))
    with pytest.raises(Inconclusive, match="it unpacks to far more than a package has"):
        declarations(bomb)
    (tmp_path / "no.zip").write_bytes(os.urandom(100))
    with pytest.raises(Inconclusive, match=r"no\.zip cannot be read"):
        declarations(tmp_path / "no.zip")


@pytest.mark.network
def test_old_packages_are_built_with_the_tools_of_their_time(rebuilding: Rebuilding) -> None:
    """Sources of 2014 and 2021, the first of which was there before this Python."""
    pins = {"antlr4-python3-runtime": "4.9.3", "docopt": "0.6.2"}
    text = "".join(f"{name}=={version}\n" for name, version in pins.items())
    built, part = rebuilding({"r.txt": text}, requirements="r.txt")
    assert versions(built) == pins
    assert part.matches == "matches"


def test_sources_of_an_index_without_hashes_are_told_apart(
    rebuilding: Rebuilding, links: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "simple"
    for name in ("scorer", "ranker"):
        (index / name).mkdir(parents=True)
        sdist(index / name, name, project(name))
    monkeypatch.delenv("UV_OFFLINE")
    with serving(index.parent) as url:
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"{url}/simple/")
        built, _ = rebuilding({"r.txt": "scorer==1.0\nranker==1.0\n"}, requirements="r.txt")
        assert versions(built) == {"scorer": "1.0", "ranker": "1.0"}
        sdist(index / "scorer", "scorer", project("scorer", code={"__init__.py": "VALUE = 8\n"}))
        built, _ = rebuilding({"other": "x", "r.txt": "scorer\nranker==1.0\n"}, requirements="r.txt")
    assert runpy.run_path(str(site(built) / "scorer" / "__init__.py"))["VALUE"] == 8


def test_an_index_without_dates_is_used_as_of_now_and_named(
    rebuilding: Rebuilding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorded time cannot be honoured there: the newest release is used, and the warning says so."""
    index = tmp_path / "simple"
    for name, version in (("app", 1), ("app", 2)):
        (index / name).mkdir(parents=True, exist_ok=True)
        wheel(index / name, name, version)
    with serving(index.parent) as url:
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"{url.replace('//', '//ada:canary@')}/simple/")
        built, part = rebuilding({"r.txt": "app\n"}, requirements="r.txt", as_of="2024-01-01T00:00:00Z")
    assert versions(built) == {"app": "2"}
    (warned,) = [text for text in part.warnings if "does not say when its files were uploaded" in text]
    assert warned.startswith(f"the package index {url}/simple/ ")
    assert "may be newer than 2024-01-01" in warned


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The URL of a server of the files below a folder."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
