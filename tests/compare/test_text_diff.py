"""The line diffs of texts of any length: every file has its counts, and the report stays small."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro_tui.compare import text_diff
from repro_tui.compare.text_diff import LineDiffs
from repro_tui.support.context import Context
from repro_tui.support.paths import line_diff

PATH = ("code.py",)


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    folder = tmp_path / "audit"
    folder.mkdir()
    return folder


@pytest.fixture
def diffs(audit: Path, context: Context) -> LineDiffs:
    return LineDiffs("code", audit, context)


def lines(count: int, word: str = "line") -> list[str]:
    return [f"{word} {number}" for number in range(count)]


def content(text: list[str]) -> bytes:
    return ("\n".join(text) + "\n").encode()


def test_a_long_file_has_hunks_like_a_short_one(diffs: LineDiffs, audit: Path) -> None:
    old, new = lines(30_000), lines(30_000)
    new[20_000] = "changed"
    new.insert(29_000, "added")
    note, [first, second] = diffs.of_bytes(PATH, content(old), content(new))
    assert note == "+2 -1 lines"
    assert first.path == ("code.py", "@@ -19998,7 +19998,7 @@")
    assert first.note.split("\n")[3:5] == ["-line 20000", "+changed"]
    assert first.a == "\n".join(old[19_997:20_004])
    assert first.b == "\n".join(new[19_997:20_004])
    assert second.path[-1] == "@@ -28998,6 +28998,7 @@"
    assert not list(audit.rglob("*.diff"))  # the report has all


def test_what_the_report_does_not_keep_is_in_the_audits_folder(diffs: LineDiffs, audit: Path) -> None:
    old = lines(30_000)
    new = [f"{line}x" if number % 10 == 0 else line for number, line in enumerate(old)]
    note, hunks = diffs.of_bytes(PATH, content(old), content(new))
    file = line_diff(audit, "code", PATH)
    assert (
        note
        == f"+3,000 -3,000 lines; 200 of 3,000 hunks are listed; all are in diffs/{file.name} in the audit's folder"
    )
    assert len(hunks) == 200
    written = file.read_text().split("\n")
    assert sum(line.startswith("@@ ") for line in written) == 3_000
    assert (written.count("-line 29990"), written.count("+line 29990x")) == (1, 1)


def test_a_hunk_of_a_whole_file_is_cut_on_both_sides(diffs: LineDiffs) -> None:
    note, [hunk] = diffs.of_bytes(PATH, content(lines(50_000, "old")), content(lines(60_000, "new")))
    assert note.startswith("+60,000 -50,000 lines; 1 of 1 hunk is listed, long ones cut; all are in diffs/")
    assert hunk.path[-1] == "@@ -1,1000 +1,1000 @@"
    assert (hunk.a.split("\n")[-1], hunk.b.split("\n")[-1]) == ("old 999", "new 999")


def test_a_line_of_megabytes_is_cut_around_its_difference(diffs: LineDiffs) -> None:
    old, new = (b"x" * 20_000 + word + b"y" * 2_000_000 + b"\n" for word in (b"old", b"new"))
    note, [hunk] = diffs.of_bytes(PATH, old, new)
    assert note == "+1 -1 lines"
    assert "xold" in hunk.a
    assert "xnew" in hunk.b
    assert hunk.a.startswith("… (19,900 before) xxx")
    assert len(hunk.note) < 2_000


def test_lines_that_look_like_a_diff(diffs: LineDiffs) -> None:
    old = [*lines(9_000), "-- a", "@@ -1,1 +1,1 @@", "++ b"]
    new = [*lines(9_000), "-- c", "@@ -1,1 +1,1 @@", "++ d"]
    note, [hunk] = diffs.of_bytes(PATH, content(old), content(new))
    assert note == "+2 -2 lines"
    assert hunk.note.split("\n")[3:] == ["--- a", "+-- c", " @@ -1,1 +1,1 @@", "-++ b", "+++ d"]


def test_a_missing_end_of_line_and_bytes_that_are_not_text(diffs: LineDiffs) -> None:
    old = content(lines(9_000)) + b"end"
    note, [hunk] = diffs.of_bytes(PATH, old, old + b" \xff\x1b[2J\n")
    assert note == "+1 -1 lines"
    assert hunk.note.endswith("-end\n+end \\xff\\u{1b}[2J")


ENDS = [
    (b"end", b"end\n"),
    (b"end\n", b"end"),
    (b"\xff\n", b"\\xff\n"),
    (b"\x1b\n", b"\\u{1b}\n"),
    (b"end\n", b"end\r\n"),
    (b"x" * 500_000 + b"a\n", b"x" * 500_000 + b"b\n"),
]


@pytest.mark.parametrize(("a", "b"), ENDS, ids=range(len(ENDS)))
def test_lines_that_look_alike_are_shown_apart_in_long_files_too(diffs: LineDiffs, a: bytes, b: bytes) -> None:
    start = content(lines(9_000))
    note, [hunk] = diffs.of_bytes(PATH, start + a, start + b)
    assert note == "+1 -1 lines"
    assert hunk.a != hunk.b
    removed, added = ([line[1:] for line in hunk.note.split("\n") if line.startswith(sign)] for sign in "-+")
    assert (len(removed), len(added)) == (1, 1)
    assert removed != added


def test_lines_that_differ_after_what_is_read_are_said_to(diffs: LineDiffs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_diff, "LONGEST_READ", 1_000)
    _, [hunk] = diffs.of_bytes(PATH, *(content([*lines(9_000), "x" * 2_000 + end]) for end in "ab"))
    assert hunk.a != hunk.b
    assert hunk.b.endswith("(the two differ after what is read of them)")


def test_the_kept_file_is_clean_and_has_no_secret(diffs: LineDiffs, audit: Path) -> None:
    diffs.context.redactor.learn("s3cr3t-w0rd")
    old, new = lines(30_000), [f"{line} \x1b]52;c;x\x07 s3cr3t-w0rd" for line in lines(30_000)]
    diffs.of_bytes(PATH, content(old), content(new))
    written = line_diff(audit, "code", PATH).read_text()
    assert "\x1b" not in written
    assert "s3cr3t-w0rd" not in written
    assert "\\u{1b}]52;c;x\\u{7}" in written


def test_counts_go_on_where_the_room_has_ended(diffs: LineDiffs, monkeypatch: pytest.MonkeyPatch, audit: Path) -> None:
    diffs.room, diffs.disk = 0, 1_000
    note, hunks = diffs.of_bytes(PATH, b"a\n" * 500, b"b\n" * 500)
    assert hunks == ()
    assert note.startswith("+500 -500 lines; 0 of 1 hunk is listed; their first 1,")
    assert note.endswith("lines are left out")
    assert line_diff(audit, "code", PATH).stat().st_size < 1_100
    monkeypatch.setattr(text_diff, "LARGEST_FILE", 10)
    (audit / "x").write_bytes(b"x" * 11)
    assert diffs.of_files(PATH, audit / "x", audit / "x") == ("larger than 10 bytes: not compared by line", ())


def test_without_an_audits_folder_the_counts_are_whole(context: Context) -> None:
    note, hunks = LineDiffs("code", None, context).of_bytes(
        PATH, content(lines(9_000, "a")), content(lines(9_000, "b"))
    )
    assert note == "+9,000 -9,000 lines; 1 of 1 hunk is listed, long ones cut"
    assert len(hunks) == 1


def test_nobodys_configuration_takes_part(diffs: LineDiffs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A diff program of the user, or attributes beside the files, would be executed or hide lines."""
    marker = tmp_path / "marker"
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f"[diff]\n\texternal = touch {marker}\n[core]\n\tattributesFile = {home}/a\n")
    (home / "a").write_text("* diff=x\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {marker}")
    for side, word in (("a", "old"), ("b", "new")):
        (tmp_path / side).write_bytes(content([*lines(30_000), word]))
    note, [_] = diffs.of_files(PATH, tmp_path / "a", tmp_path / "b")
    assert note == "+1 -1 lines"
    assert not marker.exists()
