"""A folder as a working tree: the commit at HEAD, what differs from it, and what the project's files describe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from repro_tui.clients.git import Repository
from repro_tui.clients.git.checkout import check_out
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Code, Missing, Record
from repro_tui.model.workspace import TreeFile
from repro_tui.sources.detect.data import PARAMETERS
from repro_tui.sources.detect.environments import kind_of
from repro_tui.sources.detect.project import DetectedProject, detect, detected_parts
from repro_tui.sources.git import find_repository
from repro_tui.sources.worktree_changes import changed_files, new_files
from repro_tui.support.context import Context
from repro_tui.support.paths import real_path
from repro_tui.support.text import plural, show

MOST_NAMED = 5


class WorkingTree:
    """Reads the record of a working folder. Nothing in it is executed, and git is not run there."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record of a folder (`.`, `./models`). Raises Refused."""
        folder = real_path(context.here / reference.removeprefix("worktree:"))
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
        project = detect(self.repository, commit, self.folder.relative_to(self.root).as_posix())
        parts = detected_parts(project)
        code = self._code(self.repository.files(commit))
        return Record(
            name=self.name,
            reference=self.reference,
            base=str(self.folder),
            code=code,
            environment=parts.environment,
            parameters=parts.parameters,
            data=parts.data,
            missing=(*self.missing, *parts.missing),
            warnings=(*self.warnings, *parts.warnings, *self._uncommitted(project)),
            provenance=self.provenance | parts.provenance,
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

    def _uncommitted(self, project: DetectedProject) -> Iterator[str]:
        """Warnings of files in the folder that would describe the deployment if they were committed."""
        for path in sorted(self.folder.iterdir()):
            if (
                path.is_file()
                and path.name not in project.tree.files
                and (kind_of(path.name)[0] or path.name in (*PARAMETERS, ".python-version"))
            ):
                yield f"{show(path.name, 120)} is not in the commit that the deployment is rebuilt from: commit it"


def _named(paths: list[str]) -> str:
    more = f" and {len(paths) - MOST_NAMED:,} more" if len(paths) > MOST_NAMED else ""
    return ", ".join(show(path, 120) for path in paths[:MOST_NAMED]) + more
