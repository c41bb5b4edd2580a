"""The functions for notebooks, scripts and other tools. Nothing heavy is imported before a function is called.

    import repro_tui

    repro_tui.compare("prod.parquet", "staging.parquet", key=["id"]).verdict
    repro_tui.explain({"code": 1}, {"code": 2}, evaluate).sentences
    repro_tui.audit("prod", "staging", explain=True).summary
    repro_tui.open_audit("audits/20261124T103200Z-1a2b3c").to_pandas()

Nothing here writes to standard output. Bad input raises `Refused`, with every mistake at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from repro_tui.support.text import quote

if TYPE_CHECKING:
    from repro_tui.audit.folder import AuditFolder
    from repro_tui.compare.tables import Comparison, Table
    from repro_tui.explain.function import Explanation
    from repro_tui.model.report import Report
    from repro_tui.model.request import AreaWord, BuildNetworkChoice, IsolationChoice, NetworkChoice

T = TypeVar("T")
GiB = 1 << 30


def compare(
    a: Table | Sequence[Table],
    b: Table | Sequence[Table],
    *,
    key: str | Sequence[str] = (),
    atol: float | None = None,
    rtol: float | None = None,
    columns: Mapping[str, Mapping[str, object]] | None = None,
    truth: str | None = None,
    memory_limit: int = 2 * GiB,
    folder: str | Path | None = None,
) -> Comparison:
    """Compares two tables of predictions cell by cell, or the runs of two sides. It needs no record and runs nothing.

    Parameters:
        a, b: a file (CSV, Parquet, JSON Lines, Arrow or .npy), a pandas frame or an Arrow table. A list of tables holds
            the runs of one side, each from a fresh process: noise is then distinguished from drift as in an audit.
        key: the columns that identify a row; without any, rows are matched by position.
        atol, rtol: the absolute tolerance, in the unit of the column, and the relative tolerance (1e-3 is 0.1 %) of
            every numeric column; None: the default of the column's type.
        columns: rules of individual columns, as in a record: `kind`, `atol`, `rtol`, `compute_type`, `reduction`,
            `threshold`, `vector` or `ignore`.
        truth: the column with the true value of each row.
        memory_limit: the memory that the comparison may use, in bytes; what does not fit is spilled to disk.
        folder: where every differing cell is stored; None: a temporary folder.

    Returns the comparison: its verdict, the area as in a report, and in `more` the number of runs per side that the
    noise rule needs before it can decide. Raises `Refused` where an input is not a table or a rule is not valid.

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
    a: Mapping[str, T],
    b: Mapping[str, T],
    evaluate: Callable[[dict[str, T]], object],
    *,
    needs: Mapping[str, Sequence[str]] | None = None,
    likely: Mapping[str, float] | None = None,
    shares: bool | None = None,
    near: float = 0.01,
    max_runs: int | None = None,
    max_seconds: float | None = None,
    workers: int = 1,
) -> Explanation:
    """Finds which of the factors that differ between `a` and `b` make `evaluate(b)` differ from `evaluate(a)`.

    Parameters:
        a, b: the values of the factors by name; a factor that only one of them has is absent in the other.
        evaluate: called with hybrids of the two, at most once with each. It returns a number, an array of numbers, or
            an array of labels (strings or booleans), always of the same shape. It must be deterministic, as noise is
            not measured. A hybrid for which it raises an exception or returns None is unresolved.
        needs: which factors from B need which others from B; only hybrids that satisfy this are tried.
        likely: how much likelier than others (1 to 8) a factor is to be guilty; the bisection tries it first.
        shares: True for Shapley shares and interactions (at most 2^k calls for k factors), False for the bisection
            alone (about log2(n) calls for each guilty factor of n); None: shares for up to 8 factors without `needs`.
        near: the part of the whole change (1.0) that counts as no difference.
        max_runs, max_seconds: the limits on the hybrids tried, without A and B, and on the time; None: no limit.
        workers: the number of hybrids that are evaluated at the same time, in threads.

    Returns the explanation: shares, the smallest set that reproduces B, what restores A, culprits and sentences. Where
    the budget ends, it is the best answer so far. Raises `Refused` where the answers for A and B cannot be compared.

    Shares are Shapley values (Shapley 1953), and interactions are Harsanyi dividends (Harsanyi 1963). The bisection
    tries only sets that are closed under `needs`.

    Example:
        >>> import repro_tui
        >>> repro_tui.explain({"x": 1, "y": 1}, {"x": 2, "y": 5}, lambda hybrid: hybrid["x"] * 10).smallest
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
    requirements: str | None = None,
    lock: str | None = None,
    conda: str | None = None,
    project: str | None = None,
    python: str | None = None,
    as_of: str | None = None,
    only_a: Mapping[str, str] | None = None,
    only_b: Mapping[str, str] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    column_tolerances: Mapping[str, float | tuple[float, float]] | None = None,
    ignore: Sequence[str] = (),
    repeat: int | None = None,
    stress: bool = False,
    explain: bool | None = None,
    explain_masked: bool = False,
    explain_runs: int | None = None,
    explain_seconds: float | None = None,
    fail_on: AreaWord | Sequence[AreaWord] | None = None,
    baseline: str | Path | None = None,
    all_findings: bool = False,
    runner: str = "auto",
    isolation: IsolationChoice | None = None,
    network: NetworkChoice = "none",
    no_build: bool = False,
    raw_logs: bool = False,
    user: str = "auto",
    build_network: BuildNetworkChoice = "default",
    memory: int | None = None,
    memory_limit: int = 2 * GiB,
    seed: int = 0,
) -> Report:
    """Audits B, the candidate, against A, the baseline, as `repro-tui audit A B` does, and waits for the report.

    Both are rebuilt from their records and executed in a sandbox by an engine, which is a separate process; no code of
    theirs is executed in this process. `open_audit` opens the audit's folder, `report.audit.folder`.

    Parameters:
        a, b: references, as on the command line: a deployment's name, `FILE#NAME`, `git:REV`, `runs:/ID` and others.
        inputs, predict, protocol, params, truth: override both records, as the options of the same names do.
        requirements, lock, conda, project: the environment of both sides: a path in the commit's tree, else on this
            machine.
        python, as_of: the version of Python, and the day or moment as of which packages are resolved.
        only_a, only_b: such options for one side, by name: `{"lock": "uv.lock"}` is --a-lock or --b-lock.
        key: the columns that identify a row.
        atol, rtol: the tolerances of every numeric column; None: the record's, or the default of the column's type.
        column_tolerances: the tolerances of individual columns: `atol`, or `(atol, rtol)`.
        ignore: patterns of findings to leave out, and `predictions.NAME` for an output column.
        repeat: the number of runs per side, 1 to 100; None: as many as the noise rule needs (2, 3, 5 or 10).
        stress: whether to vary conditions that should not affect predictions, one at a time.
        explain, explain_masked: whether to search for the cause of a drift, or for differences that cancel each other
            out.
        explain_runs, explain_seconds: limits on that search, in predict runs and in seconds; None: no limit.
        fail_on: the areas that determine `report.exit_status`; None: those of `[gate]`, or else the predictions. What
            `[gate]` of the project's policy file says also holds for `explain`, `explain_runs`, `explain_seconds`,
            `repeat`, `isolation` and tolerances that are not given here.
        baseline: an earlier report (a file, an audit's folder or its id): only what is new or worse since then gates.
        all_findings: whether to list also what is the same.
        runner, isolation, network: how a run is executed, and from what it is isolated.
        no_build: whether packages without a wheel, and the commit's own project, are refused instead of built.
        raw_logs: whether each run's output is also kept with its control characters, in `run-N.raw`.
        user: the user of a container's step, by name or number; "auto": chosen by what the image's files allow.
        build_network: the network of the RUN steps of a Dockerfile, "default" or "none".
        memory: the memory that one run may use, in bytes; None: as configured.
        memory_limit: the memory that the comparison may use, in bytes.
        seed: the value of `{seed}` and PYTHONHASHSEED.

    Returns the report, which says so where a side could not be rebuilt or run. Raises `Refused` with every mistake of
    both sides before anything is executed, and `Inconclusive` where the engine ended without a report. An interrupt
    (Ctrl-C) stops the audit.
    """
    from repro_tui.audit.begin import begin
    from repro_tui.audit.follow import report_of
    from repro_tui.audit.settings import check_settings
    from repro_tui.formats.config import load_config
    from repro_tui.model.overrides import Overrides
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
        isolation=isolation or "auto",
        network=network,
        no_build=no_build,
        raw_logs=raw_logs,
        user=user,
        build_network=build_network,
        limits=limits if memory is None else replace(limits, memory=memory),
        memory_limit=memory_limit,
        seed=seed,
        fail_on=("predictions",) if fail_on is None else _names(fail_on),
        explain=bool(explain or explain_masked),
        explain_masked=explain_masked,
        explain_runs=explain_runs,
        explain_seconds=explain_seconds,
    )
    check_settings(settings)
    overrides = Overrides(
        _path(inputs),
        predict,
        protocol,
        _path(params),
        truth,
        requirements,
        lock,
        conda,
        project,
        python,
        as_of,
        _one_sided("only_a", only_a),
        _one_sided("only_b", only_b),
    )
    given = {
        "fail_on": fail_on,
        "explain": True if explain_masked else explain,
        "explain_budget": explain_runs or explain_seconds,
        "repeat": repeat,
        "isolation": isolation,
        "atol": atol,
        "rtol": rtol,
        "column_tolerance": column_tolerances,
    }
    names = [name for name, value in given.items() if value is not None]
    return report_of(begin(a, b, settings, overrides, given=names, baseline=_path(baseline) or ""))


def _one_sided(argument: str, given: Mapping[str, str] | None) -> dict[str, str]:
    """The options of one side. Raises Refused for an unknown name."""
    from repro_tui.model.errors import Mistake, Refused
    from repro_tui.model.overrides import ONE_SIDED

    unknown = [name for name in given or {} if name not in ONE_SIDED]
    if unknown:
        raise Refused(Mistake(argument, f"{quote(unknown[0])} is not one of {', '.join(ONE_SIDED)}"))
    return dict(given or {})


def _path(path: str | Path | None) -> str | None:
    return None if path is None else str(path)


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def open_audit(path: str | Path) -> AuditFolder:
    """Opens an audit by its folder or by its report.json.

    `.report()` returns the report as dataclasses (None while the audit runs), `.to_pandas()` every differing cell as a
    frame. Raises `Refused` where the path is not an audit.
    """
    from repro_tui.audit.folder import open_folder

    return open_folder(path)
