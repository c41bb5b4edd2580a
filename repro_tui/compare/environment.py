"""Compares the environments of two sides by their inventories: package by package and fact by fact."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace

from repro_tui.compare.ignore import without_ignored
from repro_tui.model.finding import Area, Change, Finding, Severity, area_of
from repro_tui.model.inventory import IDENTITY, Inventory, PythonPackage, is_label
from repro_tui.support.context import Context
from repro_tui.support.text import plural, show

# Packages whose release can change numerical results.
NUMERICAL = frozenset(
    "catboost cupy jax jaxlib keras lightgbm llvmlite mkl numba numexpr numpy onnx onnxruntime onnxruntime-gpu "
    "openblas pandas polars pyarrow scikit-learn scipy sentence-transformers statsmodels tensorflow tokenizers "
    "torch torchvision transformers triton xgboost".split()
)
TOOLS = frozenset({"pip", "setuptools", "wheel", "uv"})
_LIBRARIES = re.compile(r"^(libc6|libc-bin|musl|glibc|libopenblas|libblas|liblapack|libgomp|libstdc\+\+|python3)")
_OTHER_BUILD = "a different build: its contents are compared item by item"
_LABEL = "a label does not affect a run"
LEFT_OUT = "files left out"
MOST_FILES = 1_000
_IMPORTANT_FACTS = frozenset({"implementation", "version", "libc", "architecture", "blas", "os"})


def compare_environment(a: Inventory, b: Inventory, context: Context) -> Area:
    """The environment's area: what differs between the interpreters, packages, systems, images, files and variables.

    Nothing of an environment is executed here.
    """
    pair = InventoryPair(a, b, context)
    return environment_area(pair.findings(), pair, context)


def environment_area(compared: Iterable[Finding], pair: InventoryPair, context: Context) -> Area:
    """The area of the findings of two inventories, without what is ignored, and without what is the same."""
    findings = without_ignored(tuple(compared), "environment", context.settings.ignore)
    every = context.settings.all_findings
    shown = tuple(
        finding
        for finding in findings
        if every or finding.change != "same" or finding.a != finding.b or finding.path[0] == LEFT_OUT
    )
    area = area_of(tuple(f for f in shown if f.change != "same"), pair.same)
    return Area(area.status, area.counts, shown)


def with_differing_basis(built: Area, declared: Area, listed: Collection[str]) -> Area:
    """The area as built, with the packages marked that both sides declare alike and that were built differently.

    `listed` are the names of the packages that both sides declare.
    """
    changed = {finding.path for finding in declared.findings if finding.change not in ("same", "unknown")}
    alike = {("packages", name) for name in listed} - changed
    findings = (
        replace(finding, basis="built") if finding.path in alike and finding.change != "same" else finding
        for finding in built.findings
    )
    return replace(built, findings=tuple(findings))


class InventoryPair:
    """Two inventories under comparison; `same` counts the items that do not differ."""

    def __init__(self, a: Inventory, b: Inventory, context: Context) -> None:
        self.a, self.b, self.context, self.same = a, b, context, 0

    def findings(self) -> Iterable[Finding]:
        """Everything that two environments are compared by."""
        yield from self.facts("interpreter", self.a.interpreter, self.b.interpreter)
        yield from self.packages()
        yield from self.facts("system", self.a.system, self.b.system)
        yield from self.facts("image", self.a.image, self.b.image)
        yield from self._files(self.a.files, self.b.files)
        yield from self.facts("system packages", self.a.system_packages, self.b.system_packages)
        yield from self.variables()
        yield from self.unknown()

    def unknown(self) -> Iterable[Finding]:
        """What is not known of a side, with the reason."""
        for field in sorted(self.a.unknown.keys() | self.b.unknown.keys()):
            reasons = (("A", self.a.unknown.get(field)), ("B", self.b.unknown.get(field)))
            note = "; ".join(f"{side}: {reason}" for side, reason in reasons if reason)
            yield Finding(tuple(field.split(".", 1)), "unknown", note=show(note))

    def facts(self, section: str, a: dict[str, str], b: dict[str, str]) -> Iterable[Finding]:
        """The facts of one section by their names, with their values on both sides."""
        for name in sorted(a.keys() | b.keys()):
            yield self._finding((section, name), a.get(name), b.get(name), _severity(section, name))

    def _finding(self, path: tuple[str, ...], a: str | None, b: str | None, severity: Severity) -> Finding:
        both = path[0] == "image" and self.a.image and self.b.image
        note = "" if not both else _LABEL if is_label(path[1]) else _OTHER_BUILD if path[1] in IDENTITY else ""
        if a == b or note:
            self.same += 1
            return Finding(path, "same", a, b, "info", note if a != b else "")
        return Finding(path, _change(a, b), a, b, severity)

    def _files(self, a: dict[str, str] | None, b: dict[str, str] | None) -> Iterable[Finding]:
        """The files that no package accounts for; a single unknown finding where a side's files could not be read."""
        if a is None and b is None:
            return
        if a is None or b is None:
            side = "A" if a is None else "B"
            yield Finding(("files",), "unknown", note=f"{side}: the files of the image were not read one by one")
            return
        names = sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))
        self.same += len(a.keys() | b.keys()) - len(names)
        if names:
            children = tuple(self._file(name, a.get(name), b.get(name)) for name in names[:MOST_FILES])
            note = f"differing files, links, folders and system packages: {len(names):,}"
            yield Finding(("files",), "changed", None, None, "notice", note, children)
        yield from self._left_out()

    def _file(self, name: str, a: str | None, b: str | None) -> Finding:
        finding = self._finding(("files", name), a, b, "notice")
        if a and b and not a.startswith("link to ") and a.split()[0] == b.split()[0]:
            return replace(finding, note="the same content with another mode or owner")
        return finding

    def _left_out(self) -> Iterable[Finding]:
        """The files that were not compared, by kind, with the counts of both sides."""
        a, b = self.a.left_out, self.b.left_out
        for kind in sorted(a.keys() | b.keys()):
            count_a, count_b = (f"{side.get(kind, 0):,}" for side in (a, b))
            note = "rewritten by every build or run: not compared"
            yield Finding((LEFT_OUT, kind), "same", count_a, count_b, "info", note)

    def variables(self) -> Iterable[Finding]:
        """The variables; values that may be secret are hidden."""
        hide = self.context.redactor.variable
        for name in sorted(self.a.variables.keys() | self.b.variables.keys()):
            values = self.a.variables.get(name), self.b.variables.get(name)
            a, b = (None if value is None else hide(name, value) for value in values)
            yield self._finding(("variables", name), a, b, "notice")

    def packages(self) -> Iterable[Finding]:
        """The Python packages by name."""
        a, b = self.a.python_packages, self.b.python_packages
        for name in sorted(a.keys() | b.keys()):
            yield self._package(name, a.get(name), b.get(name))

    def _package(self, name: str, a: PythonPackage | None, b: PythonPackage | None) -> Finding:
        path = ("packages", name)
        severity: Severity = "important" if name in NUMERICAL else "info" if name in TOOLS else "notice"
        if a is None or b is None:
            return self._finding(path, a.version if a else None, b.version if b else None, severity)
        if a.version != b.version:
            return Finding(path, "changed", a.version, b.version, severity, step_of(a.version, b.version))
        if a.digest != b.digest:
            return self._changed_files(path, a, b, severity)
        if a.source != b.source:
            return Finding(path, "changed", a.version, b.version, "info", f"from {show(a.source)} and {show(b.source)}")
        self.same += 1
        return Finding(path, "same", a.version, b.version, "info")

    def _changed_files(self, path: tuple[str, ...], a: PythonPackage, b: PythonPackage, severity: Severity) -> Finding:
        names = sorted(name for name in a.files.keys() | b.files.keys() if a.files.get(name) != b.files.get(name))
        children = tuple(
            Finding((*path, name), _change(a.files.get(name), b.files.get(name)), a.files.get(name), b.files.get(name))
            for name in names[:MOST_FILES]
        )
        note = f"the same version, but {plural(len(names), 'file')} {'differs' if len(names) == 1 else 'differ'}"
        return Finding(path, "changed", a.version, b.version, severity, note, children)


def _change(a: object, b: object) -> Change:
    return "added" if a is None else "removed" if b is None else "changed"


def _severity(section: str, name: str) -> Severity:
    if section == "system packages":
        return "notice" if _LIBRARIES.match(name) else "info"
    if section == "image":
        return "info"
    return "important" if name in _IMPORTANT_FACTS else "notice"


def step_of(a: str, b: str) -> str:
    """How far apart two versions are: a major, minor or patch release, and whether down; "" where one is not a version.

    `step_of("1.4.2", "1.3.9")` is "minor release, downgrade".
    """
    from packaging.version import InvalidVersion, Version

    try:
        old, new = Version(a), Version(b)
    except InvalidVersion:
        return ""
    if old.major != new.major:
        step = "major release"
    elif old.minor != new.minor:
        step = "minor release"
    elif old.micro != new.micro:
        step = "patch release"
    else:
        step = "other build of one release"
    return f"{step}, downgrade" if new < old else step
