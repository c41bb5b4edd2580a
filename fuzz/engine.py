"""Runs one target under atheris: `python -m fuzz.engine TARGET CORPUS SECONDS`. Ends with status 0 where nothing broke.

The last line but libFuzzer's own is `stat::` with the number of executions. What breaks the target is written to CORPUS
beside its inputs, as `crash-…`, `timeout-…` or `oom-…`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["repro_tui"], enable_loader_override=False):
    import repro_tui.api
    import repro_tui.audit.follow
    import repro_tui.formats.forked  # noqa: F401
    from fuzz.targets import TARGETS

SECONDS_AN_INPUT = 10
MEMORY_MIB = 3000
LONGEST = 1 << 14


def main(name: str, corpus: str, seconds: str) -> None:
    """Fuzzes the target of this name; ends the process."""
    target = TARGETS[name]
    with atheris.instrument_imports(include=["repro_tui"], enable_loader_override=False):
        for seed in sorted(Path(corpus, name).iterdir()):
            target(seed.read_bytes())  # the target's own imports
    options = [f"-max_total_time={seconds}", f"-timeout={SECONDS_AN_INPUT}", f"-rss_limit_mb={MEMORY_MIB}"]
    options += [f"-max_len={LONGEST}", "-print_final_stats=1", "-verbosity=0", f"-artifact_prefix={corpus}/"]
    atheris.Setup([sys.argv[0], *options, f"{corpus}/{name}"], lambda data: 0 * target(data))
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
