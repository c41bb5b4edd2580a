"""The files that a configuration of Hydra is composed of: a config file, and those that its list of `defaults` names.

Read as data: the choices of the lists, with those of the command line over them. A choice that only a run makes (an
interpolation, a sweep, a `???`) is not guessed: it is in `unresolved`.

Example: `conf/config.yaml` has `defaults: [train: base, model: mlp]`, and the command `python run.py model=cnn`. The
files are conf/config.yaml, conf/train/base.yaml and conf/model/cnn.yaml.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from repro_tui.sources.detect.tree import ProjectTree, parent, shown

ENDINGS = (".yaml", ".yml")
MOST_FILES = 100
_ENTRY = re.compile(r"(?P<prefix>(?:(?:override|optional) )*)(?P<group>[^@]*)(?:@.*)?")
_CHOICE = re.compile(r"(?P<mark>\+\+|\+|~)?(?P<group>[A-Za-z_][\w/]*)(?:@[\w.:]*)?(?:=(?P<value>.*))?", re.DOTALL)
_NAMED = re.compile(r"\bconfig_(path|name)\s*=\s*[\"']([^\"']*)[\"']")


@dataclass(slots=True)
class ComposedFiles:
    """The files of a configuration, the first one first; `unresolved` are sentences about what only a run shows."""

    files: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)


def is_composed(tree: ProjectTree, path: str) -> bool:
    """Whether a config file has a list of defaults."""
    return path.endswith(ENDINGS) and isinstance(tree.table(path).get("defaults"), list)


def primary_config(tree: ProjectTree, script: str, command: Sequence[str]) -> str:
    """The config file that a script names (`config_path`, `config_name`), or the command line; "" of none."""
    if not script.endswith(".py"):
        return ""
    named = dict(_NAMED.findall(tree.text(script)))
    folder = posixpath.join(parent(script), named.get("path", "."))
    name = named.get("name", "")
    for option, value in _options(command):
        if option in ("--config-name", "-cn"):
            name = value
        elif option in ("--config-path", "-cp"):
            folder = posixpath.join(parent(script), value)
        elif option in ("--config-dir", "-cd"):
            folder = value
    return _existing(tree, posixpath.normpath(posixpath.join(folder, name))) if name else ""


def _options(command: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, word in enumerate(command):
        option, mark, value = word.partition("=")
        if option.startswith("-"):
            yield option, value if mark else next(iter(command[number + 1 : number + 2]), "")


def _existing(tree: ProjectTree, path: str) -> str:
    """A config file by its name with or without its ending; "" where the commit does not have it."""
    names = [path] if path.endswith(ENDINGS) else [f"{path}{ending}" for ending in ENDINGS]
    return next((name for name in names if name in tree.files), "")


def composed_files(tree: ProjectTree, primary: str, command: Sequence[str] = ()) -> ComposedFiles:
    """The files that the config file `primary` is composed of, as a command of these words runs it."""
    composition = _Composition(tree, parent(primary), _choices(command))
    composition.collect(primary, only_overrides=True)
    composition.result = ComposedFiles()
    composition.collect(primary)
    composition.add_choices()
    return composition.result


def _choices(command: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The overrides on the command line: by group, the mark before it ("+", "~" or "") and the value."""
    matches = [match for word in command if "=" in word or word.startswith("~") if (match := _CHOICE.fullmatch(word))]
    return {match["group"]: (match["mark"] or "", match["value"] or "") for match in matches}


@dataclass(slots=True)
class _Composition:
    """Walks the lists of defaults. `root` is the folder of the config files; `overrides` those of the lists."""

    tree: ProjectTree
    root: str
    choices: Mapping[str, tuple[str, str]]
    overrides: dict[str, str] = field(default_factory=dict)
    result: ComposedFiles = field(default_factory=ComposedFiles)
    used: set[str] = field(default_factory=set)

    def collect(self, path: str, *, only_overrides: bool = False) -> None:
        """Adds a config file and those that its list names; the first walk only learns what the lists override."""
        if path in self.result.files or len(self.result.files) >= MOST_FILES:
            return
        self.result.files.append(path)
        defaults = self.tree.table(path).get("defaults")
        for entry in defaults if isinstance(defaults, list) else ():
            if isinstance(entry, str) and entry != "_self_":
                self._file("", posixpath.join("/", self._group(path), entry), path, only_overrides=only_overrides)
            elif isinstance(entry, dict):
                for key, value in entry.items():
                    self._entry(str(key), value, path, only_overrides=only_overrides)

    def _group(self, path: str) -> str:
        """The group of a config file: its folder below the root."""
        return posixpath.relpath(parent(path), self.root)

    def _entry(self, key: str, value: object, path: str, *, only_overrides: bool) -> None:
        match = _ENTRY.fullmatch(key)
        prefix, name = (match["prefix"], match["group"]) if match else ("", key)
        group = posixpath.normpath(posixpath.join("/", self._group(path), name.strip())).lstrip("/")
        if "override" in prefix:
            self.overrides.setdefault(group, str(value))
        names: list[object] = value if isinstance(value, list) else [value]
        if group in self.choices or group in self.overrides:
            names = [self._chosen(group)]
        for item in names:
            if item is not None:
                self._choose(group, str(item), path, "optional" in prefix, only_overrides=only_overrides)

    def _chosen(self, group: str) -> str | None:
        """What the command line, else a list, chooses instead; None where it takes the group away."""
        self.used.add(group)
        mark, value = self.choices.get(group, ("", self.overrides.get(group, "")))
        return None if mark == "~" or value == "null" else value

    def _choose(self, group: str, name: str, path: str, optional: bool, *, only_overrides: bool) -> None:
        place = f"{shown(group)} in {shown(path)}"
        if "${" in name:
            self.result.unresolved.append(f"{place} is {shown(name)}, which is only resolved at run time")
        elif name == "???":
            self.result.unresolved.append(f"{place} must be chosen on the command line")
        elif "," in name:
            self.result.unresolved.append(f"{shown(group)}={shown(name)} is a sweep over several files")
        else:
            named = posixpath.join("/", group, name)
            self._file(group, named, path, optional=optional, only_overrides=only_overrides)

    def _file(self, group: str, named: str, path: str, *, optional: bool = False, only_overrides: bool = False) -> None:
        """Adds a file by its absolute name below the root."""
        inside = posixpath.normpath(named).lstrip("/")
        file = _existing(self.tree, posixpath.normpath(posixpath.join(self.root, inside)))
        if file:
            self.collect(file, only_overrides=only_overrides)
        elif not optional and not group.startswith("hydra/") and not inside.startswith("hydra/"):
            self.result.unresolved.append(f"{shown(path)} names {shown(inside)}, which the commit does not have")

    def add_choices(self) -> None:
        """Adds the groups that only the command line names (`+experiment=x`); a plain value is none."""
        for group, (mark, value) in self.choices.items():
            is_group = any(
                name.startswith(f"{posixpath.normpath(f'{self.root}/{group}')}/") for name in self.tree.files
            )
            if group not in self.used and mark != "~" and is_group:
                self._choose(group, value, "the command", False, only_overrides=False)
