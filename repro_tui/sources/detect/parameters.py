"""Which files hold the parameters of a deployment: those that its step, a stage of DVC or Hydra's defaults name."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from repro_tui.sources.detect.candidate import StepCandidate
from repro_tui.sources.detect.data import parameter_values
from repro_tui.sources.detect.environments import kind_of
from repro_tui.sources.detect.hydra import composed_files, is_composed, primary_config
from repro_tui.sources.detect.tree import ProjectTree, basename, parent, shown

MOST_FILES, LONGEST = 50, 300
_ENDINGS = (".yaml", ".yml", ".toml")
# Files of other tools, which no step reads as its parameters.
_OTHERS = frozenset("dvc.yaml dvc.lock mkdocs.yml mkdocs.yaml pyproject.toml docker-compose.yml compose.yaml".split())


@dataclass(frozen=True, slots=True)
class ParameterChoice:
    """The parameter files of a deployment, the main one first, why these, and what only a run would show."""

    names: tuple[str, ...] = ()
    why: str = ""
    unresolved: tuple[str, ...] = ()


def choose_parameters(
    tree: ProjectTree, candidates: Sequence[str], step: StepCandidate | None, command: Sequence[str] = ()
) -> ParameterChoice:
    """The parameter files for a step (None: not known) that runs `command`.

    `candidates` are files with telling names, the likeliest first. What DVC's stage lists comes first, else the config
    that the step names, else the likeliest; the files that Hydra composes and those that the step names are added.
    """
    choice = _Choice(tree, step, tuple(_words(command)))
    choice.start(candidates)
    choice.compose()
    choice.add_named()
    kept = [path for path in dict.fromkeys(choice.names) if parameter_values(tree, path) is not None]
    if len(kept) > MOST_FILES:
        choice.unresolved.append(f"{len(kept) - MOST_FILES} more parameter files are named")
    return ParameterChoice(tuple(kept[:MOST_FILES]), "; ".join(choice.reasons), tuple(choice.unresolved))


def _words(command: Sequence[str]) -> Iterator[str]:
    """The words of a command, also those of a shell's command line in it."""
    for part in command:
        try:
            yield from shlex.split(part)
        except ValueError:
            yield from part.split()


@dataclass(slots=True)
class _Choice:
    tree: ProjectTree
    step: StepCandidate | None
    words: tuple[str, ...]
    names: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)

    def start(self, candidates: Sequence[str]) -> None:
        """The files of the stage, the step's own config, or the likeliest file."""
        listed = self.step.parameters if self.step else ()
        staged = [path for path in listed if parameter_values(self.tree, path) is not None]
        unread = [path for path in listed if path not in staged]
        self.unresolved += [f"{shown(path)} is not a table in YAML, JSON or TOML of the commit" for path in unread]
        primary = next((path for script in self._scripts() if (path := self._primary(script))), "")
        self.names = staged or ([primary] if primary else list(candidates[:1]))
        if self.names:
            self.reasons.append("the stage lists it" if staged else "the step names it" if primary else "its name")

    def _scripts(self) -> Iterator[str]:
        yield from [self.step.path] if self.step else []
        yield from (word for word in self.words if word.endswith(".py") and word in self.tree.files)

    def _primary(self, script: str) -> str:
        return primary_config(self.tree, script, self.words)

    def compose(self) -> None:
        """Adds what Hydra composes with the files that are already known."""
        for path in list(self.names):
            if is_composed(self.tree, path):
                composed = composed_files(self.tree, path, self.words)
                self.names += composed.files
                self.unresolved += composed.unresolved
                self.reasons.append("its defaults name the others (Hydra)")
                if "--multirun" in self.words or "-m" in self.words[2:]:
                    self.unresolved.append("the command is a sweep (--multirun), which runs several configurations")

    def add_named(self) -> None:
        """Adds the settings files of the commit that the command, or a text in the step's source, names."""
        named = [path for path in self._named() if path not in self.names]
        if named:
            self.reasons.append("the step names the others" if self.names else "the step names it")
            self.names += named

    def _named(self) -> Iterator[str]:
        texts = [*self.words, *(word.partition("=")[2] for word in self.words if "=" in word)]
        folders = dict.fromkeys((".", parent(self.step.path) if self.step else "."))
        for text in (*texts, *sorted(self.step.texts if self.step else ())):
            if text.endswith(_ENDINGS) and len(text) <= LONGEST:
                paths = [posixpath.normpath(posixpath.join(folder, text)) for folder in folders]
                yield from [path for path in paths if self._is_settings(path)][:1]

    def _is_settings(self, path: str) -> bool:
        own = path in self.tree.files and kind_of(path)[0] is None and basename(path) not in _OTHERS
        return own and bool(parameter_values(self.tree, path))
