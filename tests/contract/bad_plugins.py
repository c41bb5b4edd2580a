"""A third-party package whose sources, builders, runners and reporters each misbehave in one way.

It is installed by `installed`: a folder for PYTHONPATH, with the metadata of a package. `prints` behaves, but for what
all but the first three write to standard output.
"""

from __future__ import annotations

from pathlib import Path

BEHAVIOURS = ("raises", "exits", "hangs", "garbage", "invalid", "prints")
GROUPS = {"sources": "Source", "environments": "Builder", "runners": "Runner", "reporters": "Reporter"}
BROKEN = "import sys\nsys.exit('this package is broken')\n"
MODULE = '''\
import os, sys, time
from dataclasses import replace


def misbehave(behaviour):
    """What all kinds have in common; "garbage" and "invalid" are what they return."""
    if behaviour == "raises":
        raise KeyError("no such thing\\x1b[2J")
    if behaviour == "exits":
        sys.exit(0)
    if behaviour == "hangs":
        time.sleep(600)
    os.write(1, b"written by a plug-in\\n")
    os.system("echo written by its child")
    print("printed by a plug-in")


class Source:
    def load(self, reference, context):
        from repro_tui.sources.recordfile import RecordFile

        misbehave(self.behaviour)
        record = RecordFile().load("record.json#a", context)
        return {"garbage": {"name": "x"}, "invalid": replace(record, name=7)}.get(self.behaviour, record)


class Builder:
    def rebuild(self, record, code, context):
        from repro_tui.model.record import Environment
        from repro_tui.rebuild.environments.requirements import RequirementsBuilder

        misbehave(self.behaviour)
        plain = replace(record, environment=Environment(requirements="requirements.txt"))
        built, part = RequirementsBuilder().rebuild(plain, code, context)
        if self.behaviour == "garbage":
            return built
        return (replace(built, kind="balloon") if self.behaviour == "invalid" else built), part


class Runner:
    environments = ("venv",)

    def run(self, workspace, inputs, number, context):
        from repro_tui.execute.local import LocalRunner

        misbehave(self.behaviour)
        run = LocalRunner().run(workspace, inputs, number, context)
        return {"garbage": None, "invalid": replace(run, predictions="/nowhere")}.get(self.behaviour, run)


class Reporter:
    def write(self, report, stream):
        misbehave(self.behaviour)
        if self.behaviour == "invalid":
            stream.write(report)
        if self.behaviour != "garbage":
            stream.write(report.verdict + "\\n")


for kind in (Source, Builder, Runner, Reporter):
    for name in BEHAVIOURS:
        globals()[f"{kind.__name__}_{name}"] = type(name, (kind,), {"behaviour": name})
'''


def installed(folder: Path) -> Path:
    """Installs the package into a folder, which belongs into PYTHONPATH."""
    information = folder / "bad_plugins-1.0.dist-info"
    information.mkdir(parents=True)
    (folder / "bad_plugins_module.py").write_text(f"BEHAVIOURS = {BEHAVIOURS!r}\n{MODULE}")
    (folder / "bad_plugins_broken.py").write_text(BROKEN)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-plugins\nVersion: 1.0\n")
    lines = []
    for group, kind in GROUPS.items():
        lines.append(f"[repro_tui.{group}]")
        names = {name: f"bad_plugins_module:{kind}_{name}" for name in BEHAVIOURS} | {"broken": "bad_plugins_broken:X"}
        lines += [f"{f'lock.{name}.lock' if kind == 'Builder' else name} = {value}" for name, value in names.items()]
    (information / "entry_points.txt").write_text("\n".join(lines))
    return folder
