"""The program. Its commands are listed here and imported only when they are called, so that it starts quickly."""

from __future__ import annotations

import ast
import errno
import os
import re
import sys
from importlib import import_module

import click

from repro_tui.version import __version__

_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
COMMANDS = {
    "audit": ("audit", "Audit A against B: rebuild both, run both, and show what differs."),
    "explain": ("explain", "Audit A against B, and find the cause of a drift: a package, a parameter, a file."),
    "verify": ("verify", "Rebuild A from its record, run it, and grade it R0 to R6 against what was recorded."),
    "accept": ("accept", "Accept differences of an audit until a day, each as exactly this change."),
    "init": ("init", "Write a repro.toml of the project at two revisions, from its own files."),
    "record": ("record", "Write a record of a working tree, a revision, a run, a container or an image."),
    "check": ("check", "Check record files: can they be read, and what do their records lack?"),
    "show": ("show", "Open a finished or running audit; nothing is executed again."),
    "verify-evidence": ("verify_evidence", "Check that an audit's folder is as it was, and who signed it."),
    "sbom": ("sbom", "Write a bill of materials (CycloneDX) of one side of an audit."),
    "list": ("listing", "List the deployments of the nearest repro.toml, and the past audits."),
    "prune": ("prune", "Remove old audits that nothing refers to, and old entries of the cache."),
    "pin": ("pin", "Keep an audit when audits are pruned."),
    "doctor": ("doctor", "Check the engines and tools that audits use, and name what to install."),
    "cache": ("cache", "Show or prune the cache."),
    "schema": ("schema", "Print the JSON Schema of records or reports."),
    "demo": ("demo", "Audit two deployments of a small credit-score project."),
}


class Program(click.Group):
    """Runs `repro-tui A B` as `repro-tui audit A B`, unless the first argument is a command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the help, the most useful first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command's module on first use."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"repro_tui.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Inserts `audit` before two references."""
        if args and args[0] not in COMMANDS and args[0] not in ("--help", "-h", "--version"):
            args = ["audit", *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=Program,
    invoke_without_command=True,
    subcommand_metavar="[COMMAND] [ARGS]...",  # older versions of click leave out the brackets
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="repro-tui")
@click.pass_context
def program(ctx: click.Context) -> None:
    """A terminal reproducibility auditor for machine-learning deployments.

    `repro-tui A B` rebuilds two recorded deployments, runs both on the same validation inputs, and shows what
    differs: code, environment, parameters, data and predictions. Without arguments it opens a picker in the
    interface. A and B are references: NAME in the nearest repro.toml, FILE, FILE#NAME, git:REV, dvc:REV, runs:/ID,
    models:/NAME/VERSION, models:/NAME@ALIAS, wandb:PATH, docker:CONTAINER, image:REF, sif:FILE, a live endpoint
    (https://…), or a folder such as ".".

    Exit status: 0 no difference in the gated areas, 1 a difference in one, 2 refused, 3 inconclusive,
    128+n ended by signal n.
    """
    if ctx.invoked_subcommand is None:
        from repro_tui.cli.interface import open_picker

        ctx.exit(open_picker())


def main() -> int:
    """Runs the program and returns its exit status.

    An expected error is printed as one line for each mistake on standard error; an unexpected one is raised.
    """
    from repro_tui.support.ascii_output import encode_for_terminal

    encode_for_terminal()
    try:
        status = program.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        return _report_error(_plain_quotes(error.format_message()), error.exit_code if error.exit_code != 1 else 2)
    except (KeyboardInterrupt, click.Abort):
        return 130
    except SystemExit:
        if not type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):
            raise
        return 141  # a closed pipe, for which click ends with 1: the status of a difference
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # noqa: BLE001 - unexpected errors are raised again there
        return _report_expected(error)
    return status if isinstance(status, int) else 0


def _report_expected(error: Exception) -> int:
    """Prints an expected error and returns its exit status; raises any other again."""
    from repro_tui.model.errors import Refused, ReproError
    from repro_tui.support.system_errors import system_message

    if isinstance(error, Refused):
        for mistake in error.mistakes:
            _report_error(str(mistake), 2)
        return 2
    if isinstance(error, ReproError):
        return _report_error(str(error), error.exit_status)
    if isinstance(error, OSError):
        return _report_error(system_message(error), 2 if error.errno == errno.ENAMETOOLONG else 3)
    raise error


def _plain_quotes(message: str) -> str:
    """A message of click, which escapes what it quotes as Python does, with its quotes as those of every message."""
    from repro_tui.support.text import quote

    def as_shown(match: re.Match[str]) -> str:
        try:
            return quote(ast.literal_eval(match.group())) if "\\" in match.group() else match.group()
        except (ValueError, SyntaxError):
            return match.group()

    return _QUOTED.sub(as_shown, message)


def _report_error(message: str, status: int) -> int:
    from repro_tui.support.text import show

    print(f"repro-tui: {show(message, 2000)}", file=sys.stderr)
    return status
