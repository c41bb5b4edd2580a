"""A commit as a plain checkout has it: real `git checkout`, `git submodule` and git-lfs say what that is."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from repro_tui.clients.git import Repository
from repro_tui.clients.git.checkout import PlainTree, check_out, write_out
from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from tests.conftest import GIT_ENVIRONMENT, GitRepository

Make = Callable[[str], GitRepository]
ATTRIBUTES = """\
# what of these changes bytes is for git to say
[attr]windows text eol=crlf
*.txt eol=crlf
*.win windows
*.auto text=auto
*.raw -text eol=crlf
*.old crlf
*.py ident
*.csv working-tree-encoding=UTF-16LE-BOM
*.latin working-tree-encoding=ISO-8859-1
both.dat text eol=crlf ident
v.sh export-subst
*.big filter=unknown
"""
FILES = {
    "a.txt": b"one\ntwo\n",
    "mixed.txt": b"one\r\ntwo\n",
    "zero.txt": b"\0\n\n",
    "a.win": b"x\n",
    "a.auto": b"x\r\ny\n",
    "a.raw": b"x\n",
    "a.old": b"x\n",
    "v.py": b"# $Id$ $Id: old $\n",
    "both.dat": b"$Id$\n",
    "v.sh": b"$Format:%H$\n",
    "a.big": b"x\n",
    "sub/b.txt": b"not here\n",
    "sub/.gitattributes": b"b.txt -text\n",
    "run.txt": b"#!/bin/sh\n",
}
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"


def files_below(folder: Path) -> dict[str, tuple[bytes, int]]:
    paths = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts)
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o111) for path in paths}


def run_git(folder: Path, *arguments: str, stdin: Path | None = None) -> str:
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    with open(stdin or os.devnull, "rb") as source:  # noqa: PTH123
        done = subprocess.run(
            command, cwd=folder, env=GIT_ENVIRONMENT, stdin=source, capture_output=True, text=True, check=True
        )
    return done.stdout.strip()


def written_out(location: Path | str, commit: str, context: Context, folder: Path) -> PlainTree:
    folder.mkdir()
    return write_out(Repository.open(str(location), context), commit, folder)


def committed_as_stored(made: GitRepository, files: dict[str, bytes]) -> str:
    """A commit that stores exactly these bytes, which `git add` would convert."""
    for name, content in files.items():
        done = subprocess.run(
            ["git", "hash-object", "-w", "--stdin", "--no-filters"],
            cwd=made.folder, env=GIT_ENVIRONMENT, input=content, capture_output=True, check=True,
        )  # fmt: skip
        mode = "100755" if name == "run.txt" else "100644"
        made.git("update-index", "--add", "--cacheinfo", f"{mode},{done.stdout.decode().strip()},{name}")
    made.git("commit", "--quiet", "--message", "stored")
    return made.git("rev-parse", "HEAD")


def test_attributes_are_applied_as_git_applies_them(git_repository: Make, context: Context, tmp_path: Path) -> None:
    made = git_repository("project")
    stored = {"u.csv": "é,x\n".encode(), "u.latin": "é\n".encode(), ".gitattributes": ATTRIBUTES.encode(), **FILES}
    commit = committed_as_stored(made, stored)
    run_git(tmp_path, "clone", "--quiet", str(made.folder), "checkout")
    written = written_out(made.folder, commit, context, tmp_path / "out")
    expected = files_below(tmp_path / "checkout")
    assert files_below(tmp_path / "out") == expected
    changed = {name for name, content in stored.items() if expected[name][0] != content}
    assert changed == {
        "a.txt", "mixed.txt", "zero.txt", "a.win", "v.py", "both.dat", "u.csv", "u.latin", "run.txt",
    }  # fmt: skip
    for name, file in written.files.items():  # the ids and sizes are those of what was written
        raw = (tmp_path / "out" / name).read_bytes()
        assert file.size == len(raw)
        assert file.blob == hashlib.sha1(b"blob %d\0" % len(raw) + raw).hexdigest()
    assert written.attributes == [
        ".gitattributes: [attr]windows text eol=crlf", ".gitattributes: *.txt eol=crlf",
        ".gitattributes: *.auto text=auto", ".gitattributes: *.raw eol=crlf", ".gitattributes: *.old crlf",
        ".gitattributes: *.py ident", ".gitattributes: *.csv working-tree-encoding=UTF-16LE-BOM",
        ".gitattributes: *.latin working-tree-encoding=ISO-8859-1", ".gitattributes: both.dat text eol=crlf ident",
        ".gitattributes: v.sh export-subst", ".gitattributes: *.big filter=unknown",
    ]  # fmt: skip
    assert written.done == [f"{len(changed)} files converted by attributes (a.txt)"]


@pytest.mark.parametrize("attributes", ["eol=crlf", "text eol=crlf", "ident", "working-tree-encoding=UTF-16LE-BOM"])
def test_a_single_attribute_is_applied(git_repository: Make, context: Context, tmp_path: Path, attributes: str) -> None:
    made = git_repository("project")
    stored = {"a.txt": b"$Id$\none\n", ".gitattributes": f"a.txt {attributes}\n".encode()}
    commit = committed_as_stored(made, stored)
    run_git(tmp_path, "clone", "--quiet", str(made.folder), "checkout")
    written = written_out(made.folder, commit, context, tmp_path / "out")
    assert written.attributes == [f".gitattributes: a.txt {attributes}"]
    assert files_below(tmp_path / "out") == files_below(tmp_path / "checkout")
    assert (tmp_path / "out" / "a.txt").read_bytes() != stored["a.txt"]


def test_what_no_attribute_concerns_is_not_touched(git_repository: Make, context: Context, tmp_path: Path) -> None:
    made = git_repository("project")
    commit = made.commit({"a.txt": b"one\ntwo\n"})
    assert written_out(made.folder, commit, context, tmp_path / "out").done == []


def test_a_commit_in_the_cache_keeps_what_was_done(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    commit = made.commit({"a.txt": b"one\n", ".gitattributes": "*.txt eol=crlf\n"})
    first = check_out(lambda: Repository.open(str(made.folder), context), commit, context)
    shutil.rmtree(context.cache.root / "notes" / "code")
    again = check_out(lambda: Repository.open(str(made.folder), context), commit, context)
    assert (first.folder / "a.txt").read_bytes() == b"one\r\n"
    assert again.written == first.written
    assert check_out(pytest.fail, commit, context).cached


# -- Git LFS ------------------------------------------------------------------------------------------------------


def committed_pointer(made: GitRepository, content: bytes, oid: str = "") -> tuple[str, str]:
    """The commit of a pointer to `content`, and the oid."""
    oid = oid or hashlib.sha256(content).hexdigest()
    attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    return made.commit({".gitattributes": attributes, "m.bin": POINTER.format(oid, len(content))}), oid


def lay_object(git_dir: Path, oid: str, content: bytes) -> Path:
    file = git_dir / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_lfs_objects_are_those_that_git_lfs_checks_out(git_repository: Make, context: Context, tmp_path: Path) -> None:
    """git-lfs itself writes the pointer and the object, and says what a checkout has."""
    if shutil.which("git-lfs") is None:
        pytest.skip("git-lfs is not installed")
    made = git_repository("project")
    made.git("lfs", "install", "--local", "--skip-smudge")
    made.git("lfs", "track", "*.bin")
    commit = made.commit({"m.bin": b"weights" * 1000, "empty.bin": b"", "small.txt": b"x\n"})
    assert made.git("show", f"{commit}:m.bin").startswith("version https://git-lfs")
    for location in (made.folder, f"file://{made.folder}"):
        folder = tmp_path / ("url" if str(location).startswith("file") else "path")
        written = written_out(location, commit, context, folder)
        assert {name: raw for name, (raw, _) in files_below(folder).items()} == {
            name: (made.folder / name).read_bytes() for name in ("m.bin", "empty.bin", "small.txt", ".gitattributes")
        }
    assert written.files["m.bin"].size == 7000


def test_an_object_that_cannot_be_had_is_named(git_repository: Make, context: Context, tmp_path: Path) -> None:
    made = git_repository("project")
    commit, oid = committed_pointer(made, b"weights")
    with pytest.raises(Inconclusive, match=rf"m\.bin of commit .* is in Git LFS \(oid sha256:{oid}\)") as error:
        written_out(made.folder, commit, context, tmp_path / "out")
    assert error.value.do == f"run git lfs fetch origin {commit} in {made.folder}"


def test_a_damaged_object_is_refused(git_repository: Make, context: Context, tmp_path: Path) -> None:
    made = git_repository("project")
    commit, oid = committed_pointer(made, b"weights")
    lay_object(made.folder / ".git", oid, b"damaged")
    with pytest.raises(Inconclusive, match=f"recorded sha256 {oid}, fetched sha256 "):
        written_out(made.folder, commit, context, tmp_path / "out")


@pytest.mark.parametrize("text", [POINTER.format("0" * 63, 9), POINTER.format("0" * 64, 9) + "x"])
def test_a_malformed_pointer_is_refused(git_repository: Make, context: Context, tmp_path: Path, text: str) -> None:
    made = git_repository("project")
    commit = made.commit({"m.bin": text})
    with pytest.raises(Inconclusive, match=r"m\.bin is a Git LFS pointer that is malformed"):
        written_out(made.folder, commit, context, tmp_path / "out")


def test_a_pointer_of_an_extension_is_refused(git_repository: Make, context: Context, tmp_path: Path) -> None:
    """Its object is not the file: only the extension's own program makes that of it."""
    made = git_repository("project")
    oid = hashlib.sha256(b"encrypted").hexdigest()
    version, rest = POINTER.format(oid, 9).split("\n", 1)
    commit = made.commit({"m.bin": f"{version}\next-0-crypt sha256:{'0' * 64}\n{rest}"})
    lay_object(made.folder / ".git", oid, b"encrypted")
    with pytest.raises(Inconclusive, match=r"m\.bin is a Git LFS pointer that uses an extension") as error:
        written_out(made.folder, commit, context, tmp_path / "out")
    assert "with its own source and sha256" in error.value.do


# -- submodules ---------------------------------------------------------------------------------------------------


@pytest.fixture
def nested(git_repository: Make, tmp_path: Path) -> GitRepository:
    """A project with the submodule `libs/outer`, in which `inner` is one; their URLs are relative."""
    inner, outer, top = (git_repository(name) for name in ("inner", "outer", "top"))
    inner.commit({"deep.py": "x = 1\n", ".gitattributes": "*.py eol=crlf\n"})
    run_git(outer.folder, "submodule", "--quiet", "add", "../inner", "inner")
    outer.commit({"a.py": "y = 1\n"})
    run_git(top.folder, "submodule", "--quiet", "add", "--name", "the outer one", "../outer", "libs/outer")
    top.commit({"main.py": "z = 1\n"})
    return top


def test_submodules_are_checked_out_at_their_commits(
    nested: GitRepository, context: Context, tmp_path: Path, git_repository: Make
) -> None:
    commit = nested.git("rev-parse", "HEAD")
    run_git(tmp_path, "clone", "--quiet", "--recurse-submodules", str(nested.folder), "checkout")
    for name in ("inner", "outer"):  # the tips are others by now
        made = tmp_path / name
        (made / "later").write_text("x")
        run_git(made, "add", "later")
        run_git(made, "commit", "--quiet", "--message", "later")
    written = written_out(nested.folder, commit, context, tmp_path / "out")
    assert files_below(tmp_path / "out") == files_below(tmp_path / "checkout")
    assert written.files["libs/outer/inner/deep.py"].size == 7
    assert "libs/outer/inner/.gitattributes: *.py eol=crlf" in written.attributes
    shutil.rmtree(tmp_path / "inner")  # the clone's own .git/modules has them all
    shutil.rmtree(tmp_path / "outer")
    written_out(tmp_path / "checkout", commit, context, tmp_path / "again")
    assert files_below(tmp_path / "again") == files_below(tmp_path / "checkout")


def test_a_submodule_that_cannot_be_had_is_named(nested: GitRepository, context: Context, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "outer")
    shutil.rmtree(nested.folder / ".git" / "modules")
    with pytest.raises(Inconclusive, match=r"the submodule libs/outer \(commit .*\) was not fetched: .*outer") as error:
        written_out(nested.folder, nested.git("rev-parse", "HEAD"), context, tmp_path / "out")
    assert "git submodule update --init" in error.value.do


def test_a_submodule_without_a_url_is_named(git_repository: Make, context: Context, tmp_path: Path) -> None:
    made = git_repository("project")
    commit = made.commit({"a": "1"})
    made.git("update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
    made.git("commit", "--quiet", "--message", "submodule")
    with pytest.raises(Inconclusive, match=r"lib is a submodule at commit .*, and no \.gitmodules says"):
        written_out(made.folder, made.git("rev-parse", "HEAD"), context, tmp_path / "out")


@pytest.mark.parametrize("url", ["ext::sh -c touch% marker", "--upload-pack=touch marker", "file:///etc"])
def test_the_url_of_a_submodule_runs_nothing(git_repository: Make, context: Context, tmp_path: Path, url: str) -> None:
    made = git_repository("project")
    commit = made.commit({".gitmodules": f'[submodule "lib"]\n\tpath = lib\n\turl = "{url}"\n'})
    made.git("update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
    made.git("commit", "--quiet", "--message", "submodule")
    with pytest.raises(Inconclusive, match=r"the submodule lib|disallowed submodule url"):
        written_out(made.folder, made.git("rev-parse", "HEAD"), context, tmp_path / "out")
    assert not list(tmp_path.rglob("marker"))


# -- clones that lack something -----------------------------------------------------------------------------------


def test_a_shallow_clone_says_what_to_fetch(git_repository: Make, context: Context, tmp_path: Path) -> None:
    made = git_repository("project")
    old, new = made.commit({"a": "1"}), made.commit({"a": "2"})
    run_git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{made.folder}", "shallow")
    shallow = tmp_path / "shallow"
    repository = Repository.open(str(shallow), context)
    assert repository.shallow
    assert repository.read(new, "a") == b"2"
    with pytest.raises(Inconclusive, match="which is a shallow clone") as error:
        repository.need(old)
    assert "git fetch --unshallow" in error.value.do
    run_git(shallow, "fetch", "--quiet", "--unshallow")
    repository = Repository.open(str(shallow), context)
    assert not repository.shallow
    assert repository.read(old, "a") == b"1"


def test_a_partial_clone_says_what_to_fetch(git_repository: Make, context: Context, tmp_path: Path) -> None:
    made = git_repository("project")
    commit = made.commit({"a": "1"})
    made.git("config", "uploadpack.allowFilter", "true")
    run_git(tmp_path, "clone", "--quiet", "--no-checkout", "--filter=blob:none", f"file://{made.folder}", "partial")
    partial = tmp_path / "partial"
    before = {str(path) for path in partial.rglob("*")}
    with pytest.raises(Inconclusive, match=r"could not fetch .* from promisor remote") as error:
        Repository.open(str(partial), context)
    assert "git fetch --refetch --no-filter" in error.value.do
    assert {str(path) for path in partial.rglob("*")} == before  # nothing was fetched into the user's repository
    run_git(partial, "fetch", "--quiet", "--refetch", "--no-filter")
    assert Repository.open(str(partial), context).read(commit, "a") == b"1"


def test_worktrees_and_bare_repositories_are_read(git_repository: Make, context: Context, tmp_path: Path) -> None:
    made = git_repository("project")
    first, second = made.commit({"a": "1"}), made.commit({"a": "2"})
    made.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"), first)
    run_git(tmp_path, "clone", "--quiet", "--bare", str(made.folder), "bare.git")
    assert Repository.open(str(tmp_path / "linked"), context).resolve("HEAD") == first
    assert Repository.open(str(tmp_path / "bare.git"), context).resolve("HEAD") == second


def test_a_tree_that_leads_to_another_blob_is_noticed(git_repository: Make, context: Context, tmp_path: Path) -> None:
    """Its blobs have the right ids, and git itself reads the tree without a complaint."""
    project = git_repository("project")
    commit = project.commit({"sub/a": "first\n", "sub/b": "second\n"})
    repository = Repository.open(str(project.folder), context)
    (tmp_path / "out").mkdir()
    clone = repository.git_dir
    for pack in clone.glob("objects/pack/*.pack"):
        moved = tmp_path / pack.name
        pack.rename(moved)
        run_git(clone, "unpack-objects", "-q", stdin=moved)
    tree = run_git(clone, "rev-parse", f"{commit}:sub")
    file = clone / "objects" / tree[:2] / tree[2:]
    content = zlib.decompress(file.read_bytes())
    a, b = (bytes.fromhex(run_git(clone, "rev-parse", f"{commit}:sub/{name}")) for name in "ab")
    file.chmod(0o644)
    file.write_bytes(zlib.compress(content.replace(a, b)))
    assert run_git(clone, "show", f"{commit}:sub/a") == "second"
    repository.write_blobs(commit, tmp_path / "out", context.cancel)  # from a clone that was made again
    assert (tmp_path / "out/sub/a").read_text() == "first\n"
