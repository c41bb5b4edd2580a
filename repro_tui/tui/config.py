"""The user's configuration as the interface needs it: a theme that exists, and keys of actions that exist."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from textual.keys import _character_to_key, format_key
from textual.theme import BUILTIN_THEMES

from repro_tui.formats.config import Config, load_config
from repro_tui.model.errors import Mistake, Refused
from repro_tui.tui.actions import ALL, Action
from repro_tui.tui.themes import THEMES

TOGETHER = ("everywhere", "an audit", "a list", "a table", "predictions")


@dataclass(frozen=True, slots=True)
class InterfaceConfig:
    """`theme` is the name of one; `keys` is Textual's keymap: keys by the name of an action."""

    theme: str
    mouse: bool
    keys: dict[str, str]


def interface_config() -> InterfaceConfig:
    """What the user set. Raises Refused with every mistake."""
    config = load_config()
    mistakes = [*_theme_mistakes(config), *_key_mistakes(config)]
    if mistakes:
        raise Refused.all(mistakes)
    theme = automatic_theme(os.environ) if config.theme == "auto" else config.theme
    keys = {name: ",".join(textual_key(key) for key in keys) for name, keys in config.keys.items()}
    return InterfaceConfig(theme, config.mouse, keys)


def automatic_theme(environment: Mapping[str, str]) -> str:
    """The theme for a terminal: none where the user wants none, its own 16 where it has no more, light where it is."""
    if environment.get("NO_COLOR"):
        return "repro-mono"
    light = environment.get("COLORFGBG", "").endswith((";15", ";7"))
    if colours(environment) <= 16:
        return "repro-16-light" if light else "repro-16"
    return "repro-light" if light else "repro-dark"


def colours(environment: Mapping[str, str]) -> int:
    """How many colours the terminal says it has."""
    term = environment.get("TERM", "")
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") or "direct" in term:
        return 1 << 24
    return 256 if "256color" in term or term in ("xterm-kitty", "alacritty", "foot", "xterm-ghostty") else 16


def textual_key(key: str) -> str:
    """A key as Textual names it: characters may be written as themselves."""
    return _character_to_key(key) if len(key) == 1 and not key.isalnum() else key


def _theme_mistakes(config: Config) -> list[Mistake]:
    known = ["auto", *THEMES, *BUILTIN_THEMES]
    if config.theme in known:
        return []
    near = difflib.get_close_matches(config.theme, known, 1)
    told = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
    return [Mistake(f"{config.file}: theme", f"there is no theme {config.theme!r}: {told}")]


def _key_mistakes(config: Config) -> list[Mistake]:
    actions = {action.id: action for action in ALL}
    found = []
    for name, keys in config.keys.items():
        if name not in actions:
            near = difflib.get_close_matches(name, actions, 1)
            told = f"did you mean {near[0]}?" if near else "`?` and docs/interface.md list them"
            found.append(Mistake(f"{config.file}: keys.{name}", f"is no action: {told}"))
        elif not keys or not all(_is_key(key) for key in keys):
            found.append(
                Mistake(f"{config.file}: keys.{name}", "is no key: write t, T, ?, ctrl+t, f5, enter, pagedown")
            )
    return found or _clashes(config, actions)


def _is_key(key: str) -> bool:
    name = key.rpartition("+")[2] if key != "+" else key
    return len(name) == 1 or (name.isidentifier() and format_key(name) != "")


def _clashes(config: Config, actions: Mapping[str, Action]) -> list[Mistake]:
    """Two actions of screens that are seen together cannot have one key."""
    taken: dict[str, str] = {}
    found = []
    for name, action in actions.items():
        if action.where not in TOGETHER:
            continue
        keys = config.keys.get(name) or tuple(action.keys.split(","))
        for key in map(textual_key, keys):
            if key in taken and (name in config.keys or taken[key] in config.keys):
                found.append(Mistake(f"{config.file}: keys", f"{key} would be both {taken[key]} and {name}"))
            taken[key] = name
    return found
