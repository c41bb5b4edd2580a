"""The options of audits that decide the exit status, and those of the search for a cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from repro_tui.cli.options import run_options
from repro_tui.cli.overlay_options import side_options

F = TypeVar("F", bound=Callable[..., Any])


def audit_options(command: F) -> F:
    """Adds the options of an audit: those of `explain`, and --explain."""
    explain = click.option("--explain/--no-explain", default=None, help="Find the cause of the drift.")
    return explain(explain_options(command))


def explain_options(command: F) -> F:
    """Adds the options of `explain`: those of a run, the gate, and the budget of the search for a cause."""
    budget = click.option(
        "--explain-budget",
        metavar="RUNS|TIME",
        help="Limit of the search: a number of predict runs, such as 40, or a time, such as 90s, 15m or 2h.",
    )
    masked = click.option(
        "--explain-masked",
        is_flag=True,
        help="If there is no drift, search for differences that cancel each other out. Implies --explain.",
    )
    return _gate_options(budget(masked(run_options(side_options(command)))))


def _gate_options(command: F) -> F:
    fail_on = click.option(
        "--fail-on",
        metavar="AREA,…",
        show_default="those of [gate], else predictions",
        help="Areas whose differences mean exit status 1: area names, `any` or `none`.",
    )
    baseline = click.option(
        "--baseline",
        metavar="REPORT",
        help="Only what is new or worse since this report gates: a report.json, the folder or the id of an audit.",
    )
    return fail_on(baseline(command))
