"""What notebooks, scripts and other tools call. Nothing heavy is imported before a function is called.

    import repro_tui

    repro_tui.compare("prod.parquet", "staging.parquet", key=["id"]).verdict
    repro_tui.explain({"code": 1}, {"code": 2}, evaluate).sentences
    repro_tui.audit("prod", "staging", explain=True).summary
    repro_tui.open_audit("audits/20261124T103200Z-1a2b3c").to_pandas()

Nothing here writes to standard output. What cannot be asked raises `Refused`, with every mistake at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repro_tui.audit.folder import AuditFolder
    from repro_tui.compare.tables import Comparison, Table
    from repro_tui.explain.function import Explanation
    from repro_tui.model.report import Report
    from repro_tui.model.request import AreaWord, IsolationChoice, NetworkChoice

GiB = 1 << 30


def compare(
    a: Table | Sequence[Table],
    b: Table | Sequence[Table],
    *,
    key: str | Sequence[str] = (),
    atol: float | None = None,
    rtol: float | None = None,
    columns: Mapping[str, Mapping[str, Any]] | None = None,
    truth: str | None = None,
    memory_limit: int = 2 * GiB,
    folder: str | Path | None = None,
) -> Comparison:
    """Compares two tables of predictions cell by cell, or the runs of two sides, without a record and without a run.

    Parameters:
        a, b: a file (CSV, Parquet, JSON Lines, Arrow or .npy), a pandas frame or an Arrow table. A list of them holds
            the runs of one side, each from a fresh process: noise is then told from drift by the rule of an audit.
        key: the columns that identify a row; with none, rows are matched by position.
        atol, rtol: the absolute and relative tolerance of every column of numbers, in the column's own unit; None: the
            default of the column's type.
        columns: the rules of single columns, as in a record: `kind`, `atol`, `rtol`, `compute_type`, `reduction`,
            `threshold`, `vector` or `ignore`.
        truth: the column that holds what is true of a row.
        memory_limit: what the comparison may take, in bytes; what does not fit goes to disk.
        folder: where every differing cell is kept; None: a temporary folder.

    Returns the comparison: its verdict, the area as a report has it, and (`more`) how many runs a side the rule wants
    before it decides. Raises `Refused` where an input is not a table or a rule is not valid.

    Example:
        >>> import pandas as pd, repro_tui
        >>> a = pd.DataFrame({"id": [1, 2], "score": [0.5, 0.25]})
        >>> repro_tui.compare(a, a.assign(score=[0.5, 0.75]), key="id").verdict
        'drift'
    """
    from repro_tui.compare.tables import compare_tables

    return compare_tables(
        a,
        b,
        key=key,
        atol=atol,
        rtol=rtol,
        columns=columns,
        truth=truth,
        memory_limit=memory_limit,
        folder=folder,
    )


def explain(
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    evaluate: Callable[[dict[str, Any]], Any],
    *,
    needs: Mapping[str, Sequence[str]] | None = None,
    likely: Mapping[str, float] | None = None,
    shares: bool | None = None,
    near: float = 0.01,
    max_runs: int | None = None,
    max_seconds: float | None = None,
    workers: int = 1,
) -> Explanation:
    """Finds which of the factors in which `a` and `b` differ make `evaluate(b)` another answer than `evaluate(a)`.

    Parameters:
        a, b: factors by name, with any values; a factor that only one of them has is absent in the other.
        evaluate: called with mixtures of the two, once with each. Returns a number, an array of numbers, or an array of
            labels (texts or booleans), always of one shape, and the same for the same mixture, as no noise is measured.
            What it raises, and None, leave that mixture unresolved.
        needs: which factors of B need which others of B: only mixtures that hold to it are tried.
        likely: how much likelier (1 to 8) than others a factor is to be guilty; the bisection looks there first.
        shares: True for Shapley shares and interactions (at most 2^k calls for k factors), False for the bisection
            alone (about log2(n) calls for each guilty one of n); None: shares for up to 8 factors without `needs`.
        near: the part of the whole change that counts as none.
        max_runs, max_seconds: the most mixtures tried beside A and B, and the most seconds; None: no limit.
        workers: how many mixtures are evaluated at the same time, in threads.

    Returns the explanation: shares, the smallest set that reproduces B, what restores A, culprits and sentences. Raises
    `Refused` where the answers for A and B cannot be compared.

    Shares are those of Shapley (1953), interactions the dividends of Harsanyi (1963); the bisection is over down-sets
    of what needs what.

    Example:
        >>> import repro_tui
        >>> repro_tui.explain({"x": 1, "y": 1}, {"x": 2, "y": 5}, lambda mixture: mixture["x"] * 10).smallest
        ('x',)
    """
    from repro_tui.explain.function import explain_function

    return explain_function(
        a,
        b,
        evaluate,
        needs=needs,
        likely=likely,
        shares=shares,
        near=near,
        max_runs=max_runs,
        max_seconds=max_seconds,
        workers=workers,
    )


def audit(
    a: str,
    b: str,
    *,
    inputs: str | Path | None = None,
    key: str | Sequence[str] = (),
    predict: str | None = None,
    protocol: str | None = None,
    params: str | Path | None = None,
    truth: str | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    column_tolerances: Mapping[str, float | tuple[float, float]] | None = None,
    ignore: Sequence[str] = (),
    repeat: int | None = None,
    stress: bool = False,
    explain: bool = False,
    explain_masked: bool = False,
    explain_runs: int | None = None,
    explain_seconds: float | None = None,
    fail_on: AreaWord | Sequence[AreaWord] = "predictions",
    all_findings: bool = False,
    runner: str = "auto",
    isolation: IsolationChoice = "auto",
    network: NetworkChoice = "none",
    memory: int | None = None,
    memory_limit: int = 2 * GiB,
    seed: int = 0,
) -> Report:
    """Audits A, the baseline, against B, the candidate, as `repro-tui audit A B` does, and waits for the report.

    Both are rebuilt from their records and executed in a sandbox, by an engine that is a process of its own; nothing of
    them executes in this one. The audit's folder is `report.audit.folder`: `open_audit` opens it.

    Parameters:
        a, b: references, as on the command line: a deployment's name, `FILE#NAME`, `git:REV`, `runs:/ID` and others.
        inputs, predict, protocol, params, truth: what is laid over both records, as the options of the same names.
        key: the columns that identify a row.
        atol, rtol: the tolerance of every column of numbers; None: the record's, or the default of the type.
        column_tolerances: that of single columns: `atol`, or `(atol, rtol)`.
        ignore: patterns of findings, and `predictions.NAME` for output columns, that are left out.
        repeat: runs of each side, 1 to 100; None: as many as the noise rule wants (2, 3, 5 or 10).
        stress: whether what should not matter is varied, one thing at a time.
        explain, explain_masked: whether the cause of a drift, or of differences that cancel each other, is looked for.
        explain_runs, explain_seconds: what that search may cost, in predict runs and in seconds; None: no limit.
        fail_on: the areas that decide `report.exit_status`.
        all_findings: whether what is the same is listed, too.
        runner, isolation, network: how a run is executed, and what it is kept from.
        memory, memory_limit: bytes that one run may take (None: as configured), and that the comparison may.
        seed: what `{seed}` and PYTHONHASHSEED are.

    Returns the report; a side that could not be rebuilt or run is in it. Raises `Refused` with every mistake of both
    sides, before anything is executed, and `Inconclusive` where the engine ended without a report. An interrupt
    (Ctrl-C) stops the audit.
    """
    from repro_tui.audit.begin import begin
    from repro_tui.audit.follow import report_of
    from repro_tui.audit.plan import Overrides
    from repro_tui.audit.settings import check_settings
    from repro_tui.formats.config import load_config
    from repro_tui.model.request import Settings, Tolerance

    limits = load_config().limits
    settings = Settings(
        repeat=repeat,
        stress=stress,
        tolerance=Tolerance(atol, rtol),
        column_tolerances={
            name: Tolerance(*value) if isinstance(value, tuple) else Tolerance(value)
            for name, value in (column_tolerances or {}).items()
        },
        key=_names(key),
        ignore=_names(ignore),
        all_findings=all_findings,
        runner=runner,
        isolation=isolation,
        network=network,
        limits=limits if memory is None else replace(limits, memory=memory),
        memory_limit=memory_limit,
        seed=seed,
        fail_on=_names(fail_on),
        explain=explain or explain_masked,
        explain_masked=explain_masked,
        explain_runs=explain_runs,
        explain_seconds=explain_seconds,
    )
    check_settings(settings)
    files = {name: None if path is None else str(path) for name, path in (("inputs", inputs), ("params", params))}
    overrides = Overrides(predict=predict, protocol=protocol, truth=truth, **files)
    return report_of(begin(a, b, settings, overrides))


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def open_audit(path: str | Path) -> AuditFolder:
    """The audit in a folder, or whose report.json is given.

    `.report()` is the report as dataclasses (None while the audit runs), `.to_pandas()` every differing cell as a
    frame. Raises `Refused` where there is none.
    """
    from repro_tui.audit.folder import open_folder

    return open_folder(path)
