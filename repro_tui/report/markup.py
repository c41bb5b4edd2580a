"""HTML built from untrusted text: the only place where a value becomes part of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from repro_tui.support.text import show


def text(value: object, cap: int = 600) -> str:
    """A value as text that cannot become markup or leave an attribute."""
    return escape(show(value, cap), quote=True)


def element(tag: str, inner: str, css: str = "") -> str:
    """One element; `inner` is already markup, `tag` and `css` (its classes) are text of this program."""
    return f'<{tag} class="{css}">{inner}</{tag}>' if css else f"<{tag}>{inner}</{tag}>"


def cells(values: Iterable[tuple[str, str]], css: str = "") -> str:
    """A row of a table, of (class, markup) pairs."""
    return element("tr", "".join(element("td", inner, name) for name, inner in values), css)


def table(head: Sequence[str], rows: Iterable[str], numbers: frozenset[str] = frozenset()) -> str:
    """A table of rows that are already markup; the columns named in `numbers` are aligned right."""
    names = "".join(element("th", text(name), "number" if name in numbers else "") for name in head)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def details(title: str, body: str, *, opened: bool) -> str:
    """A section that folds; `title` and `body` are already markup."""
    return f"<details{' open' if opened else ''}><summary>{title}</summary>{body}</details>"


def glyph(sign: str, tone: str = "") -> str:
    """The sign at the start of a row, so that no meaning depends on colour alone."""
    return element("span", text(sign), f"glyph {tone}".strip())


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """A list of labels and values."""
    return f"<dl>{''.join(element('dt', text(label)) + element('dd', text(value)) for label, value in pairs)}</dl>"


def left_out(count: int, noun: str) -> str:
    """A line that says how many more there are in the JSON report; "" for none."""
    return element("p", f"… and {count:,} more {text(noun)} in report.json", "soft") if count else ""
