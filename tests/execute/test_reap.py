"""Leases: held while an engine is alive, and never mistaken for those of a dead engine."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from repro_tui.execute.reap import hold_lease, living, reap
from repro_tui.support.context import Context

HOLDER = """
import sys, time
from pathlib import Path
from repro_tui.execute.reap import hold_lease
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
with hold_lease(Context(cache=Cache(Path(sys.argv[1])), audit_id="other")):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lease_lasts_as_long_as_it_is_held(context: Context) -> None:
    with hold_lease(context):
        assert living(context.cache) == ["test"]
        reap(replace(context, audit_id="next"))
        assert living(context.cache) == ["test"]
    assert living(context.cache) == []


def test_a_killed_engine_is_dead_at_once(context: Context) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(context.cache.root)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert living(context.cache) == ["other"]
        holder.kill()
    assert living(context.cache) == []
    assert (context.cache.root / "leases" / "other").exists()
    reap(context)
    assert not (context.cache.root / "leases" / "other").exists()
