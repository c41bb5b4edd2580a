"""The result of a rebuild: code, environment, data and parameters, and how each was obtained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from repro_tui.model.inventory import Inventory
from repro_tui.model.part import Match as Match
from repro_tui.model.part import Part as Part
from repro_tui.model.record import Predict, Validation

REPRO = "/repro"  # the root of all mounts in a sandbox that can mount
SEPARATE = "params.json"  # the file of recorded values that are in no file of the commit


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file of a code tree: git's mode and blob id, and its size in bytes."""

    mode: str
    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class CodeTree:
    """The commit's files as a plain checkout has them, in the cache (`folder`, read-only by convention).

    `files` has the blob ids of the bytes in `folder`, submodules included. `git_dir` is our own bare clone;
    `attributes` lists the conversions that the commit's attributes ask for.
    """

    folder: str
    git_dir: str
    commit: str
    subdirectory: str
    files: dict[str, TreeFile]
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuiltEnvironment:
    """A runnable environment.

    kind `venv`: `folder` is the environment's root, `python` its interpreter, `interpreter_root` the folder of the
    base interpreter (sys.base_prefix), which is the same folder for conda packages. kind `image`: `image_id` is
    `sha256:...`. kind `sif`: `folder` is the file. kind `endpoint`: nothing was rebuilt, a live server is queried.
    `variables` are the environment's own variables in the predict step (the record's override the image's),
    `image_variables` those of the image alone. `pins` are a venv's packages, one complete pinned requirement each.
    `site` is a folder of packages that is mounted over the image's own at `site_path` ("" if the image's are used).
    `projects` are the folders whose projects are installed from the commit, relative to that of the code; they were
    built with tools as of `as_of`.
    """

    kind: Literal["venv", "image", "sif", "endpoint"]
    key: str
    inventory: Inventory
    folder: str = ""
    python: str = ""
    interpreter_root: str = ""
    image_id: str = ""
    working_dir: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    image_variables: dict[str, str] = field(default_factory=dict)
    pins: tuple[str, ...] = ()
    site: str = ""
    site_path: str = ""
    projects: tuple[str, ...] = ()
    as_of: str | None = None

    @property
    def is_pinned(self) -> bool:
        """Whether its packages are pins that uv can mix with those of another side; those of conda are not."""
        return self.kind == "venv" and self.interpreter_root != self.folder


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """One fetched data file: its path in the cache, size in bytes and digests."""

    file: str
    size: int
    sha256: str
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class FetchedData:
    """One data item of the record with its fetched files: relative name ("" for a single file) to file."""

    path: str
    source: str
    recorded: str
    files: dict[str, FetchedFile]


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """One of several parameter files: the file that holds it (absolute), and the path in the code tree that it replaces
    ("" if the commit has the same)."""

    file: str
    overlay: str = ""


@dataclass(frozen=True, slots=True)
class BuiltParameters:
    """The parameters as the code will read them: the merged `values`, and the file that holds them (absolute).

    `name` is the file's name in the record, and `overlay` the path in the code tree that the file replaces ("" if it is
    only passed as {params}). `unknown` says why the values are not known ("" if they are).

    `per_file`: they are in several files. The top level of `values` then has their names in the record, `files` has
    each of them, `file` is the folder that is passed as {params}, and `absent` are paths in the code tree that these
    parameters do not have, in a hybrid.
    """

    values: dict[str, Any]
    file: str = ""
    overlay: str = ""
    unknown: str = ""
    name: str = ""
    per_file: bool = False
    files: dict[str, ParameterFile] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    @property
    def by_file(self) -> BuiltParameters:
        """The same in the form of several files; nothing where there are no parameters."""
        if self.per_file or self.unknown or not (self.name or self.values):
            return replace(self, per_file=True)
        name = self.name or SEPARATE
        files = {name: ParameterFile(self.file, self.overlay)} if self.file else {}
        return BuiltParameters({name: self.values}, name=self.name, per_file=True, files=files)


def in_one_form(a: BuiltParameters, b: BuiltParameters) -> tuple[BuiltParameters, BuiltParameters]:
    """Two sides' parameters, both by file where those of one are in several: a change's path then names its file."""
    return (a.by_file, b.by_file) if a.per_file or b.per_file else (a, b)


@dataclass(frozen=True, slots=True)
class Workspace:
    """One side, runnable: `tree` is the composed folder (code, parameters and data laid out as the code expects).

    `key` is the content hash of everything in it: two workspaces with the same key are the same. `predict` is the
    record's predict step and `validation` its inputs' key, for servers. `code_in_image`: `code` is only compared; if
    its commit is not available, `code_unknown` says why, and `code_commit` is the commit that the record names.
    `code_dirty`: the record says that the tree had uncommitted changes. `root` is the folder below which a sandbox
    mounts all of it.
    """

    key: str
    name: str
    command: tuple[str, ...]
    timeout_s: float
    environment: BuiltEnvironment
    parameters: BuiltParameters
    code: CodeTree | None = None
    data: tuple[FetchedData, ...] = ()
    tree: str = ""
    subdirectory: str = "."
    predict: Predict = field(default_factory=Predict)
    validation: Validation = field(default_factory=Validation)
    code_in_image: bool = False
    code_commit: str = ""
    code_unknown: str = ""
    code_dirty: bool = False
    root: str = REPRO
    parts: tuple[Part, ...] = ()

    @property
    def step(self) -> str:
        """What runs, as one line: the command, the function or the notebook."""
        predict = self.predict
        named = f"call {predict.call}" if predict.call else f"notebook {predict.notebook}" if predict.notebook else ""
        return named or " ".join(self.command)

    @property
    def runs_in_image(self) -> bool:
        """Whether the step runs in the image's own working folder, and not in a folder that is composed for it."""
        return self.laid is None and self.environment.kind in ("image", "sif")

    def at(self, name: str) -> str:
        """The path in a sandbox of the folder with that name."""
        return f"{self.root}/{name}"

    @property
    def laid(self) -> CodeTree | None:
        """The code in `tree`: None if the image's own copy runs."""
        return None if self.code_in_image else self.code
