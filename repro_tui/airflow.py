"""An audit as a task of Apache Airflow 2.10 or 3: `ReproAuditOperator`.

It calls the command line in a process of its own, so that Airflow's environment and ours share nothing else: `program`
may be that of another virtual environment. Airflow itself is not installed by any extra of this package.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from repro_tui.support.regular import read_regular

try:  # Airflow 3
    from airflow.sdk import BaseOperator
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
except ImportError:  # Airflow 2
    from airflow.exceptions import AirflowFailException, AirflowSkipException
    from airflow.models.baseoperator import BaseOperator

Inconclusive = Literal["skip", "fail"]
FORMATS = {"--report": "report.json", "--html": "report.html", "--junit": "report.xml", "--markdown": "report.md"}


class ReproAuditOperator(BaseOperator):  # type: ignore[misc]
    """Audits A, the baseline, against B, the candidate.

    `a` and `b` are references as on the command line; `folder` is where the reports are written, made if it is not
    there; `options` are more options of `repro-tui audit`, such as `--explain`. `a`, `b`, `folder`, `options` and
    `variables` (environment variables of the audit, beside those of the worker) are templates.

    The XCom value is a dictionary with `verdict`, `exit_status`, `summary` (sentences), `audit` (its id) and `reports`
    (format to path). It is there whatever the outcome. The task succeeds where nothing gated differs; it fails for a
    difference and where the audit is refused, and is not retried then; where the audit is inconclusive, it is skipped,
    or fails and may be retried with `on_inconclusive="fail"`.
    """

    template_fields: ClassVar[Sequence[str]] = ("a", "b", "folder", "options", "variables")
    template_fields_renderers: ClassVar[dict[str, str]] = {"options": "json", "variables": "json"}

    def __init__(
        self,
        *,
        a: str,
        b: str,
        folder: str,
        options: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        on_inconclusive: Inconclusive = "skip",
        program: str = "repro-tui",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_inconclusive not in ("skip", "fail"):
            raise ValueError(f"on_inconclusive is {on_inconclusive!r}: expected skip or fail")
        self.a, self.b, self.folder = a, b, folder
        self.options, self.variables = list(options), dict(variables or {})
        self.on_inconclusive, self.program = on_inconclusive, program

    def execute(self, context: Any) -> dict[str, Any]:
        """Runs the audit, logs its progress, and returns the XCom value."""
        folder = Path(self.folder).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        for name in FORMATS.values():  # of an earlier try
            (folder / name).unlink(missing_ok=True)
        status, last = self._run(folder)
        report = _report(folder / "report.json")
        if report is None or status not in (0, 1, 3):
            raise AirflowFailException(f"repro-tui ended with status {status}: {last}")
        value = {
            "verdict": report["verdict"],
            "exit_status": status,
            "summary": report["summary"],
            "audit": report["audit"]["id"],
            "reports": {option.removeprefix("--"): str(folder / name) for option, name in FORMATS.items()},
        }
        if status == 0:
            return value
        context["ti"].xcom_push(key="return_value", value=value)
        reason = " ".join(report["summary"][:1]) or f"the verdict is {report['verdict']}"
        if status == 1:
            raise AirflowFailException(reason)
        if self.on_inconclusive == "skip":
            raise AirflowSkipException(reason)
        raise RuntimeError(reason)

    def on_kill(self) -> None:
        """Stops the audit, whose engine removes what it started."""
        process: subprocess.Popen[str] | None = getattr(self, "_process", None)
        if process and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    def _run(self, folder: Path) -> tuple[int, str]:
        """The exit status of the audit, and the last line that it printed."""
        files = [word for option, name in FORMATS.items() for word in (option, str(folder / name))]
        command = [self.program, "audit", *files, *self.options, "--", self.a, self.b]
        last = ""
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **self.variables},
        ) as process:
            self._process = process
            for line in process.stderr or ():
                last = line.rstrip()
                self.log.info("%s", last)
        return process.returncode, last


def _report(file: Path) -> dict[str, Any] | None:
    """The report, or None where there is none."""
    try:
        value = json.loads(read_regular(file))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
