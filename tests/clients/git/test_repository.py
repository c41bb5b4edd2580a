"""The bare clone: exact bytes, nothing of the user's executed or changed, and clear messages if something is absent."""

from __future__ import annotations

import os
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from repro_tui.clients.git import Repository, check_location, show_location
from repro_tui.clients.git.checkout import write_out
from repro_tui.model.errors import Cancelled, Inconclusive, Refused
from repro_tui.support.context import Context
from tests.conftest import GIT_ENVIRONMENT, GitRepository

Make = Callable[[str], GitRepository]


def written(repository: Repository, commit: str, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    write_out(repository, commit, folder)
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def test_files_are_written_out_as_committed(git_repository: Make, context: Context, tmp_path: Path) -> None:
    made = git_repository("project")
    (made.folder / "run.sh").write_text("#!/bin/sh\n")
    (made.folder / "run.sh").chmod(0o755)
    (made.folder / "link").symlink_to("sub/a.txt")
    commit = made.commit({"sub/a.txt": b"one\r\ntwo\n", "empty": b"", "name with\ttab\n": b"x", "é.txt": b"y"})
    repository = Repository.open(str(made.folder), context)
    files = written(repository, commit, tmp_path / "out")
    assert files["sub/a.txt"] == files["link"] == b"one\r\ntwo\n"
    assert files["name with\ttab\n"] == b"x"
    assert files["é.txt"] == b"y"
    assert (tmp_path / "out/link").is_symlink()
    assert (tmp_path / "out/run.sh").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out/sub/a.txt").stat().st_mode & 0o777 == 0o644
    assert repository.files(commit, "sub").keys() == {"sub/a.txt"}
    assert repository.read(commit, "sub/a.txt") == b"one\r\ntwo\n"


def test_names_are_resolved_afresh(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    first = made.commit({"a": "1"})
    assert Repository.open(str(made.folder), context).resolve("main") == first
    second = made.commit({"a": "2"})
    made.git("tag", "-a", "v1", "-m", "one")
    made.git("branch", "other", first)
    repository = Repository.open(str(made.folder), context)
    assert [repository.resolve(name) for name in ("main", "HEAD", "v1", "HEAD~1", "other", second[:10])] == [
        second, second, second, first, first, second,
    ]  # fmt: skip
    assert repository.resolve("nowhere") is None
    assert repository.resolve("--output=x") is None
    made.git("checkout", "--quiet", "other")
    assert Repository.open(str(made.folder), context).resolve("HEAD") == first


def test_a_later_commit_and_one_without_a_name_are_fetched(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    made.commit({"a": "1"})
    Repository.open(str(made.folder), context)
    lost = made.commit({"a": "2"})
    made.git("reset", "--quiet", "--hard", "HEAD~1")
    assert Repository.open(str(made.folder), context).read(lost, "a") == b"2"


def test_a_missing_commit_names_the_repository(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    made.commit({"a": "1"})
    repository = Repository.open(str(made.folder), context)
    with pytest.raises(Inconclusive, match=r"commit 1{40} is not in the repository .*project"):
        repository.files("1" * 40)
    with pytest.raises(Refused, match="full commit id"):
        repository.files("main")


@pytest.mark.parametrize("bad", ["ext::sh -c touch", "-u", "--upload-pack=x", "", "http://h/x", "git://h/x", "a\nb"])
def test_unsafe_locations_are_refused(bad: str) -> None:
    with pytest.raises(Refused):
        check_location(bad)


def test_locations_lose_their_credentials() -> None:
    assert show_location("https://ada:s3cret@host/x.git?token=y") == "https://host/x.git"
    assert show_location("git@host:x.git") == "host:x.git"


def test_nothing_of_the_user_runs(
    git_repository: Make, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No program of fsmonitor, hooks, filters, packObjectsHook, the environment or the global configuration runs."""
    made = git_repository("project")
    commit = made.commit({"a.txt": "text", ".gitattributes": "*.txt filter=evil\n"})
    marker = tmp_path / "marker"
    touch = tmp_path / "touch.sh"
    touch.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    touch.chmod(0o755)
    settings = {
        "core.fsmonitor": str(touch),
        "filter.evil.smudge": str(touch),
        "filter.evil.process": str(touch),
        "uploadpack.packObjectsHook": str(touch),
        "core.sshCommand": str(touch),
        "core.hooksPath": str(tmp_path / "hooks"),
    }
    (tmp_path / "hooks").mkdir()
    for hook in ("post-checkout", "reference-transaction", "pre-auto-gc", "post-merge"):
        (tmp_path / "hooks" / hook).write_bytes(touch.read_bytes())
        (tmp_path / "hooks" / hook).chmod(0o755)
    for name, value in settings.items():
        made.git("config", name, value)
    everywhere = tmp_path / "gitconfig"
    for name, value in settings.items():
        subprocess.run(["git", "config", "--file", everywhere, name, value], env=GIT_ENVIRONMENT, check=True)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(everywhere))
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (name, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "hooks"))
    before = everything(made.folder)
    repository = Repository.open(str(made.folder), context)
    assert repository.resolve("main") == commit
    assert written(repository, commit, tmp_path / "out")["a.txt"] == b"text"
    assert repository.attributes(commit) == (".gitattributes: *.txt filter=evil",)
    assert not marker.exists()
    assert everything(made.folder) == before


def test_the_marker_of_the_test_above_can_appear(git_repository: Make, tmp_path: Path) -> None:
    made = git_repository("project")
    made.commit({"a.txt": "text"})
    marker = tmp_path / "marker"
    made.git("config", "core.fsmonitor", f"touch {marker};:")
    made.git("status")
    assert marker.exists()


def test_an_embedded_bare_repository_is_only_files(git_repository: Make, context: Context, tmp_path: Path) -> None:
    """A bare repository inside a commit is written as plain files; its configuration is not used."""
    made = git_repository("project")
    config = f"[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tfsmonitor = touch {tmp_path}/marker\n"
    inner = {"inner/HEAD": "ref: refs/heads/main\n", "inner/config": config, "inner/objects/x": "", "inner/refs/x": ""}
    commit = made.commit(inner)  # type: ignore[arg-type]
    files = written(Repository.open(str(made.folder), context), commit, tmp_path / "out")
    assert files["inner/config"] == config.encode()
    assert not (tmp_path / "marker").exists()


def test_replaced_objects_are_not_served(git_repository: Make, context: Context, tmp_path: Path) -> None:
    """Replacement refs (`git replace`) are ignored."""
    made = git_repository("project")
    commit = made.commit({"a": "true"})
    evil = made.commit({"a": "evil"})
    made.git("replace", commit, evil)
    repository = Repository.open(str(made.folder), context)
    repository.resolve("refs/replace/" + commit)
    assert written(repository, commit, tmp_path / "out") == {"a": b"true"}


def test_a_branch_named_like_a_commit_does_not_win(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    commit = made.commit({"a": "true"})
    evil = made.commit({"a": "evil"})
    made.git("update-ref", f"refs/heads/{commit}", evil)
    repository = Repository.open(str(made.folder), context)
    assert repository.resolve(commit) == commit
    assert repository.read(commit, "a") == b"true"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "sub/../../outside", "dot/../../outside"])
def test_links_out_of_the_tree_are_left_out(
    git_repository: Make, context: Context, tmp_path: Path, target: str
) -> None:
    made = git_repository("project")
    (made.folder / "dot").symlink_to(".")
    (made.folder / "evil").symlink_to(target)
    commit = made.commit({"sub/a": "1"})
    repository = Repository.open(str(made.folder), context)
    (tmp_path / "out").mkdir()
    warnings = write_out(repository, commit, tmp_path / "out").warnings
    assert len(warnings) == 1
    assert "evil" in warnings[0]
    assert not (tmp_path / "out/evil").is_symlink()


def test_a_stale_lock_is_harmless(git_repository: Make, context: Context, tmp_path: Path) -> None:
    """An index.lock that a crash left in the user's repository does not matter."""
    made = git_repository("project")
    commit = made.commit({"a": "1"})
    (made.folder / ".git/index.lock").touch()
    assert written(Repository.open(str(made.folder), context), commit, tmp_path / "out") == {"a": b"1"}


@pytest.mark.parametrize(
    "lock", ["HEAD.lock", "refs/heads/main.lock", "packed-refs.lock", "index.lock", "config.lock", "shallow.lock"]
)
def test_a_stale_lock_in_the_clone_never_keeps_a_name_where_it_was(
    git_repository: Make, context: Context, lock: str
) -> None:
    """What a git that was killed leaves in our own clone: names are resolved to what they are now all the same."""
    made = git_repository("project")
    first = made.commit({"a": "1"})
    made.git("branch", "old")
    repository = Repository.open(str(made.folder), context)
    assert repository.resolve("HEAD") == first
    (repository.git_dir / lock).parent.mkdir(parents=True, exist_ok=True)
    (repository.git_dir / lock).touch()
    made.git("branch", "-D", "old")
    second = made.commit({"a": "2"})
    again = Repository.open(str(made.folder), context)
    assert [again.resolve(name) for name in ("HEAD", "main", "old")] == [second, second, None]


def test_a_repository_that_cannot_be_reached_leaves_the_clone_as_it_is(
    git_repository: Make, context: Context, tmp_path: Path
) -> None:
    made = git_repository("project")
    first = made.commit({"a": "1"})
    location = f"file://{made.folder}"
    assert Repository.open(location, context).resolve("main") == first
    made.folder.rename(tmp_path / "elsewhere")
    away = Repository.open(location, context)
    with pytest.raises(Inconclusive, match="cannot be read"):
        away.resolve("main")
    assert away.has(first)
    assert written(away, first, tmp_path / "out") == {"a": b"1"}


def test_a_branch_without_a_commit_is_no_earlier_commit(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    first = made.commit({"a": "1"})
    made.git("update-ref", "refs/remotes/origin/HEAD", first)  # which `git ls-remote REPOSITORY HEAD` lists as well
    assert Repository.open(str(made.folder), context).resolve("HEAD") == first
    made.git("checkout", "--quiet", "--orphan", "begun")
    again = Repository.open(str(made.folder), context)
    assert [again.resolve(name) for name in ("HEAD", "begun", "main")] == [None, None, first]
    second = made.commit({"a": "2"})
    assert Repository.open(str(made.folder), context).resolve("HEAD") == second


def test_other_bytes_under_the_id_of_a_blob_are_noticed(git_repository: Make, context: Context, tmp_path: Path) -> None:
    """git itself serves them: it does not hash what it reads of a loose object."""
    made = git_repository("project")
    commit = made.commit({"a": "1" * 5000})
    repository = Repository.open(str(made.folder), context)
    blob = repository.files(commit)["a"].blob
    for pack in list(repository.git_dir.glob("objects/pack/*.pack")):
        unpacked = pack.read_bytes()
        for file in pack.parent.glob(f"{pack.stem}.*"):
            file.unlink()
        command = ["git", f"--git-dir={repository.git_dir}", "unpack-objects", "-q"]
        subprocess.run(command, input=unpacked, env=GIT_ENVIRONMENT, check=True)
    loose = repository.git_dir / "objects" / blob[:2] / blob[2:]
    loose.unlink()
    loose.write_bytes(zlib.compress(b"blob 5000\0" + b"2" * 5000))
    shown = subprocess.run(
        ["git", f"--git-dir={repository.git_dir}", "cat-file", "blob", blob],
        env=GIT_ENVIRONMENT,
        capture_output=True,
        check=True,
    )
    assert shown.stdout == b"2" * 5000
    again = Repository.open(str(made.folder), context)
    assert written(again, commit, tmp_path / "out") == {"a": b"1" * 5000}


@pytest.mark.parametrize("damage", ["pack", "gone"])
def test_a_damaged_clone_is_made_anew(git_repository: Make, context: Context, tmp_path: Path, damage: str) -> None:
    made = git_repository("project")
    commit = made.commit({"a": "1" * 5000, "b": os.urandom(20000)})
    repository = Repository.open(str(made.folder), context)
    assert repository.has(commit)
    for pack in repository.git_dir.glob("objects/pack/*.pack"):
        pack.chmod(0o600)
        raw = bytearray(pack.read_bytes())
        raw[-2000:-1000] = bytes(1000)
        pack.write_bytes(bytes(raw)) if damage == "pack" else pack.unlink()
    files = written(Repository.open(str(made.folder), context), commit, tmp_path / "out")
    assert files["b"] == (made.folder / "b").read_bytes()


def test_a_repository_of_sha256(context: Context, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=GIT_ENVIRONMENT, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "--quiet", "--object-format=sha256", "--initial-branch=main", "--template=")
    (folder / "a").write_text("1")
    git("add", "a")
    git("commit", "--quiet", "--message", "one")
    commit = git("rev-parse", "HEAD")
    assert len(commit) == 64
    assert written(Repository.open(str(folder), context), commit, tmp_path / "out") == {"a": b"1"}


def test_a_repository_of_another_user_is_read(git_repository: Make, context: Context) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give a folder away")
    made = git_repository("project")
    commit = made.commit({"a": "1"})
    for place in (made.folder, *made.folder.rglob("*")):
        os.chown(place, 65534, 65534)
    assert Repository.open(str(made.folder), context).read(commit, "a") == b"1"


def test_what_is_no_repository_is_said(context: Context, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(Inconclusive, match="cannot be read"):
        Repository.open(str(tmp_path / "plain"), context)
    with pytest.raises(Inconclusive, match="does not exist"):
        Repository.open(str(tmp_path / "absent"), context)
    assert not list((context.cache.root / "git").glob("*.git"))


def test_a_password_in_a_url_is_not_told(context: Context) -> None:
    with pytest.raises(Inconclusive) as error:
        Repository.open("https://ada:canary-secret@127.0.0.1:9/x.git", context)
    assert "canary-secret" not in str(error.value)


def test_the_location_is_not_kept_in_the_clone(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    made.commit({"a": "1"})
    repository = Repository.open(f"file://{made.folder}", context)
    assert str(made.folder) not in (repository.git_dir / "config").read_text()


def test_a_log_has_both_directions(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    base = made.commit({"a": "1"}, "base")
    left = made.commit({"a": "2"}, "left \x1b[2J")
    made.git("checkout", "--quiet", "-b", "other", base)
    right = made.commit({"a": "3"}, "right")
    log = Repository.open(str(made.folder), context).log(left, right)
    assert log is not None
    assert [commit.id for commit in log.only_a] == [left]
    assert [(commit.id, commit.author, commit.subject) for commit in log.only_b] == [(right, "Ada", "right")]
    assert (log.count_a, log.count_b) == (1, 1)
    assert "\x1b" not in log.only_a[0].subject


def test_a_stop_is_obeyed(git_repository: Make, context: Context, tmp_path: Path) -> None:
    made = git_repository("project")
    commit = made.commit({"a": "1"})
    repository = Repository.open(str(made.folder), context)
    (tmp_path / "out").mkdir()
    context.cancel.cancel()
    with pytest.raises(Cancelled):
        write_out(repository, commit, tmp_path / "out")
