"""The options of a report's formats, and the files that they stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict, TypeVar

import click

from repro_tui.support.text import quote

if TYPE_CHECKING:
    from repro_tui.report.write import ReportTarget

F = TypeVar("F", bound=Callable[..., Any])
Format = Literal["report", "junit", "markdown", "html"]
FORMATS: tuple[Format, ...] = ("report", "junit", "markdown", "html")


class ReportOptions(TypedDict):
    """The values of `report_options`, by parameter name."""

    report: str | None
    junit: str | None
    markdown: str | None
    html: str | None
    format: tuple[str, ...]
    annotations: NotRequired[tuple[str, ...]]
    attest: NotRequired[str | None]
    quiet: bool
    no_mouse: bool


def report_options(command: F) -> F:
    """Adds the options of a report's formats, each of which makes the call headless, and of the display."""
    for option in reversed(
        (
            click.option(
                "--report",
                metavar="[FILE]",
                is_flag=False,
                flag_value="-",
                help="Write the report to FILE, in the format of its ending (.json, .md, .html, or .xml for JUnit). "
                "If FILE is - or omitted, write JSON to standard output.",
            ),
            click.option("--junit", metavar="FILE", help="Write a JUnit XML report."),
            click.option("--markdown", metavar="FILE", help="Write a Markdown report."),
            click.option("--html", metavar="FILE", help="Write a self-contained HTML report."),
            click.option(
                "--format",
                metavar="NAME=FILE",
                multiple=True,
                help="Write the report with the reporter NAME, which may come from a plug-in package. Repeatable.",
            ),
            click.option(
                "--annotations",
                metavar="github|gitlab[=FILE]",
                multiple=True,
                help="Print what gates as workflow commands of GitHub, or write it as a code-quality report of GitLab "
                "(gl-code-quality-report.json). Repeatable.",
            ),
            click.option(
                "--attest",
                metavar="KEY",
                help="Sign the result with the private key in the file KEY (PEM), beside the manifest of the audit.",
            ),
            click.option("--quiet", "-q", is_flag=True, help="Do not print progress or a summary to standard error."),
            click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal."),
        )
    ):
        command = option(command)
    return command


def _format(text: str) -> tuple[str, str]:
    from repro_tui.support.registry import names

    name, mark, file = text.partition("=")
    if not mark or not file or name not in names("repro_tui.reporters"):
        known = ", ".join(sorted(names("repro_tui.reporters")))
        raise click.BadParameter(f"{quote(text)} is not NAME=FILE, where NAME is one of {known}", param_hint="--format")
    return name, file


def _annotations(texts: tuple[str, ...], taken: bool) -> list[ReportTarget]:
    """The annotations that were requested; those that are printed go beside a report on standard output (`taken`)."""
    from repro_tui.report.write import ANNOTATIONS, STDERR, STDOUT, ReportTarget

    targets = []
    for text in texts:
        name, mark, file = text.partition("=")
        if name not in ANNOTATIONS or (mark and not file):
            expected = "expected github or gitlab, or github=FILE or gitlab=FILE"
            raise click.BadParameter(f"{quote(text)} is not a format: {expected}", param_hint="--annotations")
        file = file or ANNOTATIONS[name]
        place = STDERR if file == STDOUT and taken else file
        targets.append(ReportTarget(f"--annotations {name}", name, place))
    return targets


def targets_of(options: ReportOptions) -> tuple[ReportTarget, ...]:
    """The requested reports. The format of --report is the one that the file's name ends in.

    Raises Refused with every file that cannot be written, and for a key that cannot sign, before anything runs.
    """
    from repro_tui.model.errors import Mistake, Refused
    from repro_tui.report.write import ReportTarget, check_reporter, reporter_of

    targets = [
        ReportTarget(f"--{name}", reporter_of(file) if name == "report" else name, file)
        for name in FORMATS
        if (file := options[name]) is not None
    ]
    for name, file in map(_format, options["format"]):
        check_reporter(name)
        targets.append(ReportTarget(f"--format {name}", name, file))
    targets += _annotations(options.get("annotations", ()), any(target.file == "-" for target in targets))
    mistakes = [Mistake(target.option, target.problem) for target in targets if target.problem]
    for file, count in Counter(target.file for target in targets).items():
        if file == "-" and count > 1:
            mistakes.append(Mistake("", "only one report can go to standard output: name files for the others"))
        elif count > 1:
            mistakes.append(Mistake("", f"{count} reports would be written to {file}: name a file for each"))
    if mistakes:
        raise Refused.all(mistakes)
    return (*targets, *_attestation(options.get("attest")))


def _attestation(key: str | None) -> tuple[ReportTarget, ...]:
    """The signature that was requested. Raises Refused where the key cannot be used, before anything runs."""
    from repro_tui.report.write import ATTEST, ReportTarget

    if key is None:
        return ()
    from repro_tui.cli.attestation import load_own_key

    load_own_key(key)
    return (ReportTarget(ATTEST, "", key),)
