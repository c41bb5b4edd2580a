"""Inside one guilty factor: packages and their releases, parameters, commits and their files, data files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repro_tui.explain import factors
from repro_tui.explain.culprits import ChangePoint, CulpritGroup, Located
from repro_tui.explain.execution import HybridRequest
from repro_tui.explain.game import Value
from repro_tui.explain.inside.base import Inside
from repro_tui.explain.inside.commits import SHORT, Way, way_between
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

MOST_STEPS = 5
ONLY_STEP = Change(0, 1, skipped=(), runs=0, complete=True)


Place = Callable[[Parts, int, Context], Parts]


@dataclass(slots=True)
class Drill:
    """The search inside one factor, while the other factors stay as they are: `others` from B, the rest from A."""

    trials: Trials
    factor: str
    others: frozenset[str]
    ends: Ruler

    def run(self) -> Iterator[Located]:
        """What was found, as it is found: the things first, then what is inside them."""
        if self.factor == factors.CODE:
            yield from self._code()
        elif self.factor in (factors.ENVIRONMENT, factors.PACKAGES):
            yield from self._environment()
        elif self.factor in (factors.MODEL, factors.DATA):
            yield from self._data()
        elif self.factor == factors.PARAMETERS:
            a, b = self.trials.pair.workspaces
            yield from self._things(inside_parameters(a.parameters, b.parameters))
        elif self.factor == factors.VARIABLES:
            of_a, of_b = (recorded_variables(side.environment) for side in self.trials.pair.workspaces)
            yield from self._things(inside_variables(of_a, of_b))

    # -- things -------------------------------------------------------------------------------------------------

    def _things(self, inside: Inside, ends: Ruler | None = None) -> Iterator[CulpritGroup]:
        if not inside.items:
            return
        ruler = ends or self.ends

        def test(sets: Sequence[frozenset[str]]) -> list[Response]:
            asked = [self._asked(inside, chosen, ruler) for chosen in sets]
            values = self.trials.values(f"inside {inside.factor}", asked, ruler)
            return [outcome_of(value) for value in values]

        watch = self._watch(inside.where or inside.factor, "things")
        yield CulpritGroup(inside, search(inside.items, inside.implications, test, likely=inside.likely, watch=watch))

    def _asked(self, inside: Inside, chosen: frozenset[str], ruler: Ruler) -> HybridRequest:
        known = {0: tuple(ruler.low), len(inside.items): tuple(ruler.high)}.get(len(chosen), ())
        words = tuple(" ".join(inside.path(item)) for item in inside.items if item in chosen)

        def make(context: Context) -> Parts:
            return inside.parts(self.trials.parts(self.others, context), chosen, context)

        return HybridRequest(words, lambda context: hybrid(make(context), context), known)

    # -- ways ---------------------------------------------------------------------------------------------------

    def _walk(self, stage: str, names: Sequence[str], place: Place, ends: Ruler) -> Change:
        """Where on a way from one end to the other the outputs become those of the other."""

        def test(points: Sequence[int]) -> list[Response]:
            asked = [self._at(names, at, place, ends) for at in points]
            values = self.trials.values(stage, asked, ends)
            return [outcome_of(value) for value in values]

        return last_change(len(names), test, self._watch(stage, "steps"))

    def _watch(self, where: str, what: str) -> Callable[[int], None]:
        """Tells how much is still possible, and what is left of the budget."""
        return lambda possible: self.trials.executor.progress(f"{where}: {possible:,} {what} still possible")

    def _rest(self, names: Sequence[str], place: Place, change: Change, ends: Ruler) -> Ruler | None:
        """The ends of what is left of the way before a change; None where that cannot be told."""
        low = self._runs(names, place, change.before, ends)
        return self.trials.ruler_between(ends.low, low) if low else None

    def _runs(self, names: Sequence[str], place: Place, at: int, ends: Ruler) -> tuple[Path, ...]:
        return self.trials.executor.outcomes([self._at(names, at, place, ends)], len(ends.low))[0].runs

    def _at(self, names: Sequence[str], at: int, place: Place, ends: Ruler) -> HybridRequest:
        known = {0: tuple(ends.low), len(names) - 1: tuple(ends.high)}.get(at, ())

        def make(context: Context) -> Parts:
            return place(self.trials.parts(self.others, context), at, context)

        return HybridRequest((names[at],), lambda context: hybrid(make(context), context), known)

    # -- the data -----------------------------------------------------------------------------------------------

    def _data(self) -> Iterator[Located]:
        """The files first, then the rows or the values of each guilty one."""
        inside = inside_data(self.factor, *self.trials.pair.workspaces)
        for things in self._things(inside):
            yield things
            guilty = replace(inside, items=things.culprits.names)
            for item in things.culprits.names if things.culprits.sufficient else ():
                both = both_files(self.factor, *self.trials.pair.workspaces, item)
                if both is None:
                    continue
                within = inside_rows(self.factor, *both, guilty) or inside_values(self.factor, *both, guilty)
                items = within.items if within else ()
                if within and (len(items) > 1 or (items and within.sides(items[0]) != (None, None))):
                    yield from self._things(within)

    # -- the environment ----------------------------------------------------------------------------------------

    def _environment(self) -> Iterator[Located]:
        inside = self._packages()
        if inside is None:
            return
        for things in self._things(inside):
            yield things
            for group in things.culprits.groups:
                if len(group) == 1:
                    yield from self._releases(group[0], things)

    def _packages(self) -> Inside | None:
        a, b = (side.environment for side in self.trials.pair.workspaces)
        if a.kind == b.kind == "venv":
            return inside_environment(self.factor, a, b, self._imported(), self.trials.context)
        images = self.trials.images
        return images.inside(self.factor, self._imported()) if images else None

    def _imported(self) -> frozenset[str]:
        return frozenset().union(*(imported_packages(side.code) for side in self.trials.pair.workspaces))

    def _releases(self, name: str, things: CulpritGroup) -> Iterator[ChangePoint]:
        """The release of a guilty package with which the change came, with the other guilty ones from B."""
        a, b = (side.environment for side in self.trials.pair.workspaces)
        releases = releases_of(name, a, b, self.trials.context) if a.kind == "venv" else None
        if releases is None:
            return
        guilty = frozenset(things.culprits.names)

        def place(base: Parts, at: int, context: Context) -> Parts:
            return releases.parts(base, guilty, at, context)

        names = [f"{name} {version}" for version in releases.versions]
        change = self._walk(f"releases of {name}", names, place, self.ends)
        whole = _is_whole(change, self._rest(names, place, change, self.ends))
        before, after = (releases.versions[at] for at in (change.before, change.after))
        yield ChangePoint(self.factor, ("packages", name, "release"), before, after, change, whole)

    # -- the code -----------------------------------------------------------------------------------------------

    def _code(self) -> Iterator[Located]:
        """The commits with which the change came, the last one first, each with its files."""
        a, b = self.trials.pair.workspaces
        if a.code is None or b.code is None:
            return
        way = way_between(*self.trials.pair.records, self.trials.context)
        if way is None or len(way.commits) < 3:
            if way and way.shortened:  # which of all commits it is, is news though it is the only one left
                guilty = way.guilty(1)
                yield ChangePoint(
                    factors.CODE, ("commits",), *_ids(way, ONLY_STEP), ONLY_STEP, True, guilty.id, guilty.subject
                )
            yield from self._things(inside_code(a.code, b.code, factors.not_code(a, b)))
            return
        ends: Ruler | None = self.ends
        names = way.names
        for _ in range(MOST_STEPS):
            if ends is None or not ends.apart:
                return
            change = self._walk("commits", names, way.parts, ends)
            files = self._files(way, names, change, ends)
            rest = self._rest(names, way.parts, change, ends)
            whole = _is_whole(change, rest)
            ids, guilty = _ids(way, change), way.guilty(change.after)
            yield ChangePoint(factors.CODE, ("commits",), *ids, change, whole, guilty.id, guilty.subject)
            yield from files
            ends = rest
            names = names[: change.before + 1]

    def _files(self, way: Way, names: list[str], change: Change, ends: Ruler) -> Iterator[CulpritGroup]:
        """The files of one step."""
        low, high = (self._runs(names, way.parts, at, ends) for at in (change.before, change.after))
        if change.exact and low and high:
            before, after = (way.tree(at, self.trials.context) for at in (change.before, change.after))
            where = f"commit {way.guilty(change.after).id[:SHORT]}"
            inside = inside_code(before, after, factors.not_code(*self.trials.pair.workspaces), where)
            between = self.trials.ruler_between(low, high)
            if between.apart:
                yield from self._things(inside, between)


def outcome_of(value: Value) -> Response:
    """A hybrid's value as the searches take it."""
    return Response(None if value.score is None else value.reproduces, value.why, value.restores)


def _is_whole(change: Change, rest: Ruler | None) -> bool:
    """Whether all of the change came in one step: what is left of the way before it changes nothing."""
    return change.exact and rest is not None and not rest.apart


def _ids(way: Way, change: Change) -> tuple[str, str]:
    return way.commits[change.before].id, way.commits[change.after].id
