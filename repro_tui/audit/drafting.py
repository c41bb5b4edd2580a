"""`init`: looks through a project at two revisions, and drafts a record of both. Nothing of the project is executed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import LOCAL_KINDS, Environment, Predict
from repro_tui.rebuild.environments.pythons.installed import installed_releases
from repro_tui.sources.detect.candidate import StepCandidate
from repro_tui.sources.detect.environments import EnvironmentFile, kind_of
from repro_tui.sources.detect.inputs import InputTable, TableHead, columns_of, input_tables
from repro_tui.sources.detect.parameters import ParameterChoice, choose_parameters
from repro_tui.sources.detect.project import DetectedProject, described, pythons_of
from repro_tui.sources.detect.scripts import notebook_step
from repro_tui.sources.detect.steps import find_steps
from repro_tui.sources.detect.tree import ProjectTree, parent
from repro_tui.sources.git import Revision, folder_in, parse_revision, revision_of, upwards
from repro_tui.sources.overlay import step_of
from repro_tui.sources.worktree_changes import changed_files
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.paths import real_path
from repro_tui.support.text import join_names, plural, quote, show

BEFORE = "HEAD~1"
MOST_PROJECTS = 8  # that a message names
LIKELY_INPUTS = 6  # the points of a table that is taken for the validation inputs


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of `init`: two revisions ("." is the working tree; REV:FOLDER), and what is not to be guessed.

    `predict` is a step as in --predict, `environment` pairs of a kind and a path, `key` columns (None: to be guessed).
    """

    a: str = BEFORE
    b: str = "HEAD"
    predict: str | None = None
    inputs: str | None = None
    key: tuple[str, ...] | None = None
    environment: tuple[str, str] | None = None
    python: str | None = None


@dataclass(slots=True)
class DraftSide:
    """One revision: the folder of the project in its tree, what was detected there, and what was chosen of it.

    `steps` are the candidates for the predict step. `step` is None where there is none, or where one was named.
    `python_of` is the project by whose date the Python was guessed, where that is the other side's.
    """

    revision: Revision
    folder: str
    project: DetectedProject
    steps: list[StepCandidate]
    step: StepCandidate | None = None
    predict: Predict | None = None
    environment: EnvironmentFile | None = None
    python: str | None = None
    python_of: DetectedProject | None = None
    parameters: ParameterChoice = field(default_factory=ParameterChoice)
    notes: list[str] = field(default_factory=list)

    @property
    def needs_python(self) -> bool:
        """Whether the environment does not bring its own Python."""
        return self.environment is None or self.environment.kind in LOCAL_KINDS

    def environment_fields(self) -> Environment:
        """The environment of the record."""
        python = self.python if self.needs_python else None
        if self.environment is None:
            return Environment(python=python)
        return Environment(**{self.environment.kind: self.environment.path}, python=python)  # type: ignore[arg-type]


@dataclass(slots=True)
class Draft:
    """What `init` found at both revisions, and chose. `inputs` is a file of this machine, or a path in B's tree.

    `tables` are the candidates for the inputs, and `head` says what the chosen one has.
    """

    wishes: Wishes
    a: DraftSide
    b: DraftSide
    tables: list[InputTable] = field(default_factory=list)
    inputs: str | None = None
    head: TableHead = field(default_factory=TableHead)
    key: tuple[str, ...] = ()

    @property
    def sides(self) -> tuple[DraftSide, DraftSide]:
        """Both sides, A first."""
        return self.a, self.b


def look(wishes: Wishes, context: Context) -> Draft:
    """Looks through the project at both revisions. Raises Refused where one of them, or a wish, cannot be read."""
    given = step_of(wishes.predict) if wishes.predict else None
    if wishes.python and not grammar_python(wishes.python):
        raise Refused(Mistake("--python", f"{quote(wishes.python, 40)} is not a version such as 3.11"))
    try:
        b = _look_at(wishes.b, None, context)
        a = _look_at(_baseline(wishes, context), b.step if given is None else None, context)
    except Inconclusive as error:
        raise Refused(str(error)) from error
    draft = Draft(wishes, a, b)
    installed = installed_releases()
    for side in draft.sides:
        side.step = _named_step(side, given) if given else side.step
        side.predict = side.step.predict if side.step else given
        side.parameters = _parameters(side)
        choose_environment(side, wishes.environment, context)
        side.python = wishes.python or side.project.guessed_python(installed)
    if not wishes.python:
        _same_python(draft)
    reads = b.step.reads if b.step else ()
    draft.tables = input_tables(b.project.tree, reads)
    choose_inputs(draft, wishes.inputs, context)
    return draft


def _named_step(side: DraftSide, given: Predict) -> StepCandidate | None:
    """The step that was named, as a candidate: of a notebook, the tables that it reads and writes are looked for."""
    path = posixpath.normpath(given.notebook) if given.notebook else ""
    return notebook_step(side.project.tree, path) if path in side.project.tree.files else None


def _parameters(side: DraftSide) -> ParameterChoice:
    """The parameter files of the step; one that was named is looked for among the candidates, by its script."""
    command = side.predict.command if side.predict else ()
    step = side.step or next((item for item in side.steps if item.path in command), None)
    return choose_parameters(side.project.tree, side.project.parameters, step, command)


def _same_python(draft: Draft) -> None:
    """Guesses one Python for both sides where their files say the same of it, and only their dates differ."""
    ranges = [[(item.version, item.range) for item in side.project.pythons] for side in draft.sides]
    if ranges[0] != ranges[1] or draft.a.project.python:
        return
    earlier, later = sorted(draft.sides, key=lambda side: side.project.day)
    if earlier.python != later.python:
        later.python, later.python_of = earlier.python, earlier.project


def _baseline(wishes: Wishes, context: Context) -> str:
    """The revision of A: by default HEAD~1, in the folder that is named for B.

    It is that of B where there is no HEAD~1: the only commit, or a shallow clone.
    """
    if wishes.a != BEFORE:
        return wishes.a
    try:
        revision_of(f"git:{wishes.a}", wishes.a, context)
    except Refused:
        return wishes.b
    _, mark, folder = wishes.b.removeprefix("git:").partition(":")
    return f"{wishes.a}{mark}{folder}"


def grammar_python(text: str) -> bool:
    """Whether a text is a version of Python such as 3.11."""
    numbers = text.split(".")
    return len(numbers) in (2, 3) and numbers[0] == "3" and all(number.isdecimal() for number in numbers)


# -- one side -------------------------------------------------------------------------------------------------------


def _look_at(name: str, like: StepCandidate | None, context: Context) -> DraftSide:
    """One revision; of its candidates the one that is like that of the other side, else the likeliest."""
    working = name == "."
    named = parse_revision("HEAD" if working else name.removeprefix("git:"), "")
    revision = revision_of(f"git:{named.revision}", named.revision, context)
    folder = named.path or folder_in(revision, context)
    tree = ProjectTree.at(revision.repository, revision.commit, folder)
    notes = _working_notes(revision, context) if working else []
    if not tree.files and named.path:
        raise Refused(Mistake(show(name, 200), f"the commit {revision.commit[:12]} has no folder {show(folder, 200)}"))
    if not tree.files and folder != ".":
        notes.append(f"the folder {folder} is not in commit {revision.commit[:12]}: the whole repository was searched")
        folder, tree = ".", ProjectTree.at(revision.repository, revision.commit)
    steps = find_steps(tree)
    step = same_step(steps, like)
    if step is None:
        _check_one_project(name, folder, tree, steps)
        step = next(iter(steps), None)
    inner = _own_folder(tree, step)
    if inner != ".":
        folder = posixpath.normpath(posixpath.join(folder, inner))
        tree = ProjectTree.at(revision.repository, revision.commit, folder)
        within, steps = step, find_steps(tree)
        step = next((item for item in steps if within and posixpath.join(inner, item.path) == within.path), None)
    project = described(tree, parent(step.path) if step else ".")
    return DraftSide(revision, folder, project, steps, step, notes=notes)


def same_step(steps: list[StepCandidate], like: StepCandidate | None) -> StepCandidate | None:
    """The candidate in the same file, and of the same kind, as one of another revision; None where there is none."""
    if like is None:
        return None
    same = [step for step in steps if step.path == like.path or like.path.endswith(f"/{step.path}")]
    return next((step for step in same if _kind(step.predict) == _kind(like.predict)), None)


def _kind(predict: Predict) -> tuple[bool, str]:
    return bool(predict.notebook), predict.call


def _own_folder(tree: ProjectTree, step: StepCandidate | None) -> str:
    """The folder of the project that a step belongs to, in a repository of several projects; else ".".

    A repository has several projects where files that describe an environment are in several folders, and none of them
    is the root.
    """
    folders = _project_folders(tree)
    if step is None or not folders:
        return "."
    return next((folder for folder in upwards(parent(step.path)) if folder in folders), ".")


def _project_folders(tree: ProjectTree) -> set[str]:
    """The folders of the projects in a repository of several; none where it is a single one."""
    folders = {parent(path) for path in tree.files if kind_of(path)[0]}
    return set() if len(folders) < 2 or "." in folders else folders


def _check_one_project(name: str, folder: str, tree: ProjectTree, steps: list[StepCandidate]) -> None:
    """Raises Refused where several projects of a repository have a complete step: which one is meant is not guessed."""
    complete = [step for step in steps if step.complete and step.points > 0]
    owners = dict.fromkeys(_own_folder(tree, step) for step in complete)
    if len(owners) < 2:
        return
    paths = [posixpath.normpath(posixpath.join(folder, owner)) for owner in owners]
    revision = "HEAD" if name == "." else name.removeprefix("git:").partition(":")[0]
    advice = f"name one, as in repro-tui init {BEFORE}:{paths[0]} {revision}:{paths[0]}, or start init in its folder"
    listed = join_names([show(path, 100) for path in paths], most=MOST_PROJECTS)
    raise Refused(Mistake(show(name, 200), f"several projects here have a predict step ({listed}): {advice}"))


def _working_notes(revision: Revision, context: Context) -> list[str]:
    changed = changed_files(revision.root, revision.files, context.cancel)
    count = plural(len(changed), "changed file")
    return [f"HEAD is recorded, without {count} of the working tree: commit first"] if changed else []


def choose_environment(side: DraftSide, named: tuple[str, str] | None, context: Context) -> None:
    """Sets the environment of a side: the one that was named where its tree has it, else the likeliest."""
    side.environment = next(iter(side.project.environments), None)
    if named is None:
        return
    kind, path = named
    inside = posixpath.normpath(path)
    if inside in side.project.tree.files:
        side.environment = EnvironmentFile(kind, inside)  # type: ignore[arg-type]
        code = parent(side.step.path) if side.step else "."
        side.project.pythons = pythons_of(side.project.tree, code, inside)
    elif (context.here / path).is_file() and kind in LOCAL_KINDS and grammar.relative_path(path) is None:
        side.environment = EnvironmentFile(kind, f"file:{inside}")
    else:
        commit = side.revision.commit[:12]
        raise Refused(
            Mistake("--environment", f"{show(path, 200)} is neither in commit {commit} nor in {context.here}")
        )


# -- the inputs -----------------------------------------------------------------------------------------------------


def choose_inputs(draft: Draft, named: str | None, context: Context) -> None:
    """Sets the validation inputs: the file that was named, else the likeliest table of B; and the key of its rows."""
    tree = draft.b.project.tree
    if named is not None:
        file = (context.here / named).absolute()
        if not file.is_file() and named not in tree.files:
            raise Refused(Mistake("--inputs", f"the file {show(str(file), 300)} does not exist"))
        draft.inputs = str(file) if file.is_file() else named
    else:
        first = next(iter(draft.tables), None)
        draft.inputs = first.path if first and first.points >= LIKELY_INPUTS else None
    path = draft.inputs or ""
    in_tree = _in_tree(path, draft.b)
    draft.head = columns_of(tree, in_tree) if in_tree in tree.files else TableHead()
    step = draft.b.step
    guessed = tuple(key for key in draft.head.keys if step and key in step.texts)
    draft.key = draft.wishes.key if draft.wishes.key is not None else guessed


def _in_tree(path: str, side: DraftSide) -> str:
    """A path as one of the side's tree."""
    top = side.revision.root / side.folder
    place = Path(path)
    return place.relative_to(top).as_posix() if place.is_absolute() and place.is_relative_to(top) else path


def inputs_file(draft: Draft, context: Context) -> Path | None:
    """The validation inputs as a file of this machine: the working tree's, else B's blob; None where there is none."""
    if draft.inputs is None:
        return None
    side, path = draft.b, _in_tree(draft.inputs, draft.b)
    if Path(draft.inputs).is_absolute() and path == draft.inputs:
        return Path(draft.inputs)
    file = side.revision.root / side.folder / path
    if file.is_file() and real_path(file).is_relative_to(real_path(side.revision.root)):
        return file
    if path not in side.project.tree.files:
        return None
    return _from_commit(side, path, context)


def _from_commit(side: DraftSide, path: str, context: Context) -> Path:
    tree = side.project.tree

    def write(folder: Path) -> None:
        (folder / posixpath.basename(path)).write_bytes(tree.head(path, tree.files[path].size))

    folder, _ = context.cache.folder("inputs", tree.files[path].blob, write, context.cancel)
    return next(iter(folder.iterdir()))


def names_of(wishes: Wishes, a: str | None, b: str | None) -> tuple[str, str]:
    """The names of the two deployments: those that were given, else the revisions where they are plain words."""
    plain = [name for name in (wishes.a, wishes.b) if name.replace("-", "").replace("_", "").isalnum()]
    known = {"HEAD"} & set(plain)
    default = tuple(plain) if len(set(plain)) == 2 and not known else ("baseline", "candidate")
    names = (a or default[0], b or default[1])
    mistakes = list(_name_mistakes(names))
    if mistakes:
        raise Refused.all(mistakes)
    return names


def _name_mistakes(names: tuple[str, str]) -> Iterator[Mistake]:
    for option, name in zip(("--name-a", "--name-b"), names, strict=True):
        if not name.replace("-", "").replace("_", "").isalnum():
            yield Mistake(option, f"{quote(name, 80)} is not a name of letters, digits, - and _")
    if names[0] == names[1]:
        yield Mistake("--name-b", f"both deployments are called {quote(names[0], 80)}: name them differently")
