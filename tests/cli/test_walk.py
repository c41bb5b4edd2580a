"""The recorded walk of the documentation: what is recorded is what a terminal shows, and the SVG plays it alone."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

from repro_tui.cli.walk import HEIGHT, WALK, WIDTH, FilmedTerminal, as_cast, as_svg, record
from tests.tui.folders import CAUSES, finished

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"
MOST_BYTES = 400_000
SMALL = (
    (0.5, "\x1b[?1049h\x1b[2;3H\x1b[1;38;2;255;0;0mred\x1b[0m \x1b[7m<漢>\x1b[27m"),
    (2.0, "\x1b[2;3Hnew\r\nline"),
    (3.0, ""),
)


def test_the_terminal_shows_what_is_written() -> None:
    terminal = FilmedTerminal()
    terminal.write(SMALL[0][1])
    assert terminal.text().splitlines()[1].rstrip() == "  red <漢>"
    assert terminal.lines[1][2][1].foreground == "#ff0000"
    assert terminal.lines[1][7] == ("漢", terminal.lines[1][6][1])
    assert "7" in terminal.lines[1][7][1].attributes
    terminal.write(SMALL[1][1])
    assert [line.rstrip() for line in terminal.text().splitlines()[1:3]] == ["  new <漢>", "line"]
    terminal.write("\x1b[2G\x1b[1;48;2;0;0;255m\x1b[2Xa\x1b[0m")
    assert terminal.text().splitlines()[2].rstrip() == "la e"
    assert terminal.lines[2][2] == (" ", replace(terminal.look, background="#0000ff"))


def test_the_svg_has_a_screen_for_every_event_and_nothing_from_outside() -> None:
    svg = as_svg(SMALL)
    root = ElementTree.fromstring(svg)
    film = next(group for group in root.iter(f"{SVG}g") if group.get("class") == "film")
    assert len(list(film)) == len(SMALL) - 1
    assert "translateX(0px)" in svg
    assert "60.00% { transform: translateX(-864px) }" in svg
    assert {element.text for element in root.iter(f"{SVG}text")} == {"red", "<漢>", "new", "line"}
    assert not list(root.iter(f"{SVG}script"))
    assert "url(" not in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_the_committed_walk_is_small_and_shows_every_step() -> None:
    header, *events = map(json.loads, (DOCS / "walk.cast").read_text("utf-8").splitlines())
    assert (header["version"], header["width"], header["height"]) == (2, WIDTH, HEIGHT)
    assert [at for at, _, _ in events] == sorted(at for at, _, _ in events)
    screen = FilmedTerminal()
    for (_, wanted, _), (_, kind, text) in zip(WALK, events, strict=False):
        screen.write(text)
        assert kind == "o"
        assert wanted in screen.text()
    recorded = [(at, text) for at, _, text in events]
    assert (DOCS / "walk.svg").read_text("utf-8") == as_svg(recorded)
    assert as_cast(recorded) == (DOCS / "walk.cast").read_text("utf-8")
    for name in ("walk.cast", "walk.svg"):
        content = (DOCS / name).read_text("utf-8")
        assert len(content.encode()) <= MOST_BYTES
        assert not any(word in content for word in ("/tmp", "/home/", "/root", "/Users/"))
    assert "(walk.svg)" in (DOCS / "interface.md").read_text("utf-8")


def test_a_walk_is_recorded_from_a_real_terminal(tmp_path: Path) -> None:
    events = record(finished(tmp_path / "audit", causes=CAUSES).path, WALK[:3])
    screen = FilmedTerminal()
    for (_, wanted, _), (_, text) in zip(WALK[:3], events, strict=False):
        screen.write(text)
        assert wanted in screen.text()
    assert [at for at, _ in events] == [0.5, 4.5, 8.5, 11.5]
