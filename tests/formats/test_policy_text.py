"""An accepted change is written into a policy file, and every other character of the file stays."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from repro_tui.formats.policy_text import with_entries
from repro_tui.formats.wire.policy import check_policy
from repro_tui.model.errors import Refused
from repro_tui.model.gate import AcceptedChange

ENTRY = AcceptedChange("parameters.x", 'a "reason" with\u00e9', "2027-01-31", "ada", "1", "changed", 1.0, "2")
OTHER = replace(ENTRY, path="parameters.y", a=1)
LAYOUTS = {
    "nothing": "",
    "comments": "# top\n\nschema = 1   # one\n\n[deployments.a]  # a\nx = {a=1 ,b = [ 1,\n  2 ] }\n",
    "no newline at the end": "schema = 1",
    "windows": "schema = 1\r\n\r\n[validation]\r\nkey = ['id']\r\n",
    "an entry": '[[accepted]] # known\npath = "code.x"\nchange = "added"\nb = 1\nreason = "r"\nuntil = 2027-01-01\n',
    "an entry in between": '[[accepted]]\npath = "code.x"\nchange = "added"\nb = 1\nreason = "r"\nuntil = 2027-01-01\n'
    "\n# below\n[validation]\nkey = ['id'] # why\n",
    "inline": 'accepted = [ {path = "code.x", change = "added", b = 1, reason = "r", until = 2027-01-01} ]  # all\n',
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_nothing_else_of_the_file_changes(text: str) -> None:
    written = with_entries(text, [ENTRY, OTHER], "repro.toml")
    before, after = tomllib.loads(text), tomllib.loads(written)
    assert after.pop("accepted")[len(before.pop("accepted", [])) :] == [fields(ENTRY), fields(OTHER)]
    assert after == before
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("accepted = ")]
    rest = iter(written.splitlines())
    assert all(line in rest for line in lines)  # in their order
    assert text.endswith("\n") is False or "# all" not in text or "# all" in written
    document = {name: value for name, value in tomllib.loads(written).items() if name == "accepted"}
    assert check_policy(document, "repro.toml").accepted[-1].path == "parameters.y"


def fields(entry: AcceptedChange) -> dict[str, object]:
    import datetime

    names = ("path", "change", "a", "b", "reason", "owner", "audit")
    until = datetime.date.fromisoformat(entry.until)
    return {name: getattr(entry, name) for name in names} | {"until": until}


def test_the_same_change_is_renewed_and_not_doubled() -> None:
    text = with_entries("# top\n", [ENTRY, OTHER], "repro.toml")
    renewed = with_entries(
        text, [replace(ENTRY, reason="again", until="2028-01-01", owner="", audit="2")], "repro.toml"
    )
    first, second = tomllib.loads(renewed)["accepted"]
    assert (first["reason"], str(first["until"]), first["audit"], "owner" in first) == (
        "again",
        "2028-01-01",
        "2",
        False,
    )
    assert second == fields(OTHER)


def test_values_of_another_type_are_another_change() -> None:
    text = with_entries("", [ENTRY], "repro.toml")
    twice = with_entries(text, [replace(ENTRY, a=1)], "repro.toml")
    assert [entry["a"] for entry in tomllib.loads(twice)["accepted"]] == [1.0, 1]


@pytest.mark.parametrize("text", ["schema = ", "accepted = 3\n", "[accepted]\nx = 1\n"])
def test_a_file_that_cannot_take_it_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"repro\.toml"):
        with_entries(text, [ENTRY], "repro.toml")
