"""The predictions section of the HTML page: the columns, their histograms and flips, and the rows that moved most."""

from __future__ import annotations

from collections.abc import Iterator

from repro_tui.model.predictions import Column, PredictionsArea, Rows
from repro_tui.report.acceptance import accepted_columns
from repro_tui.report.markup import cells, details, element, facts, glyph, left_out, table, text
from repro_tui.report.stress import TITLE, StressRow, stress_glyph, stress_rows, stress_tone, stress_words
from repro_tui.report.words import bounded, kind_words, measure_rows, number, predictions_words, tone, verdict_glyph

MOST_COLUMNS, MOST_ROWS, MOST_FLIPS = 200, 20, 12
NUMBERS = frozenset({"equal", "within tolerance", "different", "largest |Δ|", "flips", "|Δ|", "rel. Δ", "rows"})
BAR, GAP, HEIGHT = 34, 4, 110


def predictions(area: PredictionsArea) -> str:
    """The body of the predictions section, as HTML."""
    return "".join(_parts(area))


def _parts(area: PredictionsArea) -> Iterator[str]:
    if area.what or area.rows is None:
        advice = f" {element('span', text(area.do), 'soft')}" if area.do else ""
        reason = predictions_words(area) if area.rows is None else area.what
        yield element("p", f"{text(reason)}{advice}", "notice open")
    if area.rows is not None:
        yield from _comparison(area, area.rows)
    if area.stress:
        yield element("h3", TITLE) + table(
            ["factor", "changed to", "", "A", "", "B"], map(_stressed, stress_rows(area.stress))
        )


def _comparison(area: PredictionsArea, rows: Rows) -> Iterator[str]:
    """What comparing two tables of predictions showed: the rule, the columns, and the rows that moved most."""
    yield facts(
        pair
        for pair in (
            ("rows", f"{rows.a:,} in A, {rows.b:,} in B, {rows.matched:,} matched" + _odd_rows(rows)),
            ("matched by", ", ".join(area.key) if area.key else "position"),
            ("accepted", accepted_columns(area)),
            ("rule", area.rule),
            ("noise", area.noise.sentence),
            ("cells from", area.compared),
            ("left out", ", ".join(area.ignored)),
            ("all cells", f"{area.differences:,} differing cells in differences.parquet" if area.differences else ""),
        )
        if pair[1]
    )
    kept, more = bounded(area.columns, MOST_COLUMNS)
    if kept:
        head = ["", "column", "kind", "verdict", "equal", "within tolerance", "different", "largest |Δ|", "flips"]
        yield element("h3", "Columns") + table(head, map(_row, kept), NUMBERS) + left_out(more, "columns")
    for column in kept:
        yield _column(column)
    if area.worst:
        yield element("h3", "Rows that moved most") + _worst(area)


def _odd_rows(rows: Rows) -> str:
    counts = {
        "only in A": rows.only_a,
        "only in B": rows.only_b,
        "duplicate in A": rows.duplicate_a,
        "duplicate in B": rows.duplicate_b,
    }
    return "".join(f", {count:,} {name}" for name, count in counts.items() if count)


def _row(column: Column) -> str:
    return cells(
        (
            ("", glyph(verdict_glyph(column.verdict), tone(column.verdict))),
            ("path", text(column.name)),
            ("", text(column.kind)),
            ("", column.verdict),
            ("number", f"{column.equal:,}"),
            ("number", f"{column.within_tolerance:,}"),
            ("number", f"{column.different:,}"),
            ("number", number(column.max_abs)),
            ("number", number(column.flips)),
        )
    )


def _column(column: Column) -> str:
    """The details of a column; "" for an identical one, which has none."""
    if column.verdict == "identical":
        return ""
    pairs = [("rule", column.rule), ("note", column.note), ("kind", kind_words(column))]
    pairs += [("types", _types(column)), ("columns", ", ".join(column.members))]
    if column.smallest_passing:
        passing = ", ".join(f"{name} {value:.3g}" for name, value in column.smallest_passing.items())
        pairs.append(("would pass at", passing))
    pairs += measure_rows(column)
    title = f"{glyph(verdict_glyph(column.verdict), tone(column.verdict))} {text(column.name)}"
    measures = element("div", facts(pair for pair in pairs if pair[1] != ""))
    body = element("div", measures + _histogram(column) + _flips(column), "figures")
    return details(f"{title}{element('span', column.verdict, 'soft')}", body, opened=tone(column.verdict) != "good")


def _types(column: Column) -> str:
    return (
        column.type_a if column.type_a == column.type_b else f"{column.type_a or 'none'} and {column.type_b or 'none'}"
    )


def _flips(column: Column) -> str:
    kept, more = bounded(column.flip_matrix, MOST_FLIPS)
    if not kept:
        return ""
    rows = (cells((("value", text(a)), ("value", text(b)), ("number", f"{count:,}"))) for a, b, count in kept)
    body = table(["A", "B", "rows"], rows, NUMBERS) + left_out(more, "pairs")
    return element("div", element("h3", "How labels changed") + body)


def _histogram(column: Column) -> str:
    """Rows by decade of |Δ| as bars; the height is linear in the count, which stands above each bar."""
    bins = column.histogram
    if not bins:
        return ""
    most = max(count for _, _, count in bins) or 1
    width = len(bins) * (BAR + GAP)
    bars = "".join(_bar(number, low, count, count / most) for number, (low, _, count) in enumerate(bins))
    base = f'<line x1="0" x2="{width}" y1="{HEIGHT + 16}" y2="{HEIGHT + 16}"/>'
    label = f"rows by size of difference, {len(bins)} decades"
    size = f'width="{width}" height="{HEIGHT + 36}" viewBox="0 0 {width} {HEIGHT + 36}"'
    picture = f'<svg {size} role="img" aria-label="{text(label)}">{base}{bars}</svg>'
    return element("div", element("h3", "Rows by |Δ|, in powers of ten") + picture)


def _bar(number: int, low: float, count: int, share: float) -> str:
    tall = round(share * HEIGHT, 1) if count else 0
    tall = max(tall, 1.5) if count else 0
    left = number * (BAR + GAP)
    middle = left + BAR / 2
    top = HEIGHT + 16 - tall
    bar = f'<rect x="{left}" y="{top:g}" width="{BAR}" height="{tall:g}" rx="2"/>' if count else ""
    above = f'<text x="{middle:g}" y="{top - 4:g}" text-anchor="middle">{count:,}</text>' if count else ""
    return f'{bar}{above}<text x="{middle:g}" y="{HEIGHT + 31}" text-anchor="middle">{low:g}</text>'


def _stressed(row: StressRow) -> str:
    sides = [
        pair
        for result in row.sides
        for pair in (("", glyph(stress_glyph(result), stress_tone(result))), ("", text(stress_words(result))))
    ]
    return cells((("", text(row.name)), ("path", text(row.what)), *sides))


def _worst(area: PredictionsArea) -> str:
    kept, more = bounded(area.worst, MOST_ROWS)
    rows = (
        cells(
            (
                ("", glyph("≠", "bad")),
                ("path", ", ".join(f"{text(name, 80)} = {text(value, 120)}" for name, value in row.key.items())),
                ("path", text(row.column, 120)),
                ("value", text(row.a)),
                ("value", text(row.b)),
                ("number", number(row.abs_delta)),
                ("number", number(row.rel_delta)),
                ("", "flips" if row.flip else ""),
            )
        )
        for row in kept
    )
    return table(["", "row", "column", "A", "B", "|Δ|", "rel. Δ", ""], rows, NUMBERS) + left_out(more, "rows")
