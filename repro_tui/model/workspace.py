"""What a rebuild yields: code, environment, data and parameters, each with how it was obtained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Predict, Validation

Match = Literal["matches", "differs", "unknown"]
REPRO = "/repro"  # where a sandbox that can mount shows everything


@dataclass(frozen=True, slots=True)
class Part:
    """How one part of a workspace was obtained, for the report.

    `step` is `code`, `environment`, `parameters` or `data`; `key` the content hash that it is cached by;
    `matches` whether what was obtained is what the record says (`unknown` where the record has no hash).
    """

    step: str
    how: str
    cached: bool = False
    seconds: float = 0.0
    key: str = ""
    matches: Match = "unknown"
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file of a code tree: git's mode and blob id, and its size in bytes."""

    mode: str
    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class CodeTree:
    """The commit's files, written out blob by blob into the cache (`folder`, read-only by convention).

    `git_dir` is the own bare clone; `attributes` tells what a checkout would have converted
    (crlf, ident, export-subst).
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
    base interpreter (sys.base_prefix). kind `image`: `image_id` is `sha256:...`. kind `sif`: `folder` is the file. kind
    `endpoint`: nothing was rebuilt, a live server is asked.
    `variables` is what the predict step sees of the environment's own (record over image), `image_variables` those of
    the image alone. `pins` are a venv's packages, one complete pinned requirement each. `site` is a folder of packages
    that is shown over the image's own at `site_path` ("" where the image's own are used).
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


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """One data file as it arrived: its place in the cache, size in bytes and digests."""

    file: str
    size: int
    sha256: str
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class FetchedData:
    """One data item of the record with the files that were fetched: relative name ("" for a single file) to file."""

    path: str
    source: str
    recorded: str
    files: dict[str, FetchedFile]


@dataclass(frozen=True, slots=True)
class BuiltParameters:
    """The parameters as the code will read them: the merged `values`, and the file that holds them (absolute).

    `overlay` is the path in the code tree that the file replaces ("" where it is only handed over as {params}).
    `unknown` says why the values are not known ("" where they are).
    """

    values: dict[str, Any]
    file: str = ""
    overlay: str = ""
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Workspace:
    """One side, runnable: `tree` is the composed folder (code, parameters and data laid out as the code expects).

    `key` is the content hash of everything in it: two workspaces of one key are the same. `predict` is the record's
    predict step and `validation` its inputs' key, for servers that are asked. `code_in_image`: `code` is only compared;
    where its commit cannot be had, `code_unknown` says why, and `code_commit` is what the record names.
    `code_dirty`: the record says that the tree had changes that are in no commit.
    `root` is the folder below which a sandbox shows all of it.
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

    def at(self, name: str) -> str:
        """Where a sandbox shows the folder of that name."""
        return f"{self.root}/{name}"

    @property
    def laid(self) -> CodeTree | None:
        """The code that `tree` holds: none where the image's own copy is what runs."""
        return None if self.code_in_image else self.code
