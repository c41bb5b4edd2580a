"""Makes untrusted text safe to show: the only way for it into a terminal, a log or the text of a report."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence

CAP = 2000
BEFORE = 20  # characters before the first difference of two texts that are shown around it
LONGEST_ESCAPE = 9  # characters: \u{e0001}
QUOTED = 200
LEAST_PART = 1e-4
WHOLE_PART = 1e-9  # the rounding error that a sum of shares may have
MARKS_IN_A_ROW = 8
# C0 and DEL, C1, soft hyphen and Arabic letter mark, zero-width and bidi controls, line and paragraph separators,
# word joiner to invisible plus, BOM, interlinear annotation, characters that XML does not allow, controls of shorthand
# and of music, variation selectors after the first 16, tags, surrogates.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff]"
)
# Hexadecimal ids of twelve digits or more, with their algorithm; plain numbers, also those with an exponent, are none.
_HASH = re.compile(
    r"(?i)(?<![0-9a-z_])(?:sha(?:256|512|1):|md5:|(?!\d+e\d*(?![0-9a-f]))(?=[a-f]*\d)(?=\d*[a-f]))([0-9a-f]{12,})…?(?![0-9a-z_])"
)


def show(value: object, cap: int = CAP) -> str:
    """A value as one line of safe text, cut at `cap` characters with a note of how many were left out.

    Control, bidi, zero-width and tag characters and surrogates become visible as `\\u{..}`; long runs of combining
    marks are cut. The result is plain text: a widget must still wrap it in Text or Content, as it may look like markup.
    """
    text = value if isinstance(value, str) else _as_text(value)
    left_out = len(text) - cap
    cleaned = _HIDDEN.sub(lambda match: f"\\u{{{ord(match.group()):x}}}", text[:cap] if left_out > 0 else text)
    if not cleaned.isascii():
        cleaned = _cut_marks(cleaned)
    if len(cleaned) > cap:
        cleaned = cleaned[:cap] if left_out > 0 else f"{cleaned[: cap - 1]}…"
    return f"{cleaned}… ({left_out:,} more)" if left_out > 0 else cleaned


def show_apart(a: str, b: str, cap: int = CAP) -> tuple[str, str]:
    """Two texts as `show` has them, and never alike where they differ.

    A control character and the escape by which it is shown look alike, and so do long texts that differ after the cap:
    then both are shown around their first difference, with every character but plain ASCII, and every backslash,
    escaped as in Python.
    """
    left, right = show(a, cap), show(b, cap)
    if left != right or a == b:
        return left, right
    start = max(0, first_difference(a, b) - BEFORE)
    head = f"… ({start:,} before) " if start else ""
    return tuple(head + show(_escaped(text[start : start + cap]), cap) for text in (a, b))  # type: ignore[return-value]


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def clean_line(text: str) -> str:
    """One line of a log, complete, safe to print: tabs stay, and other control characters become visible."""
    return "\t".join(show(part, LONGEST_ESCAPE * len(part)) for part in text.removesuffix("\r").split("\t"))


def quote(value: object, cap: int = QUOTED) -> str:
    """A value as `show` has it, in quotes: a text whose ends and blanks matter, such as a wrong option."""
    return f"'{show(value, cap)}'"


def show_lines(text: str, cap: int = CAP, most: int = 10_000) -> list[str]:
    """The lines of a text, each made safe to show, at most `most` of them."""
    lines = text.split("\n")
    shown = [show(line.removesuffix("\r"), cap) for line in lines[:most]]
    return [*shown, f"… ({len(lines) - most:,} more lines)"] if len(lines) > most else shown


def shorten_middle(text: str, width: int) -> str:
    """A long name or hash, shortened to `width` characters by leaving out its middle."""
    if len(text) <= width or width < 5:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{without_marks_at_start(text[-tail:])}"


def first_difference(a: str, b: str) -> int:
    """The index of the first character that differs; the shorter length where one is the beginning of the other."""
    low, high = 0, min(len(a), len(b))
    while low < high:  # the longest common beginning, by halves
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def excerpt(text: str, start: int, length: int) -> str:
    """A part of a text from the character `start` on, with an ellipsis at each end where something was left out."""
    end = start + length
    shown = without_marks_at_start(text[start:end]) if start else text[start:end]
    return f"{'…' if start else ''}{shown}{'…' if end < len(text) else ''}"


def without_marks_at_start(text: str) -> str:
    """The rest of a text that was cut, without accents of a letter that was cut away: another would carry them."""
    if text[:1].isascii():
        return text
    first = next((n for n, character in enumerate(text) if not unicodedata.combining(character)), len(text))
    return text[first:]


def plural(count: int, noun: str) -> str:
    """A count with its noun in singular or plural: `1 row`, `2,000 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def join_names(names: Sequence[str], conjunction: str = "and", most: int | None = None) -> str:
    """Names as a list in a sentence: "a", "a and b", "a, b and c"; "" of none.

    Of more than `most` names the last are counted: with `most` 3, four names are "a, b and 2 more".
    """
    if most is not None and len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1:,} more"]
    return f"{', '.join(names[:-1])} {conjunction} {names[-1]}" if len(names) > 1 else "".join(names)


def part(share: float, digits: int = 1) -> str:
    """A part of a whole (1.0) as a percentage, formatted the same everywhere: 66.4 %, 0.36 %, 100 %.

    `digits` are those after the point; small shares, and those that are almost the whole, have at least two.
    """
    size = abs(share)
    if size == 0:
        return "0 %"
    if abs(size - 1) < WHOLE_PART:
        return "100 %"
    if size < LEAST_PART:
        return f"less than {_percent(LEAST_PART, 2)}"
    if 1 - LEAST_PART < size < 1:
        return f"more than {_percent(1 - LEAST_PART, 2)}"
    return _percent(size, digits if 0.00995 <= size < 0.9995 or size > 1 else max(2, digits))


def _percent(share: float, digits: int) -> str:
    return f"{100 * share:.{digits}f} %"


def brief_part(share: float) -> str:
    """Like `part`, for a narrow column: <0.01 %."""
    return part(share).replace("less than ", "<").replace("more than ", ">")


def line_counts(added: int, removed: int) -> str:
    """How many lines of a text were added and removed: "+3 -1"."""
    return f"+{added:,} -{removed:,}"


def signed_part(share: float) -> str:
    """Like `part`, with a minus sign for negative shares."""
    return f"{'-' if share <= -LEAST_PART else ''}{part(share)}"


def last_output(why: str, cap: int = 200) -> str:
    """A reason that ends with the last lines of a program, with only the very last of them: it says what went wrong."""
    head, mark, lines = why.partition("its last output: ")
    return show(f"{head}{mark}{lines.rpartition('; ')[2]}" if mark else why, cap)


def without_hashes(text: str) -> str:
    """A sentence whose hashes, commits and other long ids in hexadecimal are cut to seven digits, as git does."""
    return _HASH.sub(lambda match: f"{match.group(1)[:7]}…", text)


def _as_text(value: object) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    try:
        if isinstance(value, dict | list | tuple):
            return json.dumps(value, ensure_ascii=False, default=str)
        return str(value)
    except ValueError:  # Python refuses to print an integer of more than 4,300 digits
        return f"({type(value).__name__}: too large to print)"


def _cut_marks(text: str) -> str:
    marks = {character for character in set(text) if _is_mark(character)}
    if not marks:
        return text
    kept: list[str] = []
    run = left_out = 0
    for character in text:
        if character in marks:
            run += 1
            if run > MARKS_IN_A_ROW:
                left_out += 1
                continue
        else:
            run = 0
        kept.append(character)
    return "".join(kept) + (f"… ({left_out:,} marks left out)" if left_out else "")


def _is_mark(character: str) -> bool:
    return bool(unicodedata.combining(character)) or unicodedata.category(character) in ("Mn", "Me")
