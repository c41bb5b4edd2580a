"""The cache: entries are complete or absent, verified, shared by processes, and survive kill -9."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repro_tui.model.errors import Cancelled, Inconclusive, Refused
from repro_tui.support.cache import Cache, remove_tree
from repro_tui.support.cancel import CancelToken
from repro_tui.support.hashes import Digests

# Forks two writers for each line that it reads; they report each step that they have made.
WRITERS = """
import io, itertools, os, signal, sys
from pathlib import Path
from repro_tui.support.cache import Cache
from repro_tui.support.cancel import CancelToken
def build(folder):
    for name in range(5):
        (folder / str(name)).write_bytes(str(name).encode() * 20_000)
def write(start):
    cache, token = Cache(Path(sys.argv[1])), CancelToken()
    for number in itertools.count(start):
        os.write(1, b"%d %d\\n" % (os.getpid(), number - start))
        cache.add_object(io.BytesIO(str(number).encode() * 50_000), token)
        cache.folder("kind", f"key{number}", build, token)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    for _ in range(2):
        if os.fork() == 0:
            write(int(line))
"""


def build(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub/file").write_text("content")
    (folder / "sub/__pycache__").mkdir()
    (folder / "sub/__pycache__/file.pyc").write_bytes(b"bytecode")
    (folder / "link").symlink_to("sub/file")


def test_a_folder_is_built_once(cache: Cache) -> None:
    first = cache.folder("kind", "key", build, CancelToken())
    assert first == (cache.root / "folders/kind/key", False)
    assert cache.folder("kind", "key", lambda folder: pytest.fail("built twice"), CancelToken()) == (first[0], True)


def test_a_build_that_fails_leaves_nothing(cache: Cache) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise Inconclusive("no wheel")

    with pytest.raises(Inconclusive):
        cache.folder("kind", "key", fail, CancelToken())
    assert list((cache.root / "folders/kind").iterdir()) == []


def test_a_build_that_is_killed_does_not_count(cache: Cache) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom repro_tui.support.cache import Cache\n"
        "from repro_tui.support.cancel import CancelToken\n"
        "def build(folder):\n    (folder / 'half').write_text('x')\n    os.kill(os.getpid(), 9)\n"
        "Cache(Path(sys.argv[1])).folder('kind', 'key', build, CancelToken())\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(cache.root)], check=False)
    assert killed.returncode == -signal.SIGKILL
    folder, cached = cache.folder("kind", "key", build, CancelToken())
    assert not cached
    assert not (folder / "half").exists()


def flip(file: Path) -> None:
    """Changes one bit of a file, whose times stay as they were."""
    content, status = bytearray(file.read_bytes()), file.stat()
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_link(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("/etc/passwd")


def replace_by_pipe(folder: Path) -> None:
    (folder / "sub/file").unlink()
    os.mkfifo(folder / "sub/file")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "the content of sub/file": lambda folder: flip(folder / "sub/file"),
    "the content of sub/__pycache__/file.pyc": lambda folder: flip(folder / "sub/__pycache__/file.pyc"),
    "sub/file is missing": lambda folder: (folder / "sub/file").unlink(),
    "more was added": lambda folder: (folder / "more").write_text(""),
    "extra was added": lambda folder: (folder / "extra").mkdir(),  # Python imports it as a package
    "the content of link": replace_link,
    "the mode of sub/file": lambda folder: (folder / "sub/file").chmod(0o755),
    "the mode of sub has changed": lambda folder: (folder / "sub").chmod(0o777),
    "the mode of sub/file has": replace_by_pipe,
    "belongs to another user": lambda folder: os.chown(folder / "sub/file", 65534, -1),
    "its manifest cannot be read": lambda folder: folder.with_name("key.manifest").write_text("{"),
    "the content of": lambda folder: _change_sum(folder.with_name("key.manifest")),
}


def _change_sum(manifest: Path) -> None:
    known = json.loads(manifest.read_text())
    content = known["entries"]["sub/file"][1]
    known["entries"]["sub/file"][1] = content[:-1] + ("0" if content[-1] != "0" else "1")
    manifest.write_text(json.dumps(known))


@pytest.mark.parametrize("reason", DAMAGE)
@pytest.mark.parametrize("later", [True, False], ids=["in another process", "in this process"])
def test_a_damaged_folder_is_set_aside_and_rebuilt(cache: Cache, reason: str, later: bool) -> None:
    if "another user" in reason and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    folder, _ = cache.folder("kind", "key", build, CancelToken())
    DAMAGE[reason](folder)
    if not later and "manifest" in reason:
        return
    cache = Cache(cache.root) if later else cache
    messages: list[str] = []
    cache.notify = messages.append
    again, cached = cache.folder("kind", "key", build, CancelToken())
    if not later and reason == "the content of":
        assert cached  # this process has read the folder already
        return
    assert not cached
    assert (again / "sub/file").read_text() == "content"
    assert (again / "link").readlink() == Path("sub/file")
    assert [reason in text for text in messages] == [True]
    assert cache.damage == tuple(messages)
    assert len(list((cache.root / "temporary").iterdir())) == 1
    assert Cache(cache.root).folder("kind", "key", build, CancelToken())[1]


def test_a_note_that_changed_is_not_believed(cache: Cache) -> None:
    cache.write_note("kind", "key", {"version": "1.26.4"})
    note = cache.root / "notes/kind/key.json"
    note.write_text(note.read_text().replace("1.26.4", "1.26.5"))
    assert cache.read_note("kind", "key") is None
    assert "the note kind key" in cache.damage[0]
    cache.write_note("kind", "key", 1)
    note.rename(note.with_name("other.json"))
    assert cache.read_note("kind", "other") is None


def test_the_cache_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    (tmp_path / "cache").mkdir()
    os.chown(tmp_path / "cache", 65534, -1)
    with pytest.raises(Refused, match="belongs to another user"):
        Cache(tmp_path / "cache")


def test_a_cache_that_others_can_replace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(Refused, match="every user of this machine can replace"):
        Cache(tmp_path / "open/cache")
    (tmp_path / "open").chmod(0o1777)
    Cache(tmp_path / "open/cache")


def test_a_file_that_was_only_touched_still_counts(cache: Cache) -> None:
    folder, _ = cache.folder("kind", "key", build, CancelToken())
    os.utime(folder / "sub/file")
    assert cache.folder("kind", "key", build, CancelToken())[1]


def test_an_object_is_found_by_both_digests(cache: Cache) -> None:
    stored = cache.add_object(io.BytesIO(b"data"), CancelToken())
    assert stored.sha256 == hashlib.sha256(b"data").hexdigest()
    assert cache.find_object(sha256=stored.sha256) is not None
    assert cache.find_object(md5=hashlib.md5(b"data").hexdigest()) == stored
    assert cache.find_object(md5="0" * 32) is None


@pytest.mark.parametrize("by", ["sha256", "md5", "many"])
def test_one_flipped_bit_of_an_object_is_detected_whatever_its_stat_says(cache: Cache, by: str) -> None:
    stored = cache.add_object(io.BytesIO(b"data"), CancelToken())
    stored.file.chmod(0o644)
    stored.file.write_bytes(b"dat`")
    known = Digests(stored.size, stored.sha256, stored.md5)
    later = Cache(cache.root)
    later.hashes.keep([(str(stored.file.resolve()), known)])  # as if its bytes had changed below the file system
    finders = {
        "sha256": lambda: later.find_object(sha256=stored.sha256),
        "md5": lambda: later.find_object(md5=stored.md5),
        "many": lambda: later.find_objects([known]) or None,
    }
    assert finders[by]() is None
    assert not stored.file.exists()
    assert "the object" in later.damage[0]


def test_an_md5_that_leads_to_another_object_is_not_followed(cache: Cache) -> None:
    first, second = (cache.add_object(io.BytesIO(content), CancelToken()) for content in (b"first", b"second"))
    assert first.md5 is not None
    (cache.root / "md5" / first.md5[:2] / first.md5[2:]).write_text(second.sha256)
    assert cache.find_object(md5=first.md5) is None
    assert cache.find_object(sha256=second.sha256) is not None


def test_an_object_appears_whole(cache: Cache) -> None:
    """It is the file that was written under another name: no moment of a kill shows a part of it."""
    written: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            written.extend(path.stat().st_ino for path in (cache.root / "temporary").iterdir())
            return super().read(size)

    stored = cache.add_object(Watched(b"data" * 1000), CancelToken())
    assert set(written) == {stored.file.stat().st_ino}


def test_an_object_over_the_limit_is_refused(cache: Cache) -> None:
    with pytest.raises(Inconclusive, match="limit of 3 bytes"):
        cache.add_object(io.BytesIO(b"data"), CancelToken(), limit=3)
    assert list((cache.root / "temporary").iterdir()) == []


def test_waiting_for_a_lock_can_be_cancelled(cache: Cache) -> None:
    token = CancelToken()
    with cache.lock("name", CancelToken()):
        threading.Timer(0.2, token.cancel).start()
        with pytest.raises(Cancelled), cache.lock("name", token):
            pass


def test_notes_are_kept(cache: Cache) -> None:
    assert cache.read_note("kind", "key") is None
    cache.write_note("kind", "key", {"a": [1, None]})
    assert cache.read_note("kind", "key") == {"a": [1, None]}


def test_old_temporaries_are_swept_and_fresh_ones_kept(cache: Cache) -> None:
    own, fresh = cache.temporary(), cache.root / "temporary" / ("a" * 32)
    old = fresh.with_name("b" * 32)  # as the two of an earlier version, which had no owner
    for path in (own, old, fresh):
        path.mkdir()
        (path / "file").write_text("")
        os.utime(path, None if path == fresh else (0, 0))
    cache.sweep()
    assert not old.exists()
    assert fresh.exists()
    assert own.exists()


def test_a_link_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    remove_tree(tmp_path / "link")
    assert (tmp_path / "kept").is_dir()


def test_kill_9_of_two_writers_corrupts_nothing(tmp_path: Path) -> None:
    """Kills two writers of the same entry at forty different moments."""
    root, generator, written = tmp_path / "cache", random.Random(7), 0
    command = [sys.executable, "-c", WRITERS, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as starter:
        assert starter.stdin is not None
        assert starter.stdout is not None
        killed: set[int] = set()
        for number in range(20):
            starter.stdin.write(f"{1000 * number}\n")
            steps, last = {}, generator.randrange(8)
            try:
                while len(steps) < 2 or max(steps.values()) < last:
                    writer, step = map(int, starter.stdout.readline().split())
                    if writer not in killed:
                        steps[writer] = step
            finally:
                for writer in steps:
                    os.kill(writer, signal.SIGKILL)
            killed |= set(steps)
            written += last
        starter.stdin.close()
        starter.stdout.read()  # ends when the last of them is dead
    objects = [path for path in (root / "objects").rglob("*") if path.is_file()]
    assert len(objects) >= written > 40
    assert [p for p in objects if hashlib.sha256(p.read_bytes()).hexdigest() != p.parent.name + p.name] == []
    cache = Cache(root)
    for manifest in (root / "folders/kind").glob("*.manifest"):
        folder, cached = cache.folder("kind", manifest.stem, lambda folder: None, CancelToken())
        assert cached, manifest
        assert sorted(path.stat().st_size for path in folder.iterdir()) == [20_000] * 5


def test_many_small_files_are_stored_at_once_and_verified(tmp_path: Path) -> None:
    from repro_tui.support.cancel import CancelToken

    cache = Cache(tmp_path / "cache")
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(20):
        (folder / str(number)).write_bytes(b"%d" % (number % 15))
    files = {str(folder / name): digests for name, digests in cache.hashes.below(folder)[0].items()}
    stored = cache.add_small_files(files, CancelToken())
    assert len(stored) == 15
    assert cache.find_objects(files.values()) == stored
    broken = stored[files[str(folder / "3")].sha256].file
    broken.chmod(0o644)
    broken.write_bytes(b"x")
    assert set(stored) - set(cache.find_objects(files.values())) == {files[str(folder / "3")].sha256}
    assert not broken.exists()
    (folder / "4").write_bytes(b"changed")
    with pytest.raises(Inconclusive, match="changed while it was read"):
        cache.add_small_files({str(folder / "4"): files[str(folder / "4")]}, CancelToken())


def test_what_another_removes_meanwhile_is_no_failure(tmp_path: Path) -> None:
    for folder in range(30):
        (tmp_path / "tree" / f"{folder}").mkdir(parents=True)
        for file in range(50):
            (tmp_path / "tree" / f"{folder}" / f"{file}").touch()
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(remove_tree, tmp_path / "tree") for _ in range(4)]:
            done.result()
    assert not (tmp_path / "tree").exists()
