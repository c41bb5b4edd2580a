"""What changed in uv's own cache is noticed when an environment is built from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro_tui.model.record import Environment, Record
from repro_tui.rebuild.environments.python import rebuild_python_environment
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from tests.audit.test_verified import flip
from tests.wheels import wheel


def build(context: Context, folder: Path) -> tuple[Path, tuple[str, ...]]:
    record = Record("x", "x", environment=Environment(requirements="file:requirements.txt"), base=str(folder))
    environment, part = rebuild_python_environment(record, None, context)
    damage = tuple(text for text in part.warnings if "damaged" in text)
    return next(Path(environment.folder).glob("lib/*/site-packages")), damage


def test_a_package_that_changed_in_the_cache_of_uv_is_fetched_again(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (tmp_path / "requirements.txt").write_text(wheel(wheels, "scales", 3))
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_OFFLINE", "1")
    site, warnings = build(context, tmp_path)
    assert warnings == ()
    flip(site / "scales.py")  # uv's cache has the same file: they are linked
    monkeypatch.setattr(context.cache, "_verified", {})
    again, warnings = build(context, tmp_path)
    assert (again / "scales.py").read_text() == "VALUE = 2\n"
    assert [text[:43] for text in warnings] == ["uv's copy of scales was damaged (scales.py)"]
    assert len(context.cache.damage) == 1
    remove_tree(context.cache.root / "folders/environments")
    assert build(context, tmp_path) == (again, ())


def test_a_wheel_whose_own_record_is_wrong_is_installed(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (tmp_path / "requirements.txt").write_text(wheel(wheels, "scales", 3, recorded={"scales.py": "VALUE = 3"}))
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_OFFLINE", "1")
    site, _ = build(context, tmp_path)
    assert (site / "scales.py").read_text() == "VALUE = 2\n"
