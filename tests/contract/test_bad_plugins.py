"""Plug-ins that raise, exit, hang, print or return garbage: a report that names them, and never a traceback."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from repro_tui.model.errors import Cancelled, PluginFailed
from repro_tui.support import plugins
from repro_tui.support.cancel import CancelToken
from repro_tui.support.plugins import Plugin
from tests.audit.project import Project, Result
from tests.audit.project import warm_cache as warm_cache
from tests.conftest import NIGHTLY
from tests.contract.bad_plugins import BROKEN, installed
from tests.processes import BOUND_S, wait_until
from tests.tui.folders import finished

REASONS = {
    "raises": "failed: KeyError: 'no such thing",
    "exits": "failed: SystemExit: 0",
    "garbage": "returned ",
    "invalid": "returned ",
}


def behaviours(*by_day: str) -> pytest.MarkDecorator:
    """All behaviours in the nightly lane; by day those that the other kinds of plug-ins do not show."""
    return pytest.mark.parametrize("behaviour", [*REASONS, "hangs"] if NIGHTLY else by_day)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("bad-plugins"))


@pytest.fixture
def project(tmp_path: Path, warm_cache: None, package: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")])))
    project = Project(tmp_path / "project")
    project.record(a=project.deployment(), b=project.deployment())
    return project


def shorten_time(behaviour: str) -> None:
    """Sets a short limit for what hangs."""
    if behaviour != "hangs":
        return
    config = Path(os.environ["REPRO_TUI_CONFIG"])
    config.mkdir()
    (config / "config.toml").write_text("[limits]\nplugin_time = 1\n")


def check_is_named(result: Result, label: str, behaviour: str, step: str, *sides: str) -> None:
    assert result.status == 3, result.stderr
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr
    assert result.report["verdict"] == "not-comparable"
    for side in sides:
        lost = result.report["sides"][side]
        assert lost["failed"] == step
        assert f"{label} {REASONS.get(behaviour, 'did not return within')}" in lost["what"]
        assert "report it to the authors of its package" in lost["do"]


@behaviours("raises", "invalid")
def test_a_source_is_named_in_a_report(project: Project, behaviour: str) -> None:
    shorten_time(behaviour)
    result = project.run(f"{behaviour}:x", "record.json#b", "--report", *project.options())
    check_is_named(result, f"the source {behaviour}", behaviour, "record", "a")
    assert project.audits() == []


@behaviours("exits", "garbage")
def test_a_builder_of_environments_is_named_in_a_report(project: Project, behaviour: str) -> None:
    shorten_time(behaviour)
    commit = project.repository.commit({f"{behaviour}.lock": ""})
    side = project.deployment(code={"repository": "code", "commit": commit}, environment={"lock": f"{behaviour}.lock"})
    project.record(a=project.deployment(), b=side)
    result = project.audit()
    check_is_named(result, f"the environment's builder lock.{behaviour}.lock", behaviour, "environment", "b")


@behaviours("raises", "invalid")
def test_a_runner_is_named_in_a_report(project: Project, behaviour: str) -> None:
    shorten_time(behaviour)
    deployment = project.deployment()
    deployment["predict"]["timeout_s"] = 1 if behaviour == "hangs" else 60
    project.record(a=deployment, b=deployment)
    result = project.audit("--runner", behaviour)
    sides = [name for name, side in result.report["sides"].items() if "ended, because" not in side["what"]]
    lost = [name for name in sides if result.report["sides"][name]["failed"]]
    assert lost
    step = result.report["sides"][lost[0]]["failed"]
    assert step.startswith("run ")
    check_is_named(result, f"the runner {behaviour}", behaviour, step, lost[0])


def test_reporters_are_named_in_the_other_report_and_leave_their_files(project: Project, tmp_path: Path) -> None:
    audit = finished(tmp_path / "audit")
    reasons = {
        "raises": "failed: KeyError: 'no such thing",
        "exits": "failed: SystemExit: 0",
        "garbage": "wrote nothing",
        "invalid": "failed: TypeError",
    }
    if NIGHTLY:
        shorten_time("hangs")
        reasons["hangs"] = "did not return within 1 s"
    for behaviour in reasons:
        (project.folder / f"{behaviour}.txt").write_text("old")
    formats = [word for behaviour in reasons for word in ("--format", f"{behaviour}={behaviour}.txt")]
    result = project.run("show", str(audit.path), "--report", *formats)
    assert (result.status, result.report["exit_status"]) == (3, 3), result.stderr
    warnings = "\n".join(result.report["warnings"])
    for behaviour, reason in reasons.items():
        for text in (result.stderr, warnings):
            assert f"the reporter {behaviour} {reason}" in text
        assert (project.folder / f"{behaviour}.txt").read_text() == "old"
    assert not {"\x1b", "Traceback"} & set(result.stderr.split())


def test_what_they_print_stays_out_of_the_report(project: Project) -> None:
    commit = project.repository.commit({"prints.lock": ""})
    side = project.deployment(code={"repository": "code", "commit": commit}, environment={"lock": "prints.lock"})
    project.record(a=project.deployment(), b=side)
    formats = ("--report", "--format", "prints=out.txt", "--runner", "prints")
    result = project.run("prints:x", "record.json#b", *formats, *project.options())
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    assert (project.folder / "out.txt").read_text() == "identical\n"
    for text in ("written by a plug-in", "written by its child", "printed by a plug-in"):
        assert text in result.stderr
    again = project.run("show", str(project.audits()[0]), "--format", "prints=-", "--quiet")
    assert (again.status, again.stdout) == (0, "identical\n"), again.stderr


@pytest.mark.parametrize("kind", ["source", "environment", "runner", "reporter"])
def test_what_cannot_be_loaded_is_refused_before_anything_runs(project: Project, kind: str) -> None:
    commit = project.repository.commit({"broken.lock": ""})
    side = project.deployment(code={"repository": "code", "commit": commit}, environment={"lock": "broken.lock"})
    project.record(a=project.deployment(), b=side if kind == "environment" else project.deployment())
    a = "broken:x" if kind == "source" else "record.json#a"
    options = {"runner": ("--runner", "broken"), "reporter": ("--format", "broken=out.txt")}.get(kind, ())
    result = project.run(a, "record.json#b", "--report", *options, *project.options())
    assert (result.status, result.stdout, project.audits()) == (2, "", [])
    (line,) = result.stderr.splitlines()
    assert "broken" in line
    assert BROKEN.splitlines()[1].split("'")[1] in line


@pytest.mark.skipif(not NIGHTLY, reason="waits for as long as a plug-in may take to stop: make test-nightly")
def test_ctrl_c_reaches_a_source_that_hangs(project: Project) -> None:
    view = project.start("hangs:x", "record.json#b", "--report")
    wait_until(lambda: _threads(view.pid) > 3 or view.poll() is not None, "both sides are read")
    time.sleep(0.2)
    view.send_signal(signal.SIGINT)
    output, errors = view.communicate(timeout=BOUND_S)
    assert (view.returncode, output) == (130, b""), errors


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir())) if Path(f"/proc/{pid}/task").exists() else 0


class TestCalls:
    """The guard itself, without a process around it."""

    @pytest.fixture
    def plugin(self, monkeypatch: pytest.MonkeyPatch) -> Plugin:
        monkeypatch.setattr(plugins, "is_third_party", lambda group, name: True)
        monkeypatch.setattr(plugins, "GRACE_S", 0.2)
        return Plugin("repro_tui.runners", "slow", "the runner slow")

    def test_what_hangs_is_left_behind(self, plugin: Plugin) -> None:
        with pytest.raises(PluginFailed, match=r"the runner slow did not return within 0 s\..*limits\.plugin_time"):
            plugin.call(lambda token: time.sleep(600), CancelToken(), 0.1)

    def test_what_obeys_may_clean_up_first(self, plugin: Plugin) -> None:
        ended = []

        def obedient(token: CancelToken) -> None:
            try:
                token.wait(600)
            finally:
                ended.append(True)

        with pytest.raises(PluginFailed, match="did not return"):
            plugin.call(obedient, CancelToken(), 0.1)
        assert ended

    def test_cancelling_reaches_what_hangs(self, plugin: Plugin) -> None:
        cancel = CancelToken()
        cancel.cancel(15)
        with pytest.raises(Cancelled) as error:
            plugin.call(lambda token: time.sleep(600), cancel, 600)
        assert error.value.exit_status == 143

    @pytest.mark.parametrize("error", [Cancelled(), KeyboardInterrupt(), GeneratorExit(), OSError(28, "full")])
    def test_no_exception_ends_more_than_the_call(self, plugin: Plugin, error: BaseException) -> None:
        def fail(token: CancelToken) -> None:
            raise error

        with pytest.raises(PluginFailed, match=f"the runner slow failed: {type(error).__name__}"):
            plugin.call(fail, CancelToken(), 60)


def test_the_report_of_a_plug_in_is_one_of_the_schema(project: Project) -> None:
    import jsonschema

    from repro_tui.formats.wire.schemas import schema_text

    result = project.run("raises:x", "record.json#b", "--report", "--junit", "out.xml", *project.options())
    jsonschema.validate(result.report, json.loads(schema_text("report")))
    assert "the source raises failed" in (project.folder / "out.xml").read_text()
