"""HTML out of text that is not trusted: the only place where a value becomes part of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from repro_tui.support.text import show


def text(value: Any, cap: int = 600) -> str:
    """A value as text that cannot become markup or leave an attribute."""
    return escape(show(value, cap), quote=True)


def element(tag: str, inner: str, css: str = "") -> str:
    """One element; `inner` is markup already, `tag` and `css` are this program's own words."""
    return f'<{tag} class="{css}">{inner}</{tag}>' if css else f"<{tag}>{inner}</{tag}>"


def cells(values: Iterable[tuple[str, str]], css: str = "") -> str:
    """A row of a table, of (class, markup) pairs."""
    return element("tr", "".join(element("td", inner, name) for name, inner in values), css)


def table(head: Sequence[str], rows: Iterable[str], numbers: frozenset[str] = frozenset()) -> str:
    """A table of rows that are markup already; the columns named in `numbers` are set to the right."""
    names = "".join(element("th", text(name), "number" if name in numbers else "") for name in head)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def details(title: str, body: str, *, opened: bool) -> str:
    """A part of the page that folds; both arguments are markup already."""
    return f"<details{' open' if opened else ''}><summary>{title}</summary>{body}</details>"


def glyph(sign: str, tone: str = "") -> str:
    """The sign that leads a row, so that nothing rests on colour alone."""
    return element("span", text(sign), f"glyph {tone}".strip())


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """A list of labels and values."""
    return f"<dl>{''.join(element('dt', text(label)) + element('dd', text(value)) for label, value in pairs)}</dl>"


def left_out(count: int, what: str) -> str:
    """A line that says how much is not shown."""
    return element("p", f"… and {count:,} more {text(what)} in report.json", "soft") if count else ""
