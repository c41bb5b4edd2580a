"""Regenerates the generated parts of the documentation: `python -m repro_tui.cli.docs` in the repository.

These are the commands' help texts (docs/cli.md), the key table of docs/interface.md, the published schemas, and the
pictures and the recorded walk, which show a real run of the demo.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

import click
from click.testing import CliRunner

from repro_tui.cli.main import COMMANDS, program

WIDTH = 100
PICTURES = {
    "overview": [],
    "predictions": ["5"],
    "row": ["5", "tab", "enter"],
    "code": ["6", "down", "enter"],
    "cause": ["7"],
}


def help_text() -> str:
    """The help of the program and of its commands, as a terminal of 100 columns shows it."""
    runner = CliRunner()
    parts = []
    for arguments in ([], ["audit"], *([name] for name in COMMANDS if name not in ("audit", "demo"))):
        shown = runner.invoke(program, [*arguments, "--help"], prog_name="repro-tui", terminal_width=WIDTH)
        if shown.exit_code:
            raise click.ClickException(shown.output)
        parts.append(f"```\n$ repro-tui {' '.join([*arguments, '--help'])}\n{shown.output.rstrip()}\n```")
    return "\n\n".join(parts)


def commands_page() -> str:
    """docs/cli.md: what every command says of itself."""
    return f"# Commands\n\nGenerated from the program's help by `make docs`.\n\n{help_text()}\n"


def with_keys(page: str) -> str:
    """docs/interface.md with the current key table."""
    from repro_tui.tui.actions import key_table

    return re.sub(r"\| where \| keys \| what \|.*\Z", lambda match: key_table(), page, flags=re.DOTALL)


async def _picture(folder: Path, keys: list[str], target: Path) -> None:
    from repro_tui.audit.folder import open_folder
    from repro_tui.tui.app import Auditor
    from repro_tui.tui.config import InterfaceConfig

    app = Auditor(open_folder(folder), InterfaceConfig("repro-dark", mouse=True, keys={}))
    async with app.run_test(size=(120, 34)) as pilot:
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.3)
            await app.workers.wait_for_complete()
        await pilot.pause(0.3)
        target.write_text(app.export_screenshot(title="repro-tui prod staging"), "utf-8")


def pictures(docs: Path) -> None:
    """Runs the demo, and writes pictures of its screens and a recorded walk through them to the folder `docs`."""
    import os
    import subprocess
    import sys

    from repro_tui.cli.walk import write_walk
    from repro_tui.examples.demo import prepare

    with tempfile.TemporaryDirectory() as folder:
        os.environ["REPRO_TUI_AUDITS"] = f"{folder}/audits"
        prepare(Path(folder, "demo"))
        subprocess.run(
            [sys.executable, "-m", "repro_tui", "prod", "staging", "--explain", "--report", "--quiet"],
            cwd=f"{folder}/demo",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,  # the demo ends in drift, with exit status 1
        )
        (audit,) = Path(folder, "audits").iterdir()
        for name, keys in PICTURES.items():
            asyncio.run(_picture(audit, keys, docs / f"{name}.svg"))
        write_walk(audit, docs)


def main() -> None:
    """Regenerates all of them."""
    from repro_tui.formats.wire.schemas import write_schemas

    root = Path(__file__).parents[2]
    interface = root / "docs" / "interface.md"
    (root / "docs" / "cli.md").write_text(commands_page(), "utf-8")
    interface.write_text(with_keys(interface.read_text("utf-8")), "utf-8")
    write_schemas()
    pictures(root / "docs")


if __name__ == "__main__":
    main()
