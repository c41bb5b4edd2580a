"""All candidates for the predict step of a project."""

from __future__ import annotations

from repro_tui.sources.detect.candidate import StepCandidate
from repro_tui.sources.detect.data import model_files
from repro_tui.sources.detect.declared import entry_point_steps, stage_steps
from repro_tui.sources.detect.scripts import notebook_steps, script_steps
from repro_tui.sources.detect.tree import ProjectTree, depth_first

MOST_STEPS = 40


def find_steps(tree: ProjectTree) -> list[StepCandidate]:
    """The candidates in a tree, complete ones first, and of those the likeliest."""
    models = model_files(tree)
    steps = [*script_steps(tree, models), *notebook_steps(tree), *stage_steps(tree), *entry_point_steps(tree)]
    steps.sort(key=lambda step: (not step.complete, -step.points, depth_first(step.path)))
    return steps[:MOST_STEPS]
