"""Git's own line diff of two files, which takes memory in proportion to their size, whatever they contain."""

from __future__ import annotations

import os
from pathlib import Path

from repro_tui.clients.git.process import GitProcess
from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context

TIMEOUT_S = 120.0
CONTEXT_LINES = 3


def write_line_diff(a: Path, b: Path, target: Path, context: Context) -> None:
    """Writes the unified diff of two files, as text whatever they contain, to the new file `target`.

    No configuration, attribute or program of anyone takes part. Raises Inconclusive where git is missing, fails or
    takes longer than two minutes; Cancelled.
    """
    git = GitProcess(context.cache.root / "git", context.cancel)
    done = git.run(
        "-c",
        "core.bigFileThreshold=4g",
        "diff",
        "--no-index",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
        "--text",
        "--diff-algorithm=histogram",
        f"--unified={CONTEXT_LINES}",
        f"--output={target}",
        "--",
        os.path.realpath(a),  # git compares links by their targets' names
        os.path.realpath(b),
        timeout_s=TIMEOUT_S,
    )
    if done.exit_code not in (0, 1):  # 1: they differ
        raise Inconclusive(f"git could not compare them: {done.reason}", "check free memory and disk space")
