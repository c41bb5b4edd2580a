"""The four areas that need no run: compared as declared before anything is built, and as built where both sides are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath

from repro_tui.audit.concurrency import at_once
from repro_tui.audit.side import SideState
from repro_tui.model.declared import CommitTree, Declared, DeclaredCode
from repro_tui.model.errors import Inconclusive
from repro_tui.model.event import Event
from repro_tui.model.finding import Area, Finding, area_of
from repro_tui.model.workspace import BuiltParameters, FetchedData, Workspace
from repro_tui.rebuild.hybrid_parameters import parameter_places
from repro_tui.support.context import Context
from repro_tui.support.plain import to_plain

FourAreas = tuple[Area, Area, Area, Area]
NAMES = ("code", "environment", "parameters", "data")


@dataclass(slots=True)
class StaticAreas:
    """The code, environment, parameters and data of two sides. Each area is published as soon as it is known."""

    a: SideState
    b: SideState
    folder: Path
    context: Context
    areas: dict[str, Area] = field(default_factory=dict)
    compared: tuple[DeclaredCode, DeclaredCode] | None = None

    def declare(self) -> None:
        """Reads what both sides declare, at the same time, and compares it; nothing is built."""
        from repro_tui.compare.code import compare_code
        from repro_tui.compare.declared import compare_declared_data, compare_declared_environment
        from repro_tui.compare.parameters import compare_parameters

        at_once([self.a.declare, self.b.declare], workers=2)
        a, b = self._declared()
        self.compared = a.code, b.code
        with self.context.step("compare declared", "comparing what both sides declare") as step:
            compare: dict[str, Callable[[], Area]] = {
                "code": partial(compare_code, a.code, b.code, self.context, self.folder),
                "environment": partial(compare_declared_environment, a, b, self.context),
                "parameters": partial(compare_parameters, a.parameters, b.parameters, self.context),
                "data": partial(compare_declared_data, a, b, self.context),
            }
            for name, work in compare.items():
                self.areas[name] = replace(_compared(name, work), basis="declared")
            step.how = ", ".join(f"{name} {self.areas[name].status}" for name in NAMES)
        self._publish(*NAMES)

    def finish(self) -> FourAreas:
        """The areas as built, as far as both sides were built; an area of which a side was lost stays as declared."""
        self._code()
        self._environment()
        self._parameters()
        self._data()
        self._publish(*NAMES)
        return self.areas["code"], self.areas["environment"], self.areas["parameters"], self.areas["data"]

    def _declared(self) -> tuple[Declared, Declared]:
        assert self.a.declared is not None
        assert self.b.declared is not None
        return self.a.declared, self.b.declared

    def _publish(self, *names: str) -> None:
        from repro_tui.compare.pointers import pointing_at_each_other

        a, b = self._declared()
        code, parameters, data = pointing_at_each_other(
            self.areas["code"], self.areas["parameters"], self.areas["data"], a.code.placed | b.code.placed
        )
        self.areas |= {"code": code, "parameters": parameters, "data": data}
        for name in names:
            self.context.emit(Event("area", step=name, detail={"name": name, "area": to_plain(self.areas[name])}))

    def _compare(self, name: str, work: Callable[[], Area]) -> None:
        with self.context.step(f"compare {name}", f"comparing the {name}"):
            self.areas[name] = _compared(name, work)

    def _as_built(self, name: str) -> Area:
        """The area as it was declared, which is what was built; an area that neither record fills stays as it is."""
        area = self.areas[name]
        return area if area.status == "not-recorded" else replace(area, basis="built")

    def _code(self) -> None:
        """Compared again where a build shows more: files that are converted or fetched, or are data or parameters."""
        from repro_tui.compare.code import compare_code

        workspaces = self.a.workspace, self.b.workspace
        if workspaces[0] is None or workspaces[1] is None:
            return
        a, b = (
            _built_code(declared.code, workspace)
            for declared, workspace in zip(self._declared(), (workspaces[0], workspaces[1]), strict=True)
        )
        if self.compared is None or not (_same_code(self.compared[0], a) and _same_code(self.compared[1], b)):
            self._compare("code", partial(compare_code, a, b, self.context, self.folder))
        if all(workspace and workspace.code and not workspace.code_in_image for workspace in workspaces):
            self.areas["code"] = self._as_built("code")
        else:
            self.areas["code"] = replace(self.areas["code"], basis="declared")

    def _parameters(self) -> None:
        """The values are those that were declared, except of a file that only a build fetches or converts."""
        from repro_tui.compare.parameters import compare_parameters

        if self.a.workspace is None or self.b.workspace is None:
            return
        built = self.a.workspace.parameters, self.b.workspace.parameters
        declared = (side.parameters for side in self._declared())
        if not all(map(_same_parameters, declared, built)):
            self._compare("parameters", partial(compare_parameters, *built, self.context))
        self.areas["parameters"] = self._as_built("parameters")

    def _environment(self) -> None:
        from repro_tui.compare.environment import compare_environment, with_differing_basis

        a, b = self.a.environment, self.b.environment
        if a is None or b is None or "endpoint" in (a.kind, b.kind):
            return
        declared = self.areas["environment"]
        self._compare("environment", partial(compare_environment, a.inventory, b.inventory, self.context))
        listed = [side.environment.inventory.python_packages.keys() for side in self._declared()]
        alike = listed[0] & listed[1]
        self.areas["environment"] = with_differing_basis(self.areas["environment"], declared, alike)

    def _data(self) -> None:
        from repro_tui.compare.data import compare_data
        from repro_tui.compare.data_files import with_files
        from repro_tui.compare.data_rows import with_rows

        a, b = self.a.data, self.b.data
        if a is None or b is None or any(declared.live for declared in self._declared()):
            return
        key = self.a.record.validation.key

        def compare(a: tuple[FetchedData, ...], b: tuple[FetchedData, ...]) -> Area:
            area = with_rows(compare_data(a, b, self.context), a, b, key, self.folder, self.context)
            return with_files(area, a, b, self.folder, self.context)

        self._compare("data", partial(compare, a, b))


def _compared(name: str, work: Callable[[], Area]) -> Area:
    try:
        return work()
    except Inconclusive as error:
        return area_of((Finding((name,), "unknown", note=str(error)),), 0)


def _built_code(declared: DeclaredCode, workspace: Workspace) -> DeclaredCode:
    """The code that was rebuilt, with the files that are now known to be data or parameters."""
    if workspace.code is None:
        unknown = workspace.code_unknown or declared.unknown
        return replace(declared, tree=None, unknown=unknown)
    tree = CommitTree.of_built(workspace.code)
    return replace(declared, tree=tree, elsewhere=frozenset(_elsewhere(workspace, tree)))


def _elsewhere(workspace: Workspace, tree: CommitTree) -> set[str]:
    """The files of the tree that are compared as parameters or data."""
    root = PurePosixPath(tree.subdirectory)
    paths = {str(root / item.path / name) for item in workspace.data for name in item.files}
    return (paths | parameter_places(workspace)) & tree.files.keys()


def _same_code(a: DeclaredCode, b: DeclaredCode) -> bool:
    """Whether a comparison of one would be that of the other."""
    files_a, files_b = (side.tree and side.tree.files for side in (a, b))
    return files_a == files_b and a.elsewhere == b.elsewhere and a.unknown == b.unknown


def _same_parameters(a: BuiltParameters, b: BuiltParameters) -> bool:
    """Whether a comparison of one would be that of the other: the types of values count."""
    same_form = (a.per_file, a.name) == (b.per_file, b.name)
    return repr(a.values) == repr(b.values) and a.unknown == b.unknown and same_form
