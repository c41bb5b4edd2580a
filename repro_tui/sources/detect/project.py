"""Everything that is detected at one commit, and the record that it makes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from repro_tui.clients.git import Repository
from repro_tui.model.record import DataItem, Environment, Missing, Parameters, Predict
from repro_tui.sources.detect.candidate import StepCandidate
from repro_tui.sources.detect.data import (
    MOST_ITEMS,
    DataFile,
    committed_data,
    made_by_stages,
    parameter_files,
    tracked_data,
)
from repro_tui.sources.detect.environments import NO_ENVIRONMENT, EnvironmentFile, environment_files
from repro_tui.sources.detect.parameters import choose_parameters
from repro_tui.sources.detect.python import NamedPython, likely_python, named_pythons
from repro_tui.sources.detect.steps import find_steps
from repro_tui.sources.detect.tree import OUTSIDE, ProjectTree, distance, parent, shown
from repro_tui.support.text import join_names

MOST_NAMED = 5
LIKELY = 10  # the points of a step that is worth suggesting


@dataclass(slots=True)
class DetectedProject:
    """What the files of a commit say, below the folder `tree.folder` of the repository; lists begin with the likeliest.

    `day` is the commit's date (UTC).
    """

    tree: ProjectTree
    day: date
    environments: list[EnvironmentFile] = field(default_factory=list)
    pythons: list[NamedPython] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    tracked: list[DataFile] = field(default_factory=list)
    committed: list[DataFile] = field(default_factory=list)

    @property
    def commit(self) -> str:
        """The full id of the commit."""
        return self.tree.commit

    @property
    def python(self) -> str | None:
        """The version of Python that the commit names exactly."""
        return next((item.version for item in self.pythons if item.version), None)

    def guessed_python(self, installed: Collection[str] = ()) -> str:
        """The version that the commit most likely ran on: what its ranges allow, and had matured.

        Of `installed` versions that are allowed as well, the nearest to it.
        """
        return self.python or likely_python([item for item in self.pythons if item.range], self.day, installed)


def detect(repository: Repository, commit: str, folder: str = ".", code: str = ".") -> DetectedProject:
    """Detects the project in a folder of a commit; `code` is the folder below it that the nearest files belong to.

    Raises Inconclusive where the commit cannot be read. What of it cannot be understood is in `tree.unread`.
    """
    return described(ProjectTree.at(repository, commit, folder), code)


def described(tree: ProjectTree, code: str = ".") -> DetectedProject:
    """The project in a tree, with the files that are nearest to the folder `code` first."""
    day = tree.repository.committed(tree.commit).date()
    environments = environment_files(tree, code)
    return DetectedProject(
        tree,
        day,
        environments,
        pythons_of(tree, code, environments[0].path if environments else ""),
        parameter_files(tree, code),
        tracked_data(tree),
        committed_data(tree),
    )


def pythons_of(tree: ProjectTree, code: str, environment: str) -> list[NamedPython]:
    """What the files near the code and near the file of its environment ("": none) say of the version of Python."""
    near = {code, parent(environment)} if environment else {code}
    named = named_pythons(tree, code, environment)
    return [item for item in named if any(distance(parent(item.path), folder) < OUTSIDE for folder in near)]


# -- the parts of a record ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Detected:
    """The parts of a record that the files of a commit describe without any guess, and what is missing."""

    environment: Environment = field(default_factory=Environment)
    parameters: Parameters = field(default_factory=Parameters)
    data: tuple[DataItem, ...] = ()
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)


def detected_parts(project: DetectedProject) -> Detected:
    """The parts of a record, as far as the commit describes them. The predict step and its inputs are never guessed."""
    parts = Detected()
    parts.environment = _environment(project, parts)
    chosen = choose_parameters(project.tree, project.parameters, None)
    if chosen.names:
        parts.parameters = Parameters.of_files(chosen.names)
        names = join_names([shown(name) for name in chosen.names], most=MOST_NAMED)
        parts.provenance["parameters.files" if parts.parameters.files else "parameters.file"] = (
            f"{names} at {project.commit}"
        )
        if others := [name for name in project.parameters if name not in chosen.names]:
            parts.warnings.append(_also("the parameters", chosen.names[0], others, "read"))
    parts.warnings += [f"{unresolved}: such a file is compared as code" for unresolved in chosen.unresolved]
    parts.data = tuple(file.item for file in project.tracked)
    parts.provenance |= {
        f"data.{number}": f"{shown(file.named_by)} at {project.commit}" for number, file in enumerate(project.tracked)
    }
    parts.warnings += [f"{shown(path)} {why}; it is left out" for path, why in _telling(project)]
    parts.missing += _undeclared(project)
    return parts


def _telling(project: DetectedProject) -> Iterator[tuple[str, str]]:
    """The files that could not be understood and that may belong to the record."""
    for path, why in list(project.tree.unread.items())[:MOST_NAMED]:
        if not path.endswith((".py", ".ipynb")):
            yield path, why


def _environment(project: DetectedProject, parts: Detected) -> Environment:
    if not project.environments:
        parts.missing.append(Missing("environment", NO_ENVIRONMENT, "commit one of them, or pass --requirements FILE"))
        return Environment(python=_python(project, parts))
    first, *others = project.environments
    if _is_elsewhere(first) and any(_is_elsewhere(file) and parent(file.path) != parent(first.path) for file in others):
        names = join_names([shown(file.path) for file in project.environments], most=MOST_NAMED)
        why = f"the commit has several, each in a folder of its own: {names}"
        parts.missing.append(Missing("environment", why, f"pass --{first.kind} PATH, or start in the project's folder"))
        return Environment()
    others = [file for file in others if not _belongs_to(file, first)]
    if others:
        parts.warnings.append(_also("the environment", first.path, [file.path for file in others], "deployed"))
    parts.provenance[f"environment.{first.kind}"] = f"{shown(first.path)} at {project.commit}"
    return environment_of(first, None if first.kind == "dockerfile" else _python(project, parts))


def _is_elsewhere(file: EnvironmentFile) -> bool:
    """Whether a file is neither beside the code nor in a folder above it."""
    return file.rank[1] >= OUTSIDE


def _belongs_to(file: EnvironmentFile, lock: EnvironmentFile) -> bool:
    """Whether a file only states what the lock file beside it has pinned."""
    return lock.kind == "lock" and file.kind == "project" and parent(file.path) == parent(lock.path)


def environment_of(file: EnvironmentFile, python: str | None = None) -> Environment:
    """The environment that a file describes."""
    choice: dict[str, Any] = {file.kind: file.path}
    return Environment(**choice, python=python)


def _python(project: DetectedProject, parts: Detected) -> str | None:
    named = next((item for item in project.pythons if item.version), None)
    if named:
        parts.provenance["environment.python"] = f"{shown(named.path)} at {project.commit}"
        return named.version
    ranges = join_names([f"{shown(item.path)} allows {shown(item.range)}" for item in project.pythons], most=2)
    why = ranges or "no file of the commit names a version of Python"
    do = f"pass --python {project.guessed_python()}, or write .python-version and commit it"
    parts.missing.append(Missing("environment.python", f"not named exactly: {why}", do))
    return None


def _undeclared(project: DetectedProject) -> Iterator[Missing]:
    yield Missing(
        "validation.inputs",
        "the commit does not name validation inputs",
        'write inputs = "FILE" and key = ["COLUMN"] under [validation], or pass --inputs FILE',
    )
    steps = find_steps(project.tree)
    step = next((step for step in steps if step.points >= LIKELY and step.complete and _as_option(step.predict)), None)
    do = (
        f"{shown(step.path)} may be it: pass --predict '{_as_option(step.predict)}'"
        if step
        else "pass --predict COMMAND with {inputs} and {output}, or let repro-tui init look for one"
    )
    yield Missing("predict", "the commit does not name a predict step", do)


def _as_option(predict: Predict) -> str:
    """A step as the value of --predict; "" where that cannot hold it."""
    if predict.call:
        return f"call:{predict.call}"
    if predict.notebook or predict.inputs or predict.output or any("'" in word for word in predict.command):
        return ""
    return " ".join(word if word and " " not in word else f'"{word}"' for word in predict.command)


def _also(field: str, first: str, others: list[str], verb: str) -> str:
    names = join_names([shown(path) for path in others], most=MOST_NAMED)
    return (
        f"{shown(first)} is used as {field}, but the commit also has {names}: correct the record if another is {verb}"
    )


def data_files(
    project: DetectedProject, step: StepCandidate | None, without: str = "", command: str = ""
) -> list[DataFile]:
    """The data of the project for a record: what DVC tracks, then committed models and tables, at most 20 of these.

    Of a step that names all that it depends on, only that is listed; `without` is left out, and so is what a `command`
    makes that runs stages of DVC itself.
    """
    made = made_by_stages(project.tree, command)
    tracked = [file for file in project.tracked if _is_needed(file.item.path, step) and file.item.path not in made]
    files = [file for file in (*tracked, *project.committed) if file.item.path != without]
    return files[: max(MOST_ITEMS, len(tracked))]


def _is_needed(path: str, step: StepCandidate | None) -> bool:
    """Whether a step may read a path; one without a list of what it depends on may read everything."""
    if step is None or step.needs is None:
        return True
    return any(need == path or need.startswith(f"{path}/") or path.startswith(f"{need}/") for need in step.needs)
