"""Files and folders that others made: opened in one way, walked by loops and removed, whatever their shape."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repro_tui.formats.columns import MOST_COLUMNS, TableError
from repro_tui.formats.tables import normalise
from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.data_store import keep_path
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from repro_tui.support.file_lock import is_locked
from repro_tui.support.hashes import digest_file
from repro_tui.support.paths import read_text
from repro_tui.support.regular import check_regular, copy_regular, is_regular, open_regular, read_regular
from repro_tui.support.walks import DEEPEST, folders_below, walk
from tests.shapes.makers import NO_FILE, ODD_NAMES, SPECIAL, in_seconds, nested_folders, pipe, sparse

ROOT = Path(__file__).parents[2]
Maker = Callable[[Path], None]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    remove_tree(tmp_path)


# -- the opener -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", NO_FILE.values(), ids=NO_FILE)
def test_only_a_regular_file_is_opened(make: Maker, here: Path) -> None:
    make(here / "odd")
    readers = (open_regular, read_regular, digest_file, lambda path: copy_regular(path, here / "copy"), check_regular)
    with in_seconds():
        for reader in readers:
            with pytest.raises(OSError, match=r"."):
                reader(here / "odd")  # type: ignore[operator]
        assert not is_regular(here / "odd")
        assert is_locked(here / "odd") is None
        assert read_text(here / "odd") == ""


def test_a_file_that_is_replaced_after_the_look_at_it(here: Path) -> None:
    (here / "file").write_text("x")
    status = (here / "file").stat()
    (here / "file").unlink()
    pipe(here / "file")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("repro_tui.support.regular.os.stat", lambda *_, **__: status)
        with in_seconds(), pytest.raises(OSError, match="it is a pipe"):
            open_regular(here / "file")


def test_a_link_counts_as_its_target_unless_it_must_not(here: Path) -> None:
    (here / "file").write_text("x")
    (here / "link").symlink_to("file")
    assert read_regular(here / "link") == b"x"
    with pytest.raises(OSError, match="it is a symbolic link"):
        read_regular(here / "link", links=False)


def test_a_large_file_is_refused_by_its_size(here: Path) -> None:
    sparse(here / "file")
    with in_seconds():
        with pytest.raises(OSError, match="it has 8 GiB, and at most 10 bytes are read"):
            read_regular(here / "file", most=10)
        with pytest.raises(OSError, match="of which only 0 bytes are on disk"):
            digest_file(here / "file")


def test_a_name_that_no_path_can_have(here: Path) -> None:
    assert not is_regular(here / ("x" * 5000))
    assert not is_regular(here / "a\0b")


# Opened without the opener: files of the program itself, of the kernel, and of the cache, which only we write.
OWN = {
    "audit/folder.py": "the lock that the engine holds",
    "audit/journal.py": "its own journal",
    "audit/engine.py": "engine.log",
    "audit/launch.py": "engine.log, and /proc",
    "cli/docs.py": "the project's own docs",
    "cli/headless.py": "/dev/null",
    "cli/main.py": "/dev/null",
    "compare/files/archives.py": "its own copies of members",
    "compare/files/child.py": "the job of its parent",
    "compare/files/compressed.py": "its own copies",
    "compare/text_diff.py": "a diff that it has just written",
    "examples/demo.py": "files of the package",
    "execute/protocols/answers.py": "the job of its parent",
    "execute/reap.py": "leases in the cache",
    "execute/runlog.py": "its own log",
    "execute/steps/output.py": "folders, by handles",
    "execute/steps/working_copy.py": "copies from the cache",
    "explain/execution.py": "runs in the cache",
    "formats/forked.py": "/dev/null and /proc",
    "formats/normalise.py": "notes in the cache",
    "formats/reorder.py": "its own output",
    "formats/wire/schemas/__init__.py": "files of the package",
    "report/html.py": "files of the package",
    "rebuild/environments/builds/sdist.py": "what it has just fetched",
    "rebuild/environments/conda/child.py": "the job of its parent",
    "rebuild/environments/contents/image_files.py": "its own copies",
    "rebuild/environments/contents/inventory.py": "/proc",
    "rebuild/environments/dockerfiles/job.py": "/proc",
    "rebuild/environments/dockerfiles/with_buildkit.py": "an id that the engine wrote",
    "rebuild/environments/seeds.py": "wheels that Python bundles",
    "rebuild/environments/sif.py": "what its own child wrote",
    "sources/mlflow/source.py": "its bundle in the cache, and files of the package",
    "support/ascii_output.py": "/proc",
    "support/cache.py": "the cache",
    "support/control_groups/group.py": "control groups of the kernel",
    "support/control_groups/places.py": "/proc, and control groups of the kernel",
    "support/enter_child.py": "/proc, before a run; it imports nothing of ours",
    "support/file_lock.py": "a lock that it creates",
    "support/manifest.py": "files whose status it has read, and manifests of the cache",
    "support/owner.py": "owners in the cache, and /proc",
    "support/hash_index.py": "folders, by handles",
    "support/plain.py": "folders, to sync them",
    "support/regular.py": "the opener",
    "support/removal.py": "folders, by handles",
    "support/uv_leftovers.py": "/proc",
    "clients/git/access.py": "its own helper in the cache",
    "clients/git/checkout.py": "files that it creates",
    "clients/git/process.py": "its own configuration in the cache",
    "clients/git/tree.py": "files that it creates",
    "clients/http_child.py": "a child without the package",
}
INSIDE_A_RUN = ("execute/steps/", "examples/credit/", "sources/mlflow/predict_pyfunc.py")  # they read a run's own files
OPENERS = frozenset({"open", "read_bytes", "read_text"})
OTHER_OPENS = frozenset({"tarfile", "Repository", "archive", "type", "self", "reader"})  # open no file by its name


def opens(path: Path) -> Iterator[tuple[int, str]]:
    """The calls in a file that open a file by its name for reading."""
    text = path.read_text("utf-8")
    for node in ast.walk(ast.parse(text)) if any(f"{name}(" in text for name in OPENERS) else ():
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Name) and function.id == "open":
            yield node.lineno, "open"
        elif isinstance(function, ast.Attribute) and function.attr in OPENERS:
            receiver = ast.unparse(function.value)
            if receiver.partition(".")[0].partition("(")[0] not in OTHER_OPENS:
                yield node.lineno, f"{receiver}.{function.attr}"


def test_what_others_made_is_opened_in_one_way() -> None:
    package = ROOT / "repro_tui"
    places = []
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if name not in OWN and not name.startswith(INSIDE_A_RUN):
            places += [f"{name}:{line}: {call}" for line, call in opens(path)]
    assert not places, "open it with support/regular.py"


def test_every_file_with_its_own_opens_has_some() -> None:
    assert [name for name in OWN if not list(opens(ROOT / "repro_tui" / name))] == []


RECURSIVE = ("os.walk", ".rglob(", "shutil.rmtree", "shutil.copytree")
RECURSIVE_PLACES = {
    "examples/demo.py": "folders of the package",
    "execute/variations.py": "a tree of the cache, whose depth is bounded",
    "support/removal.py": "after it has looked at the depth",
    "support/walks.py": "the docstring",
}


def test_no_walk_calls_itself_for_every_level() -> None:
    package = ROOT / "repro_tui"
    names = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(call in path.read_text("utf-8") for call in RECURSIVE)
    }
    assert names == set(RECURSIVE_PLACES)


# -- walks and removal -----------------------------------------------------------------------------------------------


def test_a_folder_of_any_depth_is_refused_and_removed(here: Path) -> None:
    nested_folders(here / "deep")
    for attempt in (
        lambda: list(walk(here)),
        lambda: list(folders_below(here)),
    ):
        with pytest.raises(Inconclusive, match="nested deeper than 200 levels"):
            attempt()
    remove_tree(here / "deep")
    assert not (here / "deep").exists()


def test_the_deepest_folder_that_is_walked(here: Path) -> None:
    nested_folders(here / "d", DEEPEST - 1)
    assert len(list(walk(here))) == 1
    nested_folders(here / "e", DEEPEST)
    with pytest.raises(Inconclusive):
        list(walk(here))


def test_paths_that_are_too_long_are_refused_and_removed(here: Path) -> None:
    path = here / "long"
    path.mkdir()
    handle = os.open(path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=handle)
        below = os.open("x" * 250, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    with pytest.raises(Inconclusive, match="too long"):
        list(walk(path))
    remove_tree(path)
    assert not path.exists()


@pytest.mark.parametrize("deep", [False, True])
def test_removal_follows_no_link_and_opens_closed_folders(here: Path, deep: bool) -> None:
    (here / "kept").mkdir()
    (here / "kept" / "file").write_text("x")
    for number, make in enumerate(SPECIAL.values()):
        (here / "gone").mkdir(exist_ok=True)
        make(here / "gone" / str(number))
    for name in ODD_NAMES:
        (here / "gone" / name).write_text("x")
    if deep:
        nested_folders(here / "gone" / "deep", DEEPEST + 50)
    (here / "gone" / "out").symlink_to(here / "kept")
    (here / "gone" / "closed" / "in").mkdir(parents=True)
    (here / "gone" / "closed" / "in" / "file").write_text("x")
    (here / "gone" / "closed" / "in").chmod(0)
    (here / "gone" / "closed").chmod(0)
    remove_tree(here / "gone")
    assert not (here / "gone").exists()
    assert (here / "kept" / "file").read_text() == "x"


@pytest.mark.parametrize("make", SPECIAL.values(), ids=SPECIAL)
def test_a_path_that_is_no_folder_is_removed(make: Maker, here: Path) -> None:
    make(here / "odd")
    remove_tree(here / "odd")
    assert not os.path.lexists(here / "odd")


def too_deep(path: Path) -> None:
    nested_folders(path, DEEPEST + 1)


# -- data -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", NO_FILE.values(), ids=NO_FILE)
def test_data_that_is_no_data(make: Maker, here: Path, context: Context) -> None:
    (here / "data").mkdir()
    make(here / "data" / "odd")
    for path in (here / "data", here / "data" / "odd"):
        with in_seconds(), pytest.raises(Inconclusive) as error:
            keep_path(path, False, context)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("make", [sparse, too_deep], ids=["holes", "depth"])
def test_data_of_an_odd_size(make: Maker, here: Path, context: Context) -> None:
    (here / "data").mkdir()
    make(here / "data" / "odd")
    with in_seconds(), pytest.raises(Inconclusive, match=r"on disk|nested deeper"):
        keep_path(here / "data", False, context)


def test_data_with_names_that_nobody_gives(here: Path, context: Context) -> None:
    (here / "data").mkdir()
    for name in ODD_NAMES:
        (here / "data" / name).write_text(name, errors="surrogateescape")
    assert keep_path(here / "data", False, context).files.keys() == set(ODD_NAMES)


def test_a_hard_link_is_a_file_of_its_own(here: Path, context: Context) -> None:
    (here / "data").mkdir()
    (here / "data" / "a").write_text("x")
    (here / "data" / "b").hardlink_to(here / "data" / "a")
    assert len(keep_path(here / "data", False, context).files) == 2


# -- tables -----------------------------------------------------------------------------------------------------------


WIDE = {
    "CSV": ",".join(f"c{n}" for n in range(MOST_COLUMNS + 1)) + "\n",
    "JSON Lines": "{" + ", ".join(f'"c{n}": 1' for n in range(MOST_COLUMNS + 1)) + "}\n",
}


@pytest.mark.parametrize("text", WIDE.values(), ids=WIDE)
def test_a_table_of_too_many_columns(text: str, here: Path) -> None:
    (here / "raw").write_text(text)
    with pytest.raises(TableError, match="10,001 columns, and at most 10,000 are compared"):
        normalise(here / "raw", here / "out")


@pytest.mark.parametrize("depth", [100, 990, 100_000])
def test_a_nested_value_is_refused_in_one_line(depth: int, here: Path) -> None:
    (here / "raw").write_text('{"a": ' + "[" * depth + '"x"' + "]" * depth + "}\n")
    with pytest.raises(TableError, match="line 1 is nested deeper than 64"):
        normalise(here / "raw", here / "out")
