"""A folder as a working tree: the commit at HEAD, what differs from it, and what the project's files describe."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from repro_tui.clients.git import Repository
from repro_tui.clients.git.checkout import check_out
from repro_tui.formats.documents import parse_document
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Code, DataItem, Environment, Missing, Parameters, Record
from repro_tui.model.workspace import TreeFile
from repro_tui.sources.git import find_repository
from repro_tui.sources.worktree_changes import changed_files, new_files
from repro_tui.support.context import Context
from repro_tui.support.text import plural, show

PARAMETERS = ("params.yaml", "params.yml", "params.toml", "params.json")
MOST_NAMED = 5
NO_ENVIRONMENT = "the commit has no uv.lock, pylock.toml, requirements.txt or Dockerfile"


class WorkingTree:
    """Reads the record of a working folder. Nothing in it is executed, and git is not run there."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record of a folder (`.`, `./models`). Raises Refused."""
        folder = (context.here / reference.removeprefix("worktree:")).resolve()
        if not folder.is_dir():
            raise Refused(Mistake(show(reference, 200), f"the folder {folder} does not exist: correct the reference"))
        root = find_repository(folder)
        name = folder.name or "worktree"
        if root is None:
            why = f"{folder} is not in a git repository"
            gap = Missing("code", why, "run git init, commit the project, and record again")
            gaps = (gap, *_not_in_a_tree(), Missing("environment", why, "commit a lock file, and record again"))
            return Record(name, reference, str(folder), missing=gaps)
        try:
            return _WorktreeReader(folder, root, reference, name, context).record()
        except Inconclusive as error:
            raise Refused(Mistake(show(reference, 200), str(error))) from error


def _not_in_a_tree() -> tuple[Missing, ...]:
    """What no working tree describes, and what must not be guessed."""
    return (
        Missing(
            "validation.inputs",
            "a working tree does not name validation inputs",
            'write inputs = "FILE" and key = ["COLUMN"] under [validation], or pass --inputs FILE',
        ),
        Missing(
            "predict",
            "a working tree does not name a predict step",
            'write predict.command = ["python", "predict.py", "{inputs}", "{output}"], or pass --predict COMMAND',
        ),
    )


@dataclass(slots=True)
class _WorktreeReader:
    folder: Path
    root: Path
    reference: str
    name: str
    context: Context
    files: dict[str, TreeFile] = field(default_factory=dict)
    repository: Repository = field(init=False)
    commit: str = ""
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)

    def record(self) -> Record:
        self.repository = Repository.open(str(self.root), self.context)
        commit = self.repository.resolve("HEAD")
        if commit is None:
            self.missing.append(Missing("code.commit", f"{self.root} has no commit yet", "commit, and record again"))
            return Record(self.name, self.reference, str(self.folder), missing=(*self.missing, *_not_in_a_tree()))
        self.commit = commit
        tree_files = self.repository.files(commit)
        prefix = "" if self.folder == self.root else f"{self.folder.relative_to(self.root)}/"
        self.files = {path.removeprefix(prefix): file for path, file in tree_files.items() if path.startswith(prefix)}
        environment = self._environment()
        return Record(
            name=self.name,
            reference=self.reference,
            base=str(self.folder),
            code=self._code(tree_files),
            environment=environment,
            parameters=self._parameters(),
            data=self._data(),
            missing=(*self.missing, *_not_in_a_tree()),
            warnings=tuple(self.warnings),
            provenance=self.provenance,
        )

    # -- code ---------------------------------------------------------------------------------------------------

    def _code(self, tree_files: dict[str, TreeFile]) -> Code:
        changed = self._changed(tree_files)
        untracked = new_files(self.root, tree_files, self.context.cancel)
        if changed:
            reason = f"the working tree differs from the commit in {plural(len(changed), 'file')}: {_named(changed)}"
            self.missing.append(Missing("code.changes", reason, "commit the changes, and record again"))
        if untracked:
            self.warnings.append(
                f"the working tree has {plural(len(untracked), 'file')} not in the commit: {_named(untracked)}; "
                "commit what the deployment needs"
            )
        subdirectory = str(self.folder.relative_to(self.root))
        origin = "HEAD of the working tree"
        self.provenance |= {"code.repository": origin, "code.commit": origin}
        self.provenance["code.dirty"] = "the files of the working tree, hashed and compared with the commit"
        return Code(str(self.root), self.commit, subdirectory, bool(changed))

    def _changed(self, tree_files: dict[str, TreeFile]) -> list[str]:
        """The files that are neither as committed nor as a checkout has them (line endings, Git LFS)."""
        changed = changed_files(self.root, tree_files, self.context.cancel)
        if not changed or not self.repository.attributes(self.commit):
            return changed
        try:
            files = check_out(lambda: self.repository, self.commit, self.context).written.files
        except Inconclusive:
            return changed
        expected = {path: files.get(path, tree_files[path]) for path in changed}
        return changed_files(self.root, expected, self.context.cancel)

    def _read(self, path: str) -> str:
        full = str((self.folder / path).relative_to(self.root))
        return str(self.repository.read(self.commit, full, 1 << 20).decode("utf-8", "replace"))

    def _has(self, path: str) -> bool:
        """Whether the commit has the file; warns of one that is only in the folder."""
        if path in self.files:
            return True
        if (self.folder / path).is_file():
            self.warnings.append(f"{path} is not in the commit that the deployment is rebuilt from: commit it")
        return False

    # -- environment --------------------------------------------------------------------------------------------

    def _environment(self) -> Environment:
        described = [(kind, name) for kind, name in _candidates(self.files) if self._has(name)]
        if not described:
            self.missing.append(Missing("environment", NO_ENVIRONMENT, "commit one of them, and record again"))
            return Environment(python=self._python())
        (kind, name), *others = described
        if others:
            alternatives = ", ".join(alternative for _, alternative in others)
            self.warnings.append(
                f"{name} is used as the environment, but the commit also has {alternatives}: "
                "correct the record if another one is deployed"
            )
        self.provenance[f"environment.{kind}"] = f"{name} at {self.commit}"
        choice: dict[str, Any] = {kind: name}
        return Environment(**choice, python=None if kind == "dockerfile" else self._python())

    def _python(self) -> str | None:
        """The version of Python that the commit pins."""
        for name, version in ((".python-version", self._pinned()), ("pyproject.toml", self._required())):
            if version:
                self.provenance["environment.python"] = f"{name} at {self.commit}"
                return version
        why = "neither .python-version nor requires-python names a single version"
        self.missing.append(
            Missing("environment.python", why, "write .python-version (3.11, for example) and commit it")
        )
        return None

    def _pinned(self) -> str | None:
        lines = self._read(".python-version").split() if ".python-version" in self.files else []
        return exact_version(lines[0]) if lines else None

    def _required(self) -> str | None:
        if "pyproject.toml" not in self.files:
            return None
        try:
            project = tomllib.loads(self._read("pyproject.toml")).get("project", {})
        except (ValueError, RecursionError):
            return None
        text = str(project.get("requires-python", "")).strip() if isinstance(project, dict) else ""
        return exact_version(text.removeprefix("==").strip().removesuffix(".*")) if text.startswith("==") else None

    # -- parameters and data ------------------------------------------------------------------------------------

    def _parameters(self) -> Parameters:
        names = [name for name in PARAMETERS if self._has(name)]
        if not names:
            return Parameters()
        if len(names) > 1:
            self.warnings.append(
                f"{names[0]} is used as the parameters, but the commit also has {', '.join(names[1:])}: "
                "correct the record if another one is read"
            )
        self.provenance["parameters.file"] = f"{names[0]} at {self.commit}"
        return Parameters(file=names[0])

    def _data(self) -> tuple[DataItem, ...]:
        items: list[DataItem] = []
        for pointer in sorted(name for name in self.files if name.endswith(".dvc") and name != ".dvc"):
            for out in self._outs(pointer):
                self.provenance[f"data.{len(items)}"] = f"{pointer} at {self.commit}"
                items.append(out)
        return tuple(items)

    def _outs(self, pointer: str) -> list[DataItem]:
        if self.files[pointer].mode not in ("100644", "100755") or pointer.startswith(".dvc/"):
            return []
        try:
            document = parse_document(self._read(pointer).encode(), ".yaml", pointer)
        except Refused as error:
            self.warnings.append(f"{error}; its data is left out")
            return []
        outs = document.get("outs")
        parent = PurePosixPath(pointer).parent
        return [
            DataItem(str(parent / str(out["path"])), "dvc", md5=str(out["md5"]).lower())
            for out in (outs if isinstance(outs, list) else [])
            if isinstance(out, dict) and "path" in out and "md5" in out
        ]


def _candidates(names: Collection[str]) -> list[tuple[str, str]]:
    """The files that can describe an environment, the most exact first, each with its kind."""
    locks = sorted(name for name in names if name.startswith("pylock.") and name.endswith(".toml"))
    candidates = [("lock", "uv.lock"), *(("lock", name) for name in locks or ["pylock.toml"])]
    return [*candidates, ("requirements", "requirements.txt"), ("dockerfile", "Dockerfile")]


def environments(names: Collection[str]) -> list[tuple[str, str]]:
    """Those of these files that describe an environment, the most exact first, each with its kind."""
    return [(kind, name) for kind, name in _candidates(names) if name in names]


def exact_version(text: str) -> str | None:
    """A version of Python such as 3.11 or 3.11.7; None where the text is anything else."""
    numbers = text.split(".")
    return text if 2 <= len(numbers) <= 3 and numbers[0] == "3" and all(n.isdecimal() for n in numbers) else None


def _named(paths: list[str]) -> str:
    more = f" and {len(paths) - MOST_NAMED:,} more" if len(paths) > MOST_NAMED else ""
    return ", ".join(show(path, 120) for path in paths[:MOST_NAMED]) + more
