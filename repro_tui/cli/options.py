"""The options of an audit, and the settings of the engine that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypeVar

import click

from repro_tui.cli.overlay_options import PREDICT_HELP, environment_options, given_sides
from repro_tui.cli.report_options import ReportOptions
from repro_tui.support.sizes import size_text
from repro_tui.support.text import quote

if TYPE_CHECKING:
    from repro_tui.model.overrides import Overrides
    from repro_tui.model.request import Settings, Tolerance
    from repro_tui.model.run import Limits

F = TypeVar("F", bound=Callable[..., Any])


class AuditOptions(ReportOptions):
    """The values of the options of audit, explain, verify and demo, by parameter name."""

    repeat: int | None
    stress: bool
    atol: float | None
    rtol: float | None
    column_tolerance: tuple[str, ...]
    key: str | None
    ignore: tuple[str, ...]
    everything: bool
    inputs: str | None
    truth: str | None
    predict: str | None
    protocol: str | None
    params: str | None
    requirements: str | None
    lock: str | None
    conda: str | None
    project: str | None
    python: str | None
    as_of: str | None
    runner: str
    isolation: Literal["auto", "container", "bubblewrap", "namespace", "none"] | None
    network: Literal["none", "host"]
    no_build: bool
    raw_logs: bool
    user: str
    build_network: Literal["default", "none"]
    memory: str | None
    memory_limit: str
    seed: int
    fail_on: NotRequired[str | None]
    baseline: NotRequired[str | None]
    explain: NotRequired[bool | None]
    explain_budget: NotRequired[str | None]
    explain_masked: NotRequired[bool]


def run_options(command: F) -> F:
    """Adds the options of how sides are run and compared."""
    for option in reversed(
        (
            click.option(
                "--repeat",
                metavar="K",
                type=click.IntRange(1, 100),
                help="Runs of each side (default: as many as the noise test needs: 2, 3, 5 or 10).",
            ),
            click.option(
                "--stress",
                is_flag=True,
                help="Vary factors that should not matter, one at a time on each side: hash seed, threads, batch size, "
                "row order, locale, time zone, path.",
            ),
            click.option("--atol", metavar="X", type=click.FloatRange(0), help="Absolute tolerance for all columns."),
            click.option("--rtol", metavar="X", type=click.FloatRange(0), help="Relative tolerance for all columns."),
            click.option(
                "--column-tolerance",
                metavar="COL=ATOL[,RTOL]",
                multiple=True,
                help="Tolerance for one column. Repeatable.",
            ),
            click.option("--key", metavar="COL,…", help="Columns that identify a row."),
            click.option(
                "--ignore",
                metavar="PATTERN",
                multiple=True,
                help="Leave out findings (environment.packages.pip) or output columns (predictions.NAME). Repeatable.",
            ),
            click.option("--all", "everything", is_flag=True, help="Also list what is the same."),
            click.option("--inputs", metavar="FILE", help="Validation inputs for both sides."),
            click.option("--truth", metavar="COLUMN", help="Column of the inputs with the true value of each row."),
            click.option("--predict", metavar="STEP", help=PREDICT_HELP),
            click.option(
                "--protocol",
                metavar="NAME",
                help="Protocol of a served image or a live endpoint: mlflow or open-inference.",
            ),
            click.option("--params", metavar="FILE", help="Parameters that override those of both records."),
            environment_options,
            click.option(
                "--runner",
                metavar="NAME",
                default="auto",
                show_default=True,
                help="What runs the predict step: auto, docker, local, apptainer, endpoint, or a plug-in's runner.",
            ),
            click.option(
                "--isolation",
                type=click.Choice(["auto", "container", "bubblewrap", "namespace", "none"]),
                show_default="that of [gate], else auto",
                help="Sandbox that isolates a run from this machine.",
            ),
            click.option(
                "--network",
                type=click.Choice(["none", "host"]),
                default="none",
                show_default=True,
                help="Network access of a run.",
            ),
            click.option(
                "--no-build",
                is_flag=True,
                help="Do not build packages that have no wheel, nor the commit's own project: a side that needs one is "
                "inconclusive.",
            ),
            click.option(
                "--raw-logs",
                is_flag=True,
                help="Also keep each run's output with its control characters, but without secrets, in run-N.raw.",
            ),
            click.option(
                "--user",
                metavar="USER[:GROUP]",
                default="auto",
                show_default=True,
                help="User that a step runs as in a container, by name or number. auto: the image's own; if that is "
                "root, nobody or else the owner of files that nobody else may read, without any capability.",
            ),
            click.option(
                "--build-network",
                type=click.Choice(["default", "none"]),
                default="default",
                show_default=True,
                help="Network access of the RUN steps of a Dockerfile that is built.",
            ),
            click.option(
                "--memory",
                metavar="SIZE",
                help="Memory limit of one run, such as 4GiB (default: 8GiB, at most half of this machine's memory).",
            ),
            click.option(
                "--memory-limit",
                metavar="SIZE",
                default="2GiB",
                show_default=True,
                help="Memory limit of the comparison; what does not fit is written to the cache's disk.",
            ),
            click.option(
                "--seed",
                metavar="N",
                type=click.IntRange(0, 4294967295),
                default=0,
                show_default=True,
                help="Value of {seed} and of PYTHONHASHSEED.",
            ),
        )
    ):
        command = option(command)
    return command


def settings_of(options: AuditOptions) -> Settings:
    """The engine's settings from the options of the command line.

    The limits of a run come from the user's configuration, which --memory overrides. Raises click.BadParameter, or
    Refused where the configuration is wrong.
    """
    from repro_tui.model.request import LEAST_MEMORY_LIMIT, Settings, Tolerance
    from repro_tui.support.registry import names

    runner = options["runner"]
    runs, seconds = _budget(options.get("explain_budget"))
    if runner not in ("auto", *names("repro_tui.runners")):
        known = ", ".join(("auto", *sorted(names("repro_tui.runners"))))
        raise click.BadParameter(f"{quote(runner)} is not a runner: expected one of {known}", param_hint="--runner")
    return Settings(
        repeat=options["repeat"],
        stress=options["stress"],
        tolerance=Tolerance(options["atol"], options["rtol"]),
        column_tolerances=dict(_column_tolerance(text) for text in options["column_tolerance"]),
        key=_split(options["key"]),
        ignore=options["ignore"],
        all_findings=options["everything"],
        runner=runner,
        isolation=options["isolation"] or "auto",
        network=options["network"],
        no_build=options["no_build"],
        raw_logs=options["raw_logs"],
        user=_user(options["user"]),
        build_network=options["build_network"],
        limits=_limits(options["memory"]),
        memory_limit=_size(options["memory_limit"], "--memory-limit", LEAST_MEMORY_LIMIT),
        seed=options["seed"],
        fail_on=_areas(options.get("fail_on") or "predictions"),
        explain=bool(options.get("explain") or options.get("explain_masked")),
        explain_runs=runs,
        explain_seconds=seconds,
        explain_masked=bool(options.get("explain_masked")),
    )


def given_of(options: AuditOptions) -> tuple[str, ...]:
    """The names of the settings that were given, which go before those of the policy file (audit.gate.GIVEN)."""
    names = ("fail_on", "explain", "explain_budget", "repeat", "isolation", "atol", "rtol", "column_tolerance")
    given = [name for name in names if options.get(name) not in (None, ())]
    return (*given, "explain") if options.get("explain_masked") and "explain" not in given else tuple(given)


def overrides_of(options: AuditOptions) -> Overrides:
    """The options that override both records."""
    from repro_tui.model.overrides import Overrides

    return Overrides(
        inputs=options["inputs"],
        predict=options["predict"],
        protocol=options["protocol"],
        params=options["params"],
        truth=options["truth"],
        requirements=options["requirements"],
        lock=options["lock"],
        conda=options["conda"],
        project=options["project"],
        python=options["python"],
        as_of=options["as_of"],
        **given_sides(),
    )


def _split(text: str | None) -> tuple[str, ...]:
    """The items of a comma-separated list."""
    return tuple(item.strip() for item in (text or "").split(",") if item.strip())


def _user(text: str) -> str:
    from repro_tui.support import grammar

    mistake = grammar.container_user(text)
    if mistake:
        raise click.BadParameter(f"{quote(text)} {mistake}", param_hint="--user")
    return text


def _areas(text: str) -> tuple[str, ...]:
    from repro_tui.model.request import AREA_WORDS

    areas = _split(text)
    unknown = [name for name in areas if name not in AREA_WORDS]
    if unknown or not areas:
        expected = f"expected one or more of {', '.join(AREA_WORDS)}"
        raise click.BadParameter(
            f"{quote(unknown[0] if unknown else text)} is not an area: {expected}", param_hint="--fail-on"
        )
    return areas


def _column_tolerance(text: str) -> tuple[str, Tolerance]:
    from repro_tui.model.request import Tolerance

    name, mark, values = text.rpartition("=")
    try:
        numbers = [float(value) for value in values.split(",")]
        if not (mark and name) or not 1 <= len(numbers) <= 2 or any(not 0 <= n < float("inf") for n in numbers):
            raise ValueError(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{quote(text)} is not COL=ATOL[,RTOL] with numbers of 0 or more", param_hint="--column-tolerance"
        ) from error
    return name, Tolerance(numbers[0], numbers[1] if len(numbers) > 1 else None)


def _limits(memory: str | None) -> Limits:
    """The limits of the user's configuration, with the memory of --memory."""
    from repro_tui.formats.config import LEAST_MEMORY, load_config

    limits = load_config().limits
    return limits if memory is None else replace(limits, memory=_size(memory, "--memory", LEAST_MEMORY))


def _budget(text: str | None) -> tuple[int | None, float | None]:
    """The runs and the seconds that a search may take; None: no such limit was set."""
    if text is None:
        return None, None
    from repro_tui.support.budgets import parse_budget

    try:
        return parse_budget(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--explain-budget") from error


def _size(text: str, option: str, least: int) -> int:
    from repro_tui.support.sizes import size_of

    try:
        size = size_of(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error
    if size < least:
        raise click.BadParameter(f"{text} is too small: at least {size_text(least)} are needed", param_hint=option)
    return size
