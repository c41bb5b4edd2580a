"""Groups the changes of a monorepo: those outside the folder of a deployment come last, under one heading.

A deployment in a folder of a repository rarely uses the rest of it, but its run has the whole tree, so nothing is left
out: files that the folder's own files may use stay beside its own, and all others are below one finding, which counts
them. A file outside may be used where something inside

- imports it: its name, or that of a folder above it, is imported at the top level and is not the folder's own;
- names it by a relative path (`../lib`, `-e ../lib`), or, in Python that looks above its own folder, by a text;
- names its project as a dependency (a workspace member), by the project's name or that of its folder;
- is such a file itself: what these use counts as well.

When in doubt a file counts as used. Where there is too much to read, nothing is grouped. Cost: the small text files of
the folder and of what it uses are read once.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from repro_tui.clients.git.commit_files import read_files
from repro_tui.formats.python_source import parse_source
from repro_tui.model.declared import CommitTree, DeclaredCode
from repro_tui.model.errors import Inconclusive
from repro_tui.model.finding import Finding
from repro_tui.support.context import Context
from repro_tui.support.text import plural, show

MOST_READ, MOST_BYTES, LARGEST = 2_000, 64 << 20, 1 << 20
_PROJECTS = ("pyproject.toml", "setup.py", "setup.cfg")
_TEXT = (".py", ".ipynb", ".toml", ".txt", ".cfg", ".ini", ".sh", ".yaml", ".yml", ".json", ".lock", ".in", ".pth")
_NAMES = frozenset({"Makefile", "Dockerfile", "Pipfile", "MLproject", "justfile", "Procfile", ".env"})
_ABOVE = re.compile(r"\.\.(?:/[\w.@+-]+)*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_IMPORT = re.compile(r"^\s*(?:from|import)\s+([A-Za-z_]\w*)", re.MULTILINE)
_PROJECT_NAME = re.compile(r"^\s*name\s*=\s*[\"']?([A-Za-z0-9._-]+)", re.MULTILINE)
_LOOKS_ABOVE = re.compile(r"\.\.|parent|pardir|__file__|getcwd|git")


def grouped(findings: tuple[Finding, ...], a: DeclaredCode, b: DeclaredCode, context: Context) -> tuple[Finding, ...]:
    """The findings on files, with those that neither side's folder uses below one heading at the end.

    They stay as they are where a side is the whole repository, or where it cannot be read what its folder uses.
    """
    trees = [side.tree for side in (a, b) if side.tree is not None]
    folders = dict.fromkeys(posixpath.normpath(tree.subdirectory) for tree in trees)
    if "." in folders or not any(_is_outside(finding, folders) for finding in findings):
        return findings
    try:
        reaches = [_Reach(side.tree, side.texts, context).used() for side in (a, b) if side.tree is not None]
    except (_TooMuch, Inconclusive):
        return findings
    unused = [
        finding
        for finding in findings
        if _is_outside(finding, folders) and not any(name in used for name in _names(finding) for used in reaches)
    ]
    kept = [finding for finding in findings if finding not in unused]
    return (*kept, _heading(unused, folders)) if unused else findings


def _names(finding: Finding) -> list[str]:
    """The names of a finding's file: of a renamed one, both."""
    renamed = isinstance(finding.a, str) and finding.note.startswith("renamed")
    return [finding.path[0], *([finding.a] if renamed else [])]


def _is_outside(finding: Finding, folders: Iterable[str]) -> bool:
    return not any(name.startswith(f"{folder}/") for name in _names(finding) for folder in folders)


def _heading(unused: list[Finding], folders: Iterable[str]) -> Finding:
    place = " and ".join(show(folder, 100) for folder in folders)
    count = plural(len(unused), "changed file")
    note = f"{count} outside {place}, which its own files neither import nor name; they are part of the run nonetheless"
    return Finding((f"outside {place}",), "changed", severity="info", note=note, children=tuple(unused))


class _TooMuch(Exception):
    """There is more to read than is worth it."""


class _Used:
    """The paths of a tree that a deployment uses: its own folder, and those that it may import or name."""

    def __init__(self, places: frozenset[str]) -> None:
        self.places = places

    def __contains__(self, name: str) -> bool:
        return name in self.places or any(above in self.places for above in _above(name))


def _above(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


@dataclass(slots=True)
class _Reach:
    """Finds what the folder of one side uses. `places` are the folders and files so far, `read` the files that were
    read."""

    tree: CommitTree
    texts: tuple[str, ...]
    context: Context
    places: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    size: int = 0

    def used(self) -> _Used:
        """Reads files until no other one is reached. Raises _TooMuch, Inconclusive."""
        folder = posixpath.normpath(self.tree.subdirectory)
        self.places = {folder}
        for text in self.texts:
            self._paths(text, folder)
        projects = self._projects()
        while True:
            known = len(self.places), len(self.read)
            self._read_more()
            self.places |= self._imported() | self._members(projects) | self._named_places()
            if (len(self.places), len(self.read)) == known:
                return _Used(frozenset(self.places))

    def _read_more(self) -> None:
        used = _Used(frozenset(self.places))
        names = [name for name in self.tree.files if name not in self.read and name in used and _is_text(name)]
        names = [name for name in names if self.tree.files[name].size <= LARGEST]
        self.size += sum(self.tree.files[name].size for name in names)
        if len(self.read) + len(names) > MOST_READ or self.size > MOST_BYTES:
            raise _TooMuch
        self.read |= set(names)
        regular = [name for name in names if self.tree.files[name].mode in ("100644", "100755")]
        for name, content in read_files(self.tree, regular, self.context).items():
            self.context.cancel.check()
            self._learn(name, content)

    def _learn(self, name: str, content: bytes) -> None:
        text = content.decode("utf-8", "replace")
        self._paths(text, posixpath.dirname(name))
        if name.endswith((".py", ".ipynb")):
            self._learn_python(name, content, text)
        elif posixpath.basename(name) not in ("poetry.lock", "package-lock.json"):
            self.words |= {_canonical(word) for word in _WORD.findall(text)}

    def _learn_python(self, name: str, content: bytes, text: str) -> None:
        module = parse_source(content) if name.endswith(".py") else None
        if module is None:
            self.imports |= set(_IMPORT.findall(text.replace('"', "\n").replace("\\n", "\n")))
            return
        for node in ast.walk(module):
            if isinstance(node, ast.Import):
                self.imports |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                self.imports.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _LOOKS_ABOVE.search(text):
                self.named |= _parts(node.value)

    def _paths(self, text: str, folder: str) -> None:
        """Notes the relative paths in a text that lead above its folder, from there and from the deployment's."""
        for path in set(_ABOVE.findall(text)):
            for start in (folder, self.tree.subdirectory):
                place = posixpath.normpath(posixpath.join(start, path))
                if place != "." and not place.startswith(".."):
                    self.places.add(place)

    def _imported(self) -> set[str]:
        """The modules and packages outside whose names are imported, and that the folder does not have itself."""
        own = posixpath.normpath(self.tree.subdirectory)
        inside = {part for name in self.tree.files if name.startswith(f"{own}/") for part in _modules(name, own)}
        wanted = self.imports - inside
        return set(self._places_of(lambda part: part in wanted, only_python=True))

    def _named_places(self) -> set[str]:
        return set(self._places_of(lambda part: part in self.named))

    def _places_of(self, is_wanted: Callable[[str], bool], *, only_python: bool = False) -> Iterator[str]:
        """The folders and files whose own name is wanted."""
        for name in self.tree.files:
            if only_python and not name.endswith((".py", ".pyi", ".pyx", ".so")):
                continue
            parts = name.split("/")
            for depth, part in enumerate(parts, 1):
                if is_wanted(part) or (depth == len(parts) and is_wanted(part.partition(".")[0])):
                    yield "/".join(parts[:depth])

    def _projects(self) -> dict[str, set[str]]:
        """The folders of projects in the tree, each with its names."""
        files = [name for name in self.tree.files if posixpath.basename(name) in _PROJECTS]
        small = [name for name in files if self.tree.files[name].size <= LARGEST][:MOST_READ]
        projects: dict[str, set[str]] = {}
        for name, content in read_files(self.tree, small, self.context).items():
            folder = posixpath.dirname(name)
            names = {posixpath.basename(folder), *_PROJECT_NAME.findall(content.decode("utf-8", "replace"))}
            projects.setdefault(folder, set()).update(map(_canonical, names))
        return projects

    def _members(self, projects: Mapping[str, set[str]]) -> set[str]:
        """The folders of the projects that something names as a dependency; one of the whole tree is none."""
        return {folder for folder, names in projects.items() if folder and names & self.words}


def _is_text(name: str) -> bool:
    return name.endswith(_TEXT) or posixpath.basename(name) in _NAMES


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _modules(name: str, folder: str) -> Iterator[str]:
    """The names by which a file in a folder, or a folder above it in there, can be imported."""
    if name.endswith((".py", ".pyi", ".pyx", ".so")):
        parts = name.removeprefix(f"{folder}/").split("/")
        yield from parts[:-1]
        yield parts[-1].partition(".")[0]


def _parts(text: str) -> set[str]:
    """The names of files and folders that a text may be: its parts of three letters or more."""
    return {part for part in text.split("/") if len(part) >= 3} if len(text) <= 300 and "\n" not in text else set()
