"""The findings of an area in the order in which they are read, and files in the tree of their folders.

What explains the drift comes first, where that was searched for; then the important findings before the others. Files
are below their folders, a folder that holds nothing but one other folder is one line with it, and each folder counts
the files that differ below it: 1,500 changed files are a dozen lines that open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from repro_tui.model.causes import Causes
from repro_tui.model.finding import AreaName, Finding, Severity
from repro_tui.report.words import SEVERITY_ORDER
from repro_tui.support.text import plural
from repro_tui.tui.difference.lines import is_hunk

FindingPath = tuple[str, ...]
FIRST: tuple[FindingPath, ...] = (
    ("uncommitted changes",),
    ("commit",),
)  # what a reader of code wants to know before its files
FILES: FindingPath = ("files",)  # the section of culprits that are files
AREA_OF_FACTOR: dict[str, AreaName] = {
    "code": "code",
    "predict": "code",
    "environment": "environment",
    "variables": "environment",
    "parameters": "parameters",
    "model": "data",
    "data": "data",
}
Explained = Callable[[Finding], float]


@dataclass(frozen=True, slots=True)
class FindingLine:
    """One finding as a row: `depth` is its level in the tree (from 0), `open` whether its children are shown.

    `folder` is the name of the folder that it stands below, with which the last part of its path begins.
    """

    finding: Finding
    depth: int = 0
    open: bool = False
    folder: str = ""

    @property
    def leaf(self) -> str:
        """The last part of its path, without the folder that it stands below."""
        return self.finding.path[-1].removeprefix(self.folder) if self.finding.path else ""


def explained_by(causes: Causes | None, area: AreaName) -> Explained:
    """A function that says which share of the change a finding explains: its factor's, if it is a culprit."""
    shares: dict[FindingPath, float] = {}
    for culprit in causes.culprits if causes else ():
        factor = culprit.factor.partition(".")[0]
        if causes and AREA_OF_FACTOR.get(factor) == area:
            shares[culprit.path] = causes.shares.get(culprit.factor, 0.0)

    lengths = {len(path) for path in shares}
    above: dict[FindingPath, float] = {}  # what a culprit is inside, which may be a file of a hundred thousand
    files: dict[str, float] = {}  # culprits among files, and the folders around them
    for path, value in shares.items():
        for length in range(1, len(path) + 1):
            above[path[:length]] = max(value, above.get(path[:length], value))
        names = "/".join(path[1:]).split("/") if path[:1] == FILES else []
        for name in accumulate(names, "{}/{}".format):
            files[name] = max(value, files.get(name, value))

    def share(finding: Finding) -> float:
        """A culprit's path may lack the section of the finding, or go further into a file.

        A culprit among files has its file after the word "files"; a finding may have the folder apart.
        """
        path = finding.path
        if not path or not shares:
            return 0.0
        ends = [shares[path[-length:]] for length in lengths if path[-length:] in shares]
        name = "/".join(path).removesuffix("/")
        around = [*([above[path]] if path in above else []), *([files[name]] if name in files else [])]
        return max([*ends, *around], default=0.0)

    return share


def in_reading_order(findings: Sequence[Finding], explained: Explained) -> list[Finding]:
    """The findings: those that explain the drift, then by severity, and what is the same last; else as they were."""

    def order(finding: Finding) -> tuple[bool, bool, int, float]:
        share = explained(finding)
        severity = 0 if share else SEVERITY_ORDER[finding.severity]
        return (finding.change == "same", finding.path not in FIRST, severity, -share)

    return sorted(findings, key=order)


def in_folders(findings: Sequence[Finding]) -> list[Finding]:
    """Findings about files below findings about their folders; what is not about a file stays where it is."""
    files = [finding for finding in findings if len(finding.path) == 1 and "/" in finding.path[0]]
    if not files:
        return list(findings)
    placed = {finding.path for finding in files}
    others = [finding for finding in findings if finding.path not in placed]
    leading = [finding for finding in others if finding.path in FIRST]
    return [*leading, *_folders("", files), *(finding for finding in others if finding.path not in FIRST)]


def _folders(folder: str, files: Sequence[Finding]) -> Iterator[Finding]:
    groups: dict[str, list[Finding]] = {}
    for file in files:
        first, slash, _ = file.path[0][len(folder) :].partition("/")
        groups.setdefault(first + slash, []).append(file)
    for name, inside in groups.items():
        if not name.endswith("/") or len(inside) == 1:
            yield from inside
            continue
        children = tuple(_folders(folder + name, inside))
        if len(children) == 1 and children[0].children and children[0].path[0].endswith("/"):
            yield children[0]
            continue
        severity: Severity = min((file.severity for file in inside), key=SEVERITY_ORDER.__getitem__)
        changes = {file.change for file in inside}
        change = changes.pop() if len(changes) == 1 else "changed"
        yield Finding((folder + name,), change, None, None, severity, plural(len(inside), "file"), children)


def is_folder(finding: Finding) -> bool:
    """Whether a finding stands for a folder, whose children are what the reader wants to see."""
    return bool(finding.children) and not any(map(is_hunk, finding.children))


def flattened(
    findings: Sequence[Finding], opened: set[FindingPath], all_open: bool = False, depth: int = 0, folder: str = ""
) -> Iterator[FindingLine]:
    """The findings as lines, each open one followed by its children; `opened` are the paths of open findings."""
    for finding in findings:
        is_open = is_folder(finding) and (all_open or finding.path in opened)
        yield FindingLine(finding, depth, is_open, folder)
        if is_open:
            yield from flattened(finding.children, opened, all_open, depth + 1, folder_of(finding))


def folder_of(finding: Finding) -> str:
    """The name of the folder that a finding stands for, which ends with a slash; "" for any other finding."""
    return finding.path[-1] if finding.path and finding.path[-1].endswith("/") else ""


def opened_at_first(findings: Sequence[Finding], room: int) -> set[FindingPath]:
    """The folders of files that are open at first: level by level, as long as all lines fit into `room` rows."""
    opened: set[FindingPath] = set()
    while len(findings) <= room:
        closed = [
            line.finding.path
            for line in flattened(findings, opened)
            if is_folder(line.finding) and not line.open and folder_of(line.finding)
        ]
        if not closed or len(list(flattened(findings, opened | set(closed)))) > room:
            return opened
        opened |= set(closed)
    return opened


def without_same(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that differ or are unknown, and so those below them."""
    kept = [finding for finding in findings if finding.change != "same"]
    return [
        replace(finding, children=tuple(without_same(finding.children))) if is_folder(finding) else finding
        for finding in kept
    ]


def searched_text(finding: Finding) -> str:
    """Every part of a finding, in lower case."""
    return f"{' '.join(finding.path)} {finding.a} {finding.b} {finding.note}".lower()


class OrderedFindings:
    """The findings of an area in reading order, which are put in order once and searched with every key of a filter.

    `in_tree`: files stand below their folders.
    """

    def __init__(self, findings: Sequence[Finding], explained: Explained, *, in_tree: bool) -> None:
        ordered = in_reading_order(findings, explained)
        self.findings = in_folders(ordered) if in_tree else ordered
        self._searched: list[tuple[str, FindingLine]] = []
        self._lines: tuple[set[FindingPath], list[FindingLine]] | None = None  # of what was open, and these

    def lines(self, opened: set[FindingPath]) -> list[FindingLine]:
        """Every line, open as far as `opened` says."""
        if self._lines is None or self._lines[0] != opened:
            self._lines = (set(opened), list(flattened(self.findings, opened)))
        return self._lines[1]

    def matching(self, text: str) -> list[FindingLine]:
        """The lines with a part that contains the text, which is in lower case; all are open."""
        if not self._searched:
            self._searched = [
                (searched_text(line.finding), line) for line in flattened(self.findings, set(), all_open=True)
            ]
        return [line for searched, line in self._searched if text in searched]
