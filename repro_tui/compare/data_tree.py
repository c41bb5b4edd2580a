"""The differing files of a data folder as a tree of hashes: a folder has the digest of everything below it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from repro_tui.model.finding import Change, Finding
from repro_tui.model.workspace import FetchedFile
from repro_tui.support.hashes import digest_tree
from repro_tui.support.text import plural, show

Files = dict[str, FetchedFile]
SHORT = 16


def data_tree(name: tuple[str, ...], leaves: Sequence[Finding], sides: tuple[Files, Files]) -> tuple[Finding, ...]:
    """The findings of an item's files, each below the folder that holds it.

    `name` is the path of the item's finding, `leaves` the findings of its differing files, whose own paths do not
    change, and `sides` are A's and B's files by name.
    """
    return _findings_in(name, "", leaves, (_TreeSide.of_files(sides[0]), _TreeSide.of_files(sides[1])))


@dataclass(frozen=True, slots=True)
class _TreeSide:
    files: Files
    names: list[str]

    @classmethod
    def of_files(cls, files: Files) -> _TreeSide:
        return cls(files, sorted(files))

    def digest(self, folder: str) -> str | None:
        """The digest of everything below a folder, with the number of files; None where there is no file."""
        names = self.names[bisect_left(self.names, folder) : bisect_left(self.names, folder + "\U0010ffff")]
        if not names:
            return None
        digest = digest_tree((name, self.files[name].sha256) for name in names)
        return f"tree:{digest[:SHORT]} ({plural(len(names), 'file')})"


def _findings_in(
    name: tuple[str, ...], folder: str, leaves: Sequence[Finding], sides: tuple[_TreeSide, _TreeSide]
) -> tuple[Finding, ...]:
    """The findings of one folder: its own files, and the folders in it."""
    groups: dict[str, list[Finding]] = {}
    for leaf in leaves:
        first, slash, _ = leaf.path[-1][len(folder) :].partition("/")
        groups.setdefault(first + slash, []).append(leaf)
    return tuple(
        finding
        for part, inside in groups.items()
        for finding in ([_folder(name, folder + part, inside, sides)] if part.endswith("/") else inside)
    )


def _folder(
    name: tuple[str, ...], folder: str, leaves: Sequence[Finding], sides: tuple[_TreeSide, _TreeSide]
) -> Finding:
    changes: set[Change] = {leaf.change for leaf in leaves}
    a, b = (side.digest(folder) for side in sides)
    change: Change = changes.pop() if len(changes) == 1 and not (a and b) else "changed"
    note = f"{plural(len(leaves), 'file')} {'differ' if len(leaves) > 1 else 'differs'}"
    return Finding(
        (*name, show(folder, 300)), change, a, b, "important", note, _findings_in(name, folder, leaves, sides)
    )
