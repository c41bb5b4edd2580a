"""The palette: every action that works here, and every finding of the audit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text
from textual.command import DiscoveryHit, Hit, Hits, Provider

from repro_tui.model.finding import Area
from repro_tui.support.text import show
from repro_tui.tui.actions import AUDIT, GLOBAL, Action

if TYPE_CHECKING:
    from repro_tui.tui.app import Auditor

MOST = 200


class Everything(Provider):
    """Actions and findings by name."""

    @property
    def auditor(self) -> Auditor:
        """The application."""
        return self.app  # type: ignore[return-value]

    def _actions(self) -> list[Action]:
        return [*GLOBAL[2:], *(AUDIT[1:] if self.auditor.store else ())]

    async def discover(self) -> Hits:
        """Without a word: the actions."""
        for action in self._actions():
            yield DiscoveryHit(Text(action.title), partial(self.app.run_action, action.name, self.screen))

    async def search(self, query: str) -> Hits:
        """Whatever matches the word."""
        matcher = self.matcher(query)
        for action in self._actions():
            score = matcher.match(action.title)
            if score > 0:
                yield Hit(score, Text(action.title), partial(self.app.run_action, action.name, self.screen))
        store = self.auditor.store
        for name, area in store.areas.items() if store else ():
            for finding in area.findings[:MOST] if isinstance(area, Area) else ():
                title = f"{name}: {show(' › '.join(finding.path), 120)}"
                score = matcher.match(title)
                if score > 0:
                    yield Hit(score, Text(title), partial(self.auditor.show_finding, name, finding))
