"""Requirements files: continued lines and hashes are read, options and URLs are mistakes with their lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro_tui.formats.requirements import parse_requirements, read_requirements

WHOLE = """\
# made by a tool
numpy==2.1.3 \\
    --hash=sha256:aa \\
    --hash=sha512:bb  # both
pandas>=2 ; python_version < "4"

scipy[all]==1.*
"""


def test_lines_are_joined_and_keep_their_number_and_hashes() -> None:
    lines, mistakes = parse_requirements(WHOLE, "requirements.txt")
    assert not mistakes
    assert [(line.number, line.requirement.name, line.hashes, line.pinned) for line in lines] == [
        (2, "numpy", ("sha256:aa", "sha512:bb"), True),
        (5, "pandas", (), False),
        (7, "scipy", (), False),
    ]
    assert lines[0].text == "numpy==2.1.3 --hash=sha256:aa --hash=sha512:bb"


def test_all_mistakes_at_once_each_with_its_line() -> None:
    text = "--index-url https://h.example\nx @ https://h.example/x.whl\nfine==1\n-e .\n-r other.txt\n!!!\ny==1 --pre\n"
    _, mistakes = parse_requirements(text, "r.txt")
    assert [mistake.place for mistake in mistakes] == [f"r.txt: line {n}" for n in (1, 2, 5, 6, 7)]
    assert "the option --index-url" in mistakes[0].message
    assert "a released version" in mistakes[1].message


@pytest.mark.parametrize(
    "line", ["https://me:hunter22@h.example/x.whl", "x==1 --index-url https://me:hunter22@h.example/"]
)
def test_a_mistake_does_not_quote_a_password(line: str) -> None:
    _, (mistake,) = parse_requirements(line, "r.txt")
    assert "hunter22" not in mistake.message


@given(st.text(max_size=80))
def test_any_text_is_read_or_told_in_one_line(text: str) -> None:
    lines, mistakes = parse_requirements(text, "r.txt")
    for line in lines:
        assert "\n" not in line.text
        assert not line.text.startswith("-")
    for mistake in mistakes:
        assert len(mistake.message.splitlines()) == 1


def test_a_requirement_knows_the_file_that_it_is_in() -> None:
    files = {"a.txt": b"six\n-r b.txt\n", "b.txt": b"\nattrs\n"}
    content = read_requirements("a.txt", lambda name: files[name])
    assert [(line.file, line.number) for line in content.lines] == [("a.txt", 1), ("b.txt", 2)]
