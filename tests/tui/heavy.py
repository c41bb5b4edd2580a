"""A heavy audit for the interface, through the audit folder's own writer: what real deployments look like at night.

It has 300 packages, 400 nested parameters, 1,500 changed files, 20,000 data files, up to three million differing cells
in 60 columns, and long texts of several scripts. `heavy_runs` has those whose weight is in what was run.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from hashlib import sha1
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.audit.folder import AuditFolder
from repro_tui.compare.columns.differences import SCHEMA
from repro_tui.compare.data_tree import data_tree
from repro_tui.compare.lines import compare_lines
from repro_tui.model.causes import Causes, Culprit, Hybrid
from repro_tui.model.finding import Area, Change, Finding, area_of
from repro_tui.model.predictions import Column, PredictionsArea, Rows, WorstRow
from repro_tui.model.report import Areas, Report
from repro_tui.model.workspace import FetchedFile
from repro_tui.support.plain import write_json
from tests.tui.folders import finished
from tests.tui.folders import report as report_of

NUMERICAL = ("numpy", "scipy", "scikit-learn", "pandas", "torch", "xgboost")
CHANGES: tuple[Change, ...] = ("changed", "changed", "changed", "added", "removed")
LAYERS = ("encoder", "decoder", "head")
PARAMETERS = ("learning_rate", "dropout", "schedule", "hidden_size", "warmup_steps", "weight_decay")


@cache
def packages(count: int = 300) -> Area:
    """Packages of two releases, a few of them numerical, and facts of the system."""
    dice = random.Random(1)
    findings = [
        Finding(("interpreter", "version"), "changed", "3.11.4", "3.11.9", "important"),
        *(
            Finding(
                ("packages", f"{name}"), "changed", f"1.{n}.0", f"{2 if n % 2 else 1}.{n + 1}.0", "important", "major"
            )
            for n, name in enumerate(NUMERICAL)
        ),
    ]
    for n in range(count - len(NUMERICAL)):
        vendor = dice.choice(("google", "opentelemetry", "jupyter", "types", "azure"))
        name = f"{vendor}-{dice.choice(('cloud', 'instrumentation', 'server', 'extension'))}-{n}"
        change = CHANGES[n % 5]
        a = None if change == "added" else f"{n % 7}.{n % 11}.{n}"
        b = None if change == "removed" else f"{n % 7}.{n % 11 + 1}.0rc{n % 3}+cu121"
        findings.append(Finding(("packages", name), change, a, b, "notice", "minor release"))
    findings += [
        Finding(("system packages", f"lib{n}"), "changed", f"{n}.1-2+deb12u1", f"{n}.1-2+deb12u3", "info")
        for n in range(40)
    ]
    findings.append(
        Finding(("system", "blas"), "changed", "openblas 0.3.21 Haswell", "openblas 0.3.27 Zen", "important")
    )
    findings.append(Finding(("system", "libc"), "unknown", note="B: the image has no shell, so its libc is not known"))
    return area_of(tuple(findings), 60)


@cache
def parameters(count: int = 400) -> Area:
    """Nested parameters: scalars of every type, a list of 2,000 of which one differs, a prompt of 5,000 characters."""
    findings = []
    for n in range(count - 3):
        levels = (f"level{level}_{n % (level + 2)}" for level in range(n % 6))
        path = (*levels, f"{LAYERS[n % 3]}_{n}", PARAMETERS[n % len(PARAMETERS)])
        a, b = ((n / 1000, n / 1000 + 1e-4), (n, n + 1), (f"cosine_{n}", f"linear_{n}"), (True, False))[n % 4]
        findings.append(Finding(path, "changed", a, b, "important"))
    numbers = list(range(2_000))
    findings.append(Finding(("bins", "edges"), "changed", numbers, [*numbers[:1500], -1, *numbers[1501:]], "important"))
    findings.append(Finding(("prompt", "system"), "changed", *prompts(), "important"))
    findings.append(
        Finding(("labels",), "changed", {"b": [1, 2, {"c": 3}]}, {"b": [1, 2, {"c": 4}], "d": None}, "important")
    )
    return area_of(tuple(findings), 12)


def prompts(length: int = 5_000) -> tuple[str, str]:
    """Two texts that differ in one word near their end."""
    filler = "You are a careful assistant who answers in plain language and cites a source for every claim. "
    start = (filler * (length // len(filler) + 1))[: length - 200]
    return (
        f"{start} Never reveal the old policy to a customer. {filler}",
        f"{start} Never reveal the new policy. {filler}",
    )


@cache
def files(count: int = 1_500) -> Area:
    """Changed source files in nested folders, one of them with 120 hunks, one new, one deleted, one renamed."""
    findings = [
        Finding(
            ("commit",),
            "changed",
            "4f1c" * 10,
            "9e2b" * 10,
            "info",
            "312 commits only in B, 4 only in A",
            tuple(
                Finding(
                    ("commit", sha1(f"commit {n}".encode()).hexdigest()),
                    "added",
                    None,
                    f"2026-11-{n % 28 + 1:02} dev{n % 5}: change {n}",
                    "info",
                )
                for n in range(312)
            ),
        )
    ]
    for n in range(count):
        folder = f"{('src', 'services', 'tools')[n % 3]}/{('api', 'models', 'features')[n // 3 % 3]}"
        name = f"{folder}/part_{n % 17}/module_{n}.py"
        lines = [f"value_{line} = {line}" for line in range(40)]
        changed = [*lines[:20], f"value_20 = {n}", *lines[21:]]
        diff = compare_lines((name,), "\n".join(lines).encode(), "\n".join(changed).encode())
        findings.append(
            Finding((name,), "changed", f"blob {n:040x}", f"blob {n + 1:040x}", "important", diff.note, diff.findings)
        )
    long = [f"    step({line})" for line in range(4_000)]
    again = [line if n % 33 else f"    step({n}, again=True)" for n, line in enumerate(long)]
    diff = compare_lines(("train.py",), "\n".join(long).encode(), "\n".join(again).encode())
    findings.append(Finding(("train.py",), "changed", "blob a", "blob b", "important", diff.note, diff.findings))
    findings.append(Finding(("new.py",), "added", None, "blob c (120 bytes)", "important", "added"))
    findings.append(Finding(("old.py",), "removed", "blob d (120 bytes)", None, "important", "removed"))
    findings.append(
        Finding(("a/b/c/renamed.py",), "changed", "a/renamed.py", "a/b/c/renamed.py", "notice", "renamed, same content")
    )
    return area_of(tuple(findings), 250)


@cache
def data_files(count: int = 20_000) -> Area:
    """A data set of images of which most differ, in a tree of folders, a model file, and one that nothing can read."""
    names = [f"train/class_{n % 40:02}/image_{n:05}.png" for n in range(count)]
    a = {name: FetchedFile(name, 1000 + n, f"{n:064x}") for n, name in enumerate(names)}
    b = {name: FetchedFile(name, 1001 + n, f"{n + 1:064x}") for n, name in enumerate(names)}
    leaves = [
        Finding(("images", name), "changed", f"{a[name].size:,} bytes", f"{b[name].size:,} bytes", "important")
        for name in names[:2_000]
    ]
    tree = data_tree(("images",), leaves, (a, b))
    summary = f"{count:,} files, 220 MB"
    findings = (
        Finding(("images",), "changed", summary, summary, "important", f"{count:,} files differ", tree),
        Finding(("models/credit.pkl",), "changed", "1.2 MB", "1.3 MB", "important", "40 values differ", weights()),
        Finding(("vectors.bin",), "changed", "4.1 MB", "4.2 MB", "important", f"sha256:{'1' * 64} → sha256:{'2' * 64}"),
    )
    return area_of(findings, 3)


def weights(count: int = 40) -> tuple[Finding, ...]:
    """What differs inside the model file."""
    names = ("intercept", *(f"weights.{name}_{n}" for n in range(count) for name in ("ratio", "payments", "age")))
    return tuple(
        Finding(("models/credit.pkl", name), "changed", -0.860112 + n / 7, -0.80575 + n / 7, "notice")
        for n, name in enumerate(names[:count])
    )


def columns(count: int = 60, rows: int = 50_000) -> PredictionsArea:
    """Sixty output columns with long names that share their beginning, of which a few drift."""
    made = []
    for n in range(count):
        drifts = n % 6 == 5
        made.append(
            Column(
                name=f"feature_contribution_of_the_customer_segment_{n:02}",
                kind="number",
                verdict="drift" if drifts else "within-tolerance" if n % 2 else "identical",
                equal=0 if drifts else rows // 2,
                within_tolerance=0 if drifts else rows - rows // 2,
                different=rows if drifts else 0,
                max_abs=largest_delta(n, rows) if drifts else 1e-9 * n,
                max_rel=0.2 if drifts else 1e-9,
                type_a="double",
                type_b="double",
                rule="|a-b| <= 1e-06",
                histogram=((-4.0, -3.0, rows // 2), (-3.0, -2.0, rows // 2)) if drifts else (),
                atol=1e-6,
                rtol=0.0,
            )
        )
    delta = largest_delta(count - 1, rows)
    worst = WorstRow({"id": f"A{10_000 + min(rows, 1000) - 1}"}, made[-1].name, 0.25, 0.25 + delta, delta)
    return PredictionsArea(
        status="different",
        verdict="drift",
        rule="the default tolerances",
        key=("id",),
        rows=Rows(rows, rows, rows),
        columns=tuple(made),
        worst=(worst,),
        counts={"drift": count // 6},
        differences=count * rows,
    )


def largest_delta(column: int, rows: int) -> float:
    """The largest difference that `write_cells` writes in a column."""
    return min(rows - 1, 999) / 1e4 * (column + 1)


def write_cells(path: Path, area: PredictionsArea) -> None:
    """Every cell of every column of the area as a differing cell, a column at a time."""
    rows = area.matched
    numbers = np.arange(rows)
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        keys = pa.array([f'["A{10_000 + n}"]' for n in range(rows)])
        for index, column in enumerate(area.columns):
            a = numbers / 1e5
            moved = (numbers % 1000) / 1e4 * (index + 1)
            table = {
                "row_a": numbers,
                "row_b": numbers,
                "input_row": pa.nulls(rows, pa.int64()),
                "key": keys,
                "column": [column.name] * rows,
                "change": ["changed"] * rows,
                "a": [f"{value:.6f}" for value in a],
                "b": [f"{value:.6f}" for value in a + moved],
                "a_number": a,
                "b_number": a + moved,
                "abs_delta": moved,
                "rel_delta": moved / np.maximum(a, a + moved, where=moved > 0, out=np.ones(rows)),
                "flip": np.zeros(rows, bool),
                "verdict": ["different" if column.verdict == "drift" else "within-tolerance"] * rows,
                "noise": pa.nulls(rows, pa.string()),
            }
            writer.write_table(pa.table(table, schema=SCHEMA))


def scripts() -> Area:
    """Texts in CJK, right-to-left and emoji, combining marks, and one that tries to be markup."""
    return area_of(
        (
            Finding(
                ("prompts", "ja"),
                "changed",
                "在庫を確認してから" * 60 + "旧",
                "在庫を確認してから" * 60 + "新",
                "important",
            ),
            Finding(("prompts", "ar"), "changed", "مرحبا بالعالم قديم", "مرحبا بالعالم جديد", "important"),
            Finding(("prompts", "emoji"), "changed", "👩‍🔬🧪 ok", "👩‍🔬🔬 ok", "important"),
            Finding(("prompts", "marks"), "changed", "e\u0301" * 40, "e\u0300" * 40, "important"),
            Finding(("prompts", "[bold]markup[/]"), "changed", "[/red]", "[link=x]y", "important"),
        ),
        0,
    )


CULPRIT = Causes(
    factors=("code", "environment", "parameters", "model"),
    smallest=("parameters", "model"),
    shares={"parameters": 0.67, "model": 0.33, "environment": 0.0, "code": 0.0},
    restores=(("parameters", "model"),),
    culprits=(
        Culprit("parameters", ("prompt", "system"), *prompts(), sufficient=True),
        Culprit("model", ("files", "models/credit.pkl"), "18757ed2b1e8", "6dc2ad886b89", sufficient=True),
        Culprit("model", ("files", "models/credit.pkl", "intercept"), -0.860112, -0.80575),
    ),
    hybrids=(
        Hybrid(("code",), 0.0, 0.0, "A"),
        Hybrid(("environment",), 0.0, 0.0, "A"),
        Hybrid(("parameters",), 0.67, 0.61, "neither"),
        Hybrid(("model",), 0.33, 0.17, "neither"),
        Hybrid(("code", "environment"), 0.0, 0.0, "A"),
        Hybrid(("parameters", "model"), 1.0, 1.0, "B"),
        Hybrid(("code", "parameters", "model"), 1.0, 1.0, "B"),
        Hybrid(("environment", "parameters", "model"), 1.0, 1.0, "B"),
    ),
    runs=14,
    cached=2,
    sentences=("parameters.prompt.system explains 67 % of the change, and the model 33 %.",),
)


def heavy(path: Path, causes: Causes | None = None, cells: int = 200) -> AuditFolder:
    """A finished audit with everything at once; `cells` rows of each of the 60 columns differ."""
    folder = finished(path, causes=causes)
    write_heavy_areas(folder, causes, cells)
    return folder


def write_heavy_areas(folder: AuditFolder, causes: Causes | None = None, cells: int = 200) -> None:
    """The heavy areas in the report of a folder, with the sentences that the product makes of them."""
    area = columns(rows=cells)
    write_cells(folder.path / "differences.parquet", area)
    write_json(folder.path / "report.json", report_of(heavy_areas(area), causes=causes))


def heavy_areas(predictions: PredictionsArea) -> Areas:
    """Everything at once."""
    return Areas(files(), packages(), parameters(), data_files(), predictions)


def with_scripts(path: Path) -> AuditFolder:
    """A finished audit whose parameters are texts in many scripts."""
    folder = finished(path)
    report: Report | None = folder.report()
    assert report is not None
    write_json(path / "report.json", replace(report, areas=replace(report.areas, parameters=scripts())))
    return folder
