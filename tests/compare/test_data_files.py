"""Changed files among the data are opened: in a child process, cleaned, within bounds; they stay changed."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repro_tui.compare import opened
from repro_tui.compare.data import compare_data
from repro_tui.compare.data_files import with_files
from repro_tui.compare.data_rows import with_rows
from repro_tui.model.finding import Area, Finding
from repro_tui.model.workspace import FetchedData, FetchedFile
from repro_tui.support.context import Context

Contents = dict[str, bytes]


def fetched(folder: Path, path: str, files: Contents) -> FetchedData:
    """A data item with real files."""
    entries = {}
    for name, content in files.items():
        file = folder / hashlib.sha256(name.encode()).hexdigest()[:8]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        entries[name] = FetchedFile(str(file), len(content), hashlib.sha256(content).hexdigest())
    return FetchedData(path, "file", "x", entries)


def compared(tmp_path: Path, context: Context, path: str, a: Contents, b: Contents) -> Area:
    items = [(fetched(tmp_path / side, path, files),) for side, files in (("a", a), ("b", b))]
    audit = tmp_path / "audit"
    audit.mkdir(exist_ok=True)
    area = with_rows(compare_data(*items, context), *items, (), audit, context)
    return with_files(area, *items, audit, context)


def below(area: Area) -> dict[tuple[str, ...], Finding]:
    """Every finding by its path."""
    findings, listed = list(area.findings), {}
    while findings:
        finding = findings.pop()
        listed[finding.path] = finding
        findings += finding.children
    return listed


def test_a_model_opens_as_its_difference(tmp_path: Path, context: Context) -> None:
    area = compared(tmp_path, context, "model.json", {"": b'{"w": [1, 2]}'}, {"": b'{"w": [1, 3]}'})
    [finding] = area.findings
    assert (finding.change, finding.severity) == ("changed", "important")
    assert finding.note.endswith("; JSON; 1 difference")
    assert [(child.path, child.a, child.b) for child in finding.children] == [(("model.json", "w › 1"), 2, 3)]


def test_files_of_a_folder_each_by_its_kind(tmp_path: Path, context: Context) -> None:
    table = "x,y\n" + "".join(f"{n},{n}\n" for n in range(20))
    a = {"m.pkl": pickle.dumps({"c": 1}), "t.csv": table.encode(), "deep/n.txt": b"a\n", "w.bin": b"\0\1", "same": b"s"}
    b = {"m.pkl": pickle.dumps({"c": 2}), "t.csv": table.replace("3,3", "3,4").encode(), "deep/n.txt": b"b\n"}
    b |= {"w.bin": b"\0\2", "same": b"s"}
    listed = below(compared(tmp_path, context, "d", a, b))
    assert (listed["d", "m.pkl", "c"].a, listed["d", "m.pkl", "c"].b) == (1, 2)
    assert listed["d", "t.csv", "y"].note.startswith("1 of 20 rows differ")  # by rows, as before
    assert listed["d", "deep/n.txt", "@@ -1,2 +1,2 @@"].note == "-a\n+b\n "
    assert listed["d", "deep/n.txt"].note == "+1 -1 lines"
    assert listed["d", "w.bin", "byte 1"].a == "01"


def test_a_table_that_cannot_be_read_is_opened_all_the_same(tmp_path: Path, context: Context) -> None:
    listed = below(compared(tmp_path, context, "x.parquet", {"": b"PAR1\0\1"}, {"": b"PAR1\0\2"}))
    assert listed["x.parquet", "rows"].change == "unknown"
    assert "Parquet, 6 bytes on both sides" in listed["x.parquet",].note
    assert listed["x.parquet", "byte 5"].a == "01"


def test_equal_values_stay_changed(tmp_path: Path, context: Context) -> None:
    area = compared(tmp_path, context, "m.json", {"": b'{"a": 1, "b": 2}'}, {"": b'{"b": 2, "a": 1}'})
    assert (area.status, area.findings[0].change, area.findings[0].children) == ("different", "changed", ())
    assert "the values are equal, only the bytes differ" in area.findings[0].note


def test_secrets_and_controls_do_not_get_through(tmp_path: Path, context: Context) -> None:
    a = json.dumps({"db": {"password": "canary-one"}, "x\x1b[2J": "\x1b]52;c;x\x07", "url": "https://u:canary-two@h/x"})
    b = json.dumps(
        {"db": {"password": "canary-six"}, "x\x1b[2J": "z", "url": "https://u:canary-ten@h/y", "n": "\ud800"}
    )
    area = compared(tmp_path, context, "m.json", {"": a.encode()}, {"": b.encode()})
    assert "canary" not in repr(area)
    assert "\x1b" not in repr(area)
    [first, second, third, fourth] = area.findings[0].children
    assert first.path == ("m.json", "db › password")
    assert first.a != first.b
    assert (second.path[1], second.a) == ("x\\u{1b}[2J", "\\u{1b}]52;c;x\\u{7}")
    assert third.path[1] == "url"
    assert fourth.b == "\\u{d800}"


def test_known_secrets_in_the_cells_of_a_notebook_are_hidden_whatever_their_names(
    tmp_path: Path, context: Context
) -> None:
    """In a cell's source and in its hunk; two addresses that only differ in what is hidden still differ."""
    context.redactor.learn("canary-learnt-9f2")

    def notebook(query: str) -> bytes:
        source = f"x = 'canary-learnt-9f2'\ny = connect('https://u:canary-pw@h/x?q={query}')\n"
        return json.dumps({"cells": [{"cell_type": "code", "source": source, "outputs": []}], "nbformat": 4}).encode()

    area = compared(tmp_path, context, "n.ipynb", {"": notebook("canary-1")}, {"": notebook("canary-2")})
    assert "canary" not in repr(area)
    (cell,) = area.findings[0].children
    assert cell.a != cell.b
    (hunk,) = cell.children
    assert len({line[1:] for line in hunk.note.split("\n") if line[:1] in "+-" and "connect" in line}) == 2


def test_a_file_that_needs_too_much_memory_ends_at_its_bytes(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "MEMORY", 1 << 30)
    a, b = (b'{"k": [' + b'"x",' * 12_000_000 + b'"%d"]}' % value for value in (1, 2))
    area = compared(tmp_path, context, "m.json", {"": a}, {"": b})
    assert area.findings[0].change == "changed"
    assert "cannot be read as JSON: it " in area.findings[0].note
    assert area.findings[0].note.count("+1 -1 lines") == 1


def test_time_is_bounded_and_the_rest_says_so(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "SECONDS", 0.0)
    monkeypatch.setattr(opened, "SECONDS_OF_AREA", 1e-9)
    names = [f"f{number}" for number in range(3)]
    area = compared(tmp_path, context, "d", dict.fromkeys(names, b"1"), dict.fromkeys(names, b"2"))
    notes = [child.note for child in area.findings[0].children]
    assert all(note.startswith("not opened: ") for note in notes)
    assert [child.change for child in area.findings[0].children] == ["changed"] * 3


def test_a_reader_that_crashes_loses_only_its_own_file(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "CHILD", "tests.compare.files.crashing_child")
    names = ("a", "crash", "z")
    contents = [{name: b'{"k": %d}' % (number + side) for number, name in enumerate(names)} for side in (0, 1)]
    listed = below(compared(tmp_path, context, "d", *contents))
    assert (listed["d", "a", "k"].b, listed["d", "z", "k"].b) == (1, 3)
    assert listed["d", "crash"].note == "not opened: its reader ended with exit status -11"
    assert listed["d", "crash"].change == "changed"


def test_more_files_than_are_opened_say_so(tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MOST_OPENED", 2)
    opener = opened.FileOpener("data", None, context, left=2)
    pairs = []
    for number in range(4):
        for side in "ab":
            (tmp_path / f"{side}{number}").write_bytes(f"{side}\n".encode())
        pairs.append(opened.FilePair((f"f{number}",), "x", tmp_path / f"a{number}", tmp_path / f"b{number}"))
    notes = [opener.open_pairs(pairs)[pair.path].note for pair in pairs[:1]] + [
        opener.open_pairs(pairs[:1])["f0",].note
    ]
    assert notes == ["+1 -1 lines", "not opened: too many files differ"]


def test_a_large_difference_leaves_the_report_small(tmp_path: Path, context: Context) -> None:
    a, b = (json.dumps({f"k{n}": f"{word}{n}" * 1_500 for n in range(900)}).encode() for word in ("old", "new"))
    [finding] = compared(tmp_path, context, "m.json", {"": a}, {"": b}).findings
    assert "900 differences" in finding.note
    assert "are in the report, which would otherwise become too large" in finding.note
    assert 10 < len(finding.children) < 900
    assert sum(len(str(child.a)) + len(str(child.b)) for child in finding.children) <= opened.ROOM_OF_FILE


def test_what_is_not_a_regular_file_any_more_is_said(tmp_path: Path, context: Context) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "b").write_bytes(b"2")
    pair = opened.FilePair(("x",), "x", tmp_path / "pipe", tmp_path / "b")
    assert "is a pipe" in opened.FileOpener("data", None, context).open_pairs([pair])["x",].note


def test_arrays_above_the_room_of_tables(tmp_path: Path, context: Context) -> None:
    contents = []
    for value in (1.0, 2.0):
        file = tmp_path / "x.npz"
        np.savez(file, w=np.full((3, 4, 5), value))
        contents.append({"": file.read_bytes()})
    listed = below(compared(tmp_path, context, "w.npz", *contents))
    assert (listed["w.npz", "w"].a, listed["w.npz", "w"].b) == (1.0, 2.0)
    assert "60 of 60 differ (100 %), max |Δ| 1; the first at [0, 0, 0]" in listed["w.npz", "w"].note


def test_no_finding_is_opened_twice(tmp_path: Path, context: Context) -> None:
    a = fetched(tmp_path / "a", "m.json", {"": b"[1]"})
    b = replace(fetched(tmp_path / "b", "m.json", {"": b"[1]"}))
    area = compare_data((a,), (b,), context)
    assert with_files(area, (a,), (b,), tmp_path, context) == area
