"""Inside one guilty factor: packages and their releases, parameters, commits and their files, data files.

Two searches serve all of them. Items without an order (packages, parameters, files, rows) are searched by `lattice`:
which set of items from B makes the change? Points in an order (commits, releases) are bisected by `window`: with which
step does the change come? What is found is opened again: a package into its releases, a commit into its files, a data
file into its rows or values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repro_tui.explain import factors
from repro_tui.explain.culprits import ChangePoint, CulpritGroup, Located
from repro_tui.explain.execution import HybridRequest
from repro_tui.explain.game import Value
from repro_tui.explain.inside.base import Inside
from repro_tui.explain.inside.commits import CommitPath, commits_between
from repro_tui.explain.inside.files import both_files, inside_code, inside_data
from repro_tui.explain.inside.imports import imported_packages
from repro_tui.explain.inside.packages import inside_environment, releases_of
from repro_tui.explain.inside.parameters import inside_parameters, inside_variables
from repro_tui.explain.inside.rows import inside_rows
from repro_tui.explain.inside.values import inside_values
from repro_tui.explain.lattice import Response, search
from repro_tui.explain.measure import Ruler
from repro_tui.explain.trials import Trials
from repro_tui.explain.window import Change, last_change
from repro_tui.rebuild.hybrid import Parts, hybrid, recorded_variables
from repro_tui.support.context import Context
from repro_tui.support.text import plural

MOST_STEPS = 5  # guilty commits that are searched for
ONLY_STEP = Change(0, 1, skipped=(), runs=0, complete=True)

PartsAt = Callable[[Parts, int, Context], Parts]  # the parts of a hybrid at a point of a sequence


@dataclass(slots=True)
class Drill:
    """The search inside one factor, while the other factors are fixed: `others` from B, the rest from A.

    `ends` measures from the hybrid with all of this factor from A to that with all of it from B.
    """

    trials: Trials
    factor: str
    others: frozenset[str]
    ends: Ruler

    def run(self) -> Iterator[Located]:
        """The culprits as they are found: the items first, then what is inside them. Raises BudgetSpent, Cancelled."""
        if self.factor == factors.CODE:
            yield from self._code()
        elif self.factor in (factors.ENVIRONMENT, factors.PACKAGES):
            yield from self._environment()
        elif self.factor in (factors.MODEL, factors.DATA):
            yield from self._data()
        elif self.factor == factors.PARAMETERS:
            a, b = self.trials.pair.workspaces
            yield from self._items(inside_parameters(a.parameters, b.parameters))
        elif self.factor == factors.VARIABLES:
            of_a, of_b = (recorded_variables(side.environment) for side in self.trials.pair.workspaces)
            yield from self._items(inside_variables(of_a, of_b))

    # -- items without an order ---------------------------------------------------------------------------------

    def _items(self, inside: Inside, ends: Ruler | None = None) -> Iterator[CulpritGroup]:
        if not inside.items:
            return
        ruler = ends or self.ends

        def test(hybrids: Sequence[frozenset[str]]) -> list[Response]:
            requests = [self._hybrid_with(inside, chosen, ruler) for chosen in hybrids]
            values = self.trials.values(f"inside {inside.factor}", requests, ruler)
            return [response_of(value) for value in values]

        watch = self._watch(inside.where or inside.factor)
        culprits = search(inside.items, inside.implications, test, likely=inside.likely, watch=watch)
        if not self._is_in_b(ruler):  # what restores A there says nothing of B
            culprits = replace(culprits, restoring=frozenset(), cleared=0)
        yield CulpritGroup(inside, culprits)

    def _is_in_b(self, ruler: Ruler) -> bool:
        """Whether all else is from B in the hybrids of a search, so that those without an item are B without it."""
        rest = frozenset(self.trials.factors.names) - {self.factor}
        return self.others == rest and ruler is self.ends

    def _hybrid_with(self, inside: Inside, from_b: frozenset[str], ruler: Ruler) -> HybridRequest:
        """The request for the hybrid with these items from B."""
        known = {0: tuple(ruler.low), len(inside.items): tuple(ruler.high)}.get(len(from_b), ())
        names = tuple(" ".join(inside.path(item)) for item in inside.items if item in from_b)

        def parts(context: Context) -> Parts:
            return inside.parts(self.trials.parts(self.others, context), from_b, context)

        return HybridRequest(names, lambda context: hybrid(parts(context), context), known)

    # -- points in an order -------------------------------------------------------------------------------------

    def _bisect(self, stage: str, names: Sequence[str], parts_at: PartsAt, ends: Ruler) -> Change:
        """The step of a sequence with which the outputs become those of its last point."""

        def test(points: Sequence[int]) -> list[Response]:
            requests = [self._point(names, index, parts_at, ends) for index in points]
            values = self.trials.values(stage, requests, ends)
            return [response_of(value) for value in values]

        return last_change(len(names), test, self._watch(stage))

    def _watch(self, stage: str) -> Callable[[int], None]:
        """Reports how many candidates are left, and what is left of the budget."""
        return lambda possible: self.trials.executor.progress(f"{stage}: {plural(possible, 'candidate')} left")

    def _before(self, names: Sequence[str], parts_at: PartsAt, change: Change, ends: Ruler) -> Ruler | None:
        """The ruler over what is left of a sequence before a change; None where its last point does not run."""
        runs = self._runs(names, parts_at, change.before, ends)
        return self.trials.ruler_between(ends.low, runs) if runs else None

    def _runs(self, names: Sequence[str], parts_at: PartsAt, index: int, ends: Ruler) -> tuple[Path, ...]:
        return self.trials.executor.results([self._point(names, index, parts_at, ends)], len(ends.low))[0].runs

    def _point(self, names: Sequence[str], index: int, parts_at: PartsAt, ends: Ruler) -> HybridRequest:
        """The request for the hybrid at one point of a sequence."""
        known = {0: tuple(ends.low), len(names) - 1: tuple(ends.high)}.get(index, ())

        def parts(context: Context) -> Parts:
            return parts_at(self.trials.parts(self.others, context), index, context)

        return HybridRequest((names[index],), lambda context: hybrid(parts(context), context), known)

    # -- the data -----------------------------------------------------------------------------------------------

    def _data(self) -> Iterator[Located]:
        """The files first, then the rows or the values of each guilty one."""
        inside = inside_data(self.factor, *self.trials.pair.workspaces)
        for group in self._items(inside):
            yield group
            guilty = replace(inside, items=group.culprits.names)
            for item in group.culprits.names if group.culprits.sufficient else ():
                both = both_files(self.factor, *self.trials.pair.workspaces, item)
                if both is None:
                    continue
                content = inside_rows(self.factor, *both, guilty) or inside_values(self.factor, *both, guilty)
                items = content.items if content else ()
                if content and (len(items) > 1 or (items and content.sides(items[0]) != (None, None))):
                    yield from self._items(content)

    # -- the environment ----------------------------------------------------------------------------------------

    def _environment(self) -> Iterator[Located]:
        inside = self._packages()
        if inside is None:
            return
        for group in self._items(inside):
            yield group
            for names in group.culprits.groups:
                if len(names) == 1:
                    yield from self._releases(names[0], group)

    def _packages(self) -> Inside | None:
        a, b = (side.environment for side in self.trials.pair.workspaces)
        if a.is_pinned and b.is_pinned:
            return inside_environment(self.factor, a, b, self._imported(), self.trials.context)
        images = self.trials.images
        return images.inside(self.factor, self._imported()) if images else None

    def _imported(self) -> frozenset[str]:
        return frozenset().union(*(imported_packages(side.code) for side in self.trials.pair.workspaces))

    def _releases(self, name: str, group: CulpritGroup) -> Iterator[ChangePoint]:
        """The release of a guilty package with which the change came, with the other guilty packages from B."""
        a, b = (side.environment for side in self.trials.pair.workspaces)
        releases = releases_of(name, a, b, self.trials.context) if a.is_pinned and b.is_pinned else None
        if releases is None:
            return
        guilty = frozenset(group.culprits.names)

        def parts_at(base: Parts, index: int, context: Context) -> Parts:
            return releases.parts(base, guilty, index, context)

        names = [f"{name} {version}" for version in releases.versions]
        change = self._bisect(f"releases of {name}", names, parts_at, self.ends)
        whole = _is_whole(change, self._before(names, parts_at, change, self.ends))
        before, after = (releases.versions[index] for index in (change.before, change.after))
        yield ChangePoint(self.factor, ("packages", name, "release"), before, after, change, whole)

    # -- the code -----------------------------------------------------------------------------------------------

    def _code(self) -> Iterator[Located]:
        """The commits with which the change came, the last one first, each with its files."""
        a, b = self.trials.pair.workspaces
        if a.code is None or b.code is None:
            return
        path = commits_between(*self.trials.pair.records, self.trials.context)
        if path is not None and len(path.commits) > 2:
            yield from self._commits(path)
            return
        if path is not None and path.shortened:  # the only commit left: which of all commits that is, is worth saying
            yield _commit_point(path, ONLY_STEP, whole=True)
        yield from self._items(inside_code(a.code, b.code, factors.not_code(a, b)))

    def _commits(self, path: CommitPath) -> Iterator[Located]:
        ends: Ruler | None = self.ends
        names = path.names
        for _ in range(MOST_STEPS):
            if ends is None or not ends.ends_differ:
                return
            change = self._bisect("commits", names, path.parts, ends)
            files = self._files(path, names, change, ends)
            before = self._before(names, path.parts, change, ends)
            yield _commit_point(path, change, _is_whole(change, before))
            yield from files
            ends = before
            names = names[: change.before + 1]

    def _files(self, path: CommitPath, names: list[str], change: Change, ends: Ruler) -> Iterator[CulpritGroup]:
        """The guilty files of one commit."""
        low, high = (self._runs(names, path.parts, index, ends) for index in (change.before, change.after))
        if change.exact and low and high:
            before, after = (path.tree(index, self.trials.context) for index in (change.before, change.after))
            where = f"commit {path.guilty(change.after).id[:7]}"
            inside = inside_code(before, after, factors.not_code(*self.trials.pair.workspaces), where)
            between = self.trials.ruler_between(low, high)
            if between.ends_differ:
                yield from self._items(inside, between)


def response_of(value: Value) -> Response:
    """A hybrid's value as the searches need it."""
    state = None if value.score is None else value.reproduces
    return Response(state, value.why, value.restores, value.only_near)


def _is_whole(change: Change, before: Ruler | None) -> bool:
    """Whether all of the change came in one step: what is left of the sequence before it changes nothing."""
    return change.exact and before is not None and not before.ends_differ


def _commit_point(path: CommitPath, change: Change, whole: bool) -> ChangePoint:
    before, after = path.commits[change.before].id, path.commits[change.after].id
    guilty = path.guilty(change.after)
    return ChangePoint(factors.CODE, ("commits",), before, after, change, whole, guilty.id, guilty.subject)
