"""The options that an audit is asked for with, and what they mean to the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from repro_tui.audit.plan import Overrides
    from repro_tui.model.request import Settings, Tolerance
    from repro_tui.model.run import Limits

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("report", "junit", "markdown", "html")


def report_options(command: F) -> F:
    """The formats a report is written in; each makes the call headless."""
    for option in reversed(
        (
            click.option(
                "--report",
                metavar="[FILE]",
                is_flag=False,
                flag_value="-",
                help="Write the JSON report to FILE (standard output where FILE is absent or -).",
            ),
            click.option("--junit", metavar="FILE", help="Write a JUnit XML report."),
            click.option("--markdown", metavar="FILE", help="Write a Markdown report."),
            click.option("--html", metavar="FILE", help="Write a self-contained HTML report."),
            click.option(
                "--format",
                metavar="NAME=FILE",
                multiple=True,
                help="Write the report with the reporter NAME, which a package of your own may add. Repeatable.",
            ),
            click.option("--quiet", "-q", is_flag=True, help="No progress and no summary on standard error."),
            click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal."),
        )
    ):
        command = option(command)
    return command


def audit_options(command: F) -> F:
    """How both sides are run and compared, which areas decide the exit status, and whether a cause is looked for."""
    return click.option("--explain", is_flag=True, help="After a drift, find its cause.")(explain_options(command))


def explain_options(command: F) -> F:
    """The options of `repro-tui explain`, which are those of an audit without --explain itself."""
    budget = click.option(
        "--explain-budget",
        metavar="RUNS|MINUTES",
        help="What the search may cost: 40 predict runs, or 15m (also 90s, 2h).",
    )
    masked = click.option(
        "--explain-masked",
        is_flag=True,
        help="Where nothing drifts, look for differences that cancel each other.",
    )
    gate = click.option(
        "--fail-on",
        metavar="AREA,…",
        default="predictions",
        show_default=True,
        help="Areas that decide exit status 1; `any` and `none` are words.",
    )
    return gate(budget(masked(run_options(command))))


def run_options(command: F) -> F:
    """How sides are run and compared."""
    for option in reversed(
        (
            click.option(
                "--repeat",
                metavar="K",
                type=click.IntRange(1, 100),
                help="Runs of each side (default: as many as the noise rule wants: 2, 3, 5 or 10).",
            ),
            click.option(
                "--stress",
                is_flag=True,
                help="Vary what should not matter, one thing at a time on one side: hash seed, threads, batch size, "
                "row order, locale, time zone, path.",
            ),
            click.option("--atol", metavar="X", type=click.FloatRange(0), help="Absolute tolerance of every column."),
            click.option("--rtol", metavar="X", type=click.FloatRange(0), help="Relative tolerance of every column."),
            click.option(
                "--column-tolerance", metavar="COL=ATOL[,RTOL]", multiple=True, help="Tolerance of one column."
            ),
            click.option("--key", metavar="COL,…", help="Columns that name a row."),
            click.option(
                "--ignore",
                metavar="PATTERN",
                multiple=True,
                help="Leave out findings (environment.packages.pip) or output columns (predictions.NAME).",
            ),
            click.option("--all", "everything", is_flag=True, help="List what is the same, too."),
            click.option("--inputs", metavar="FILE", help="Validation inputs for both sides."),
            click.option("--truth", metavar="COLUMN", help="Column of the inputs that holds what is true of a row."),
            click.option("--predict", metavar="COMMAND", help="Predict step for both sides."),
            click.option(
                "--protocol",
                metavar="NAME",
                help="Protocol of a served image or a live endpoint: mlflow or open-inference.",
            ),
            click.option("--params", metavar="FILE", help="Parameters laid over both sides' records."),
            click.option("--runner", metavar="NAME", default="auto", show_default=True, help="auto, docker or local."),
            click.option(
                "--isolation",
                type=click.Choice(["auto", "container", "bubblewrap", "namespace", "none"]),
                default="auto",
                show_default=True,
                help="How a run is kept from this machine.",
            ),
            click.option(
                "--network",
                type=click.Choice(["none", "host"]),
                default="none",
                show_default=True,
                help="What network a run has.",
            ),
            click.option(
                "--memory",
                metavar="SIZE",
                help="Memory of one run, such as 4GiB (default: 8GiB, at most half of this machine's).",
            ),
            click.option(
                "--memory-limit",
                metavar="SIZE",
                default="2GiB",
                show_default=True,
                help="Memory of the comparison; what does not fit goes to the cache's disk.",
            ),
            click.option(
                "--seed",
                metavar="N",
                type=click.IntRange(0, 4294967295),
                default=0,
                show_default=True,
                help="What {seed} and PYTHONHASHSEED are.",
            ),
        )
    ):
        command = option(command)
    return command


def settings_of(options: dict[str, Any]) -> Settings:
    """The engine's settings from the command line's options. Raises click.BadParameter."""
    from repro_tui.model.request import LEAST_MEMORY_LIMIT, Settings, Tolerance
    from repro_tui.support.registry import names

    runner = options["runner"]
    runs, seconds = _budget(options.get("explain_budget"))
    if runner not in ("auto", *names("repro_tui.runners")):
        raise click.BadParameter(f"there is no runner {runner!r}", param_hint="--runner")
    return Settings(
        repeat=options["repeat"],
        stress=options["stress"],
        tolerance=Tolerance(options["atol"], options["rtol"]),
        column_tolerances=dict(_column(text) for text in options["column_tolerance"]),
        key=_words(options["key"]),
        ignore=options["ignore"],
        all_findings=options["everything"],
        runner=runner,
        isolation=options["isolation"],
        network=options["network"],
        limits=_limits(options["memory"]),
        memory_limit=_size(options["memory_limit"], "--memory-limit", LEAST_MEMORY_LIMIT),
        seed=options["seed"],
        fail_on=_areas(options.get("fail_on", "predictions")),
        explain=bool(options.get("explain") or options.get("explain_masked")),
        explain_runs=runs,
        explain_seconds=seconds,
        explain_masked=bool(options.get("explain_masked")),
    )


def overrides_of(options: dict[str, Any]) -> Overrides:
    """What is laid over both records."""
    from repro_tui.audit.plan import Overrides

    return Overrides(**{name: options[name] for name in ("inputs", "predict", "protocol", "params", "truth")})


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def _areas(text: str) -> tuple[str, ...]:
    from repro_tui.model.request import AREA_WORDS

    words = _words(text)
    unknown = [word for word in words if word not in AREA_WORDS]
    if unknown or not words:
        raise click.BadParameter(
            f"{unknown[0] if unknown else text!r} is no area: expected {', '.join(AREA_WORDS)}", param_hint="--fail-on"
        )
    return words


def _column(text: str) -> tuple[str, Tolerance]:
    from repro_tui.model.request import Tolerance

    name, mark, values = text.rpartition("=")
    try:
        numbers = [float(value) for value in values.split(",")]
        if not (mark and name) or not 1 <= len(numbers) <= 2 or any(not 0 <= n < float("inf") for n in numbers):
            raise ValueError(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not COL=ATOL[,RTOL]", param_hint="--column-tolerance") from error
    return name, Tolerance(numbers[0], numbers[1] if len(numbers) > 1 else None)


def _limits(memory: str | None) -> Limits:
    """The user's own limits, with the memory asked for here."""
    from repro_tui.formats.config import LEAST_MEMORY, load_config

    limits = load_config().limits
    return limits if memory is None else replace(limits, memory=_size(memory, "--memory", LEAST_MEMORY))


def _budget(text: str | None) -> tuple[int | None, float | None]:
    """Runs and seconds that a search may cost."""
    if text is None:
        return None, None
    from repro_tui.explain.budget import parse_budget

    budget = parse_budget(text)
    return budget.runs, budget.seconds


def _size(text: str, option: str, least: int) -> int:
    from repro_tui.support.sizes import size_of

    try:
        size = size_of(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error
    if size < least:
        raise click.BadParameter(f"{text} is too little: it needs at least {least >> 20} MiB", param_hint=option)
    return size


def _format(text: str) -> tuple[str, str]:
    from repro_tui.support.registry import names

    name, mark, file = text.partition("=")
    if not mark or not file or name not in names("repro_tui.reporters"):
        known = ", ".join(sorted(names("repro_tui.reporters")))
        raise click.BadParameter(f"{text!r} is not NAME=FILE with NAME one of {known}", param_hint="--format")
    return name, file


def targets_of(options: dict[str, Any]) -> dict[str, str]:
    """The formats asked for and their files ("-" is standard output). Raises Refused before anything runs."""
    from repro_tui.model.errors import Mistake, Refused
    from repro_tui.report.write import target_problem

    chosen = {name: options[name] for name in FORMATS if options[name] is not None}
    chosen |= dict(_format(text) for text in options.get("format", ()))
    mistakes = []
    for name, file in chosen.items():
        problem = "" if file == "-" else target_problem(file)
        if problem:
            mistakes.append(Mistake(f"--{name}" if name in FORMATS else f"--format {name}", problem))
    if list(chosen.values()).count("-") > 1:
        mistakes.append(Mistake("", "only one report can go to standard output"))
    if mistakes:
        raise Refused.all(mistakes)
    return chosen
