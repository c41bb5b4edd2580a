"""What a record and its commit declare of one side: read as data before anything is built, and compared without it."""

from __future__ import annotations

from dataclasses import dataclass, field

from repro_tui.model.inventory import Inventory
from repro_tui.model.workspace import BuiltParameters, CodeTree, TreeFile


@dataclass(frozen=True, slots=True)
class CommitTree:
    """The files of a recorded commit by git's own ids: their bytes are in our bare clone (`git_dir`).

    `folder` has them too where the code was rebuilt ("": it was not).
    """

    git_dir: str
    commit: str
    subdirectory: str
    files: dict[str, TreeFile]
    folder: str = ""

    @classmethod
    def of_built(cls, code: CodeTree) -> CommitTree:
        """The commit that a code tree was written from."""
        return cls(code.git_dir, code.commit, code.subdirectory, code.files, code.folder)


@dataclass(frozen=True, slots=True)
class DeclaredCode:
    """The code of a side. `tree` is None if its files are not known: `unknown` says why.

    `recorded`: the record names a commit, or the code is known to be elsewhere, such as in an image. `elsewhere` are
    the files of the tree that are compared as parameters or data, `placed` those that are declared as the environment,
    `dirty` that the recorded tree had uncommitted changes. `texts` are those of the record that may name files of the
    tree: the predict step's and the variables'.
    """

    tree: CommitTree | None = None
    commit: str = ""
    unknown: str = ""
    recorded: bool = True
    dirty: bool = False
    elsewhere: frozenset[str] = frozenset()
    placed: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredEnvironment:
    """The environment of a side as its record and files name it.

    `recorded`: the record names an environment. `inventory` has the declared packages (the pinned version, else the
    requirement), image, interpreter and variables; `facts` the kind and the name of the file that it is built from,
    and `unpinned` the packages whose version only a build shows.
    """

    recorded: bool
    inventory: Inventory = field(default_factory=Inventory)
    facts: dict[str, str] = field(default_factory=dict)
    unpinned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DeclaredData:
    """One data item: its recorded hashes by algorithm (sha256, md5, and git for files of the commit).

    `unknown` says why there is no hash ("" if there is one).
    """

    path: str
    source: str
    digests: dict[str, str] = field(default_factory=dict)
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """One side as declared. `warnings` name what could not be read, and what will therefore not be rebuilt."""

    code: DeclaredCode
    environment: DeclaredEnvironment
    parameters: BuiltParameters
    data: tuple[DeclaredData, ...] = ()
    live: str = ""
    warnings: tuple[str, ...] = ()
