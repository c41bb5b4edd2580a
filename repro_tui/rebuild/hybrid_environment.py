"""The environment of a hybrid: projects that are installed from a commit are code, and are built from the hybrid's own.

Otherwise A's environment would keep A's copy of the project, the code of B next to it would never be imported, and the
search would say that the code has no effect. The same holds for parameters and data inside a package (packaged.py).
"""

from __future__ import annotations

from dataclasses import replace

from repro_tui.model.workspace import BuiltEnvironment, CodeTree
from repro_tui.rebuild.environments.builds.project import built_project
from repro_tui.rebuild.environments.pythons.interpreters import find_interpreter
from repro_tui.rebuild.environments.venv import is_of_commit, made_environment, pin_name
from repro_tui.support.context import Context

STEP = "environment"


def with_projects(
    environment: BuiltEnvironment, of_code: BuiltEnvironment, code: CodeTree | None, context: Context
) -> BuiltEnvironment:
    """The environment with the projects of `code` in place of those of its own commit; its inventory stays.

    `of_code` is the environment of the side that the code is from, which names the projects. Raises Inconclusive where
    one cannot be built.
    """
    rest = [pin for pin in environment.pins if not is_of_commit(pin)]
    if not environment.is_pinned or (not of_code.projects and len(rest) == len(environment.pins)):
        return environment
    interpreter = find_interpreter(environment.inventory.interpreter["version"], context)
    with context.step(STEP, "installing the projects of the code") as step:
        projects = [
            built_project(folder, code, of_code.as_of, interpreter, step, context).pin
            for folder in of_code.projects
            if code is not None
        ]
        names = {pin_name(pin) for pin in projects}
        pins = sorted([*(pin for pin in rest if pin_name(pin) not in names), *projects])
        if pins == sorted(environment.pins):
            return environment
        built = made_environment(pins, interpreter, step, context)
    return replace(environment, key=built.key, folder=built.folder, python=built.python, pins=built.pins)
