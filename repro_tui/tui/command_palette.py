"""The command palette: the actions that work here, the findings and output columns of the audit, and the themes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

from rich.text import Text
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode

from repro_tui.model.finding import Area, AreaName, Finding
from repro_tui.model.predictions import PredictionsArea
from repro_tui.support.text import show
from repro_tui.tui.actions import ALL, Action, key_names
from repro_tui.tui.navigation import Interface, OpenFinding, ShowColumn

AT_ONCE = 500  # findings matched before key presses are handled again
HIDDEN = ("app.command_palette",)  # the palette itself


class Everything(Provider):
    """Provides actions, findings, output columns and themes by name."""

    @property
    def interface(self) -> Interface:
        """The application."""
        return cast(Interface, self.app)

    def _actions(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """The actions of the focused pane and of the screen below the palette."""
        screen, focused = self.screen, self.focused
        for action in ALL:
            owner = next((node for node in (focused, screen) if node is not None and _has(node, action)), None)
            if owner is not None and action.name not in HIDDEN:
                keys = key_names(self.interface.own_keys.get(action.id, action.keys))
                yield f"{action.title}  ({keys})", partial(self.app.run_action, action.name, owner)

    def _themes(self) -> Iterator[tuple[str, Callable[[], object]]]:
        for name in self.app.available_themes:
            yield f"Theme {name}", partial(setattr, self.app, "theme", name)

    def _findings(self) -> Iterator[tuple[str, Callable[[], object]]]:
        store = self.interface.store
        for name, area in store.areas.items() if store else ():
            for column in area.columns if isinstance(area, PredictionsArea) else ():
                title = f"{name}: {show(column.name, 120)} ({column.verdict})"
                yield title, partial(self.app.post_message, ShowColumn(column.name))
            for finding in area.findings if isinstance(area, Area) else ():
                for entry in (finding, *finding.children):
                    message = OpenFinding(cast(AreaName, name), entry, from_its_area=True)
                    yield _title(name, entry), partial(self.app.post_message, message)

    async def discover(self) -> Hits:
        """The entries before anything is typed: the actions."""
        for title, run in self._actions():
            yield DiscoveryHit(Text(title), run)

    async def search(self, query: str) -> Hits:
        """The entries that match what was typed."""
        matcher = self.matcher(query)
        for number, (title, run) in enumerate((*self._actions(), *self._findings(), *self._themes())):
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, Text(title), run)


def _has(node: DOMNode, action: Action) -> bool:
    return any(binding.id == action.id for _, binding in node._bindings)


def _title(area: str, finding: Finding) -> str:
    return f"{area}: {show(' › '.join(finding.path), 120)}"
