"""The user's configuration for the interface, checked: its theme and actions exist, and no key does two things."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from textual.keys import _character_to_key, format_key
from textual.theme import BUILTIN_THEMES

from repro_tui.formats.config import Config, load_config
from repro_tui.model.errors import Mistake, Refused
from repro_tui.support.text import quote
from repro_tui.tui.actions import ALL, Action
from repro_tui.tui.themes import THEMES

TOGETHER = ("everywhere", "an audit", "a list", "a table", "predictions", "columns")
ALONE = ("the picker",)  # a screen with keys of its own


@dataclass(frozen=True, slots=True)
class InterfaceConfig:
    """`theme` is the name of a theme; `keys` is Textual's keymap: the keys by the id of an action."""

    theme: str
    mouse: bool
    keys: dict[str, str]


def interface_config() -> InterfaceConfig:
    """The user's configuration with its defaults. Raises Refused with every mistake in it."""
    config = load_config()
    mistakes = [*_theme_mistakes(config), *_key_mistakes(config)]
    if mistakes:
        raise Refused.all(mistakes)
    theme = automatic_theme(os.environ) if config.theme == "auto" else config.theme
    keys = {name: ",".join(textual_key(key) for key in keys) for name, keys in config.keys.items()}
    return InterfaceConfig(theme, config.mouse, keys)


def automatic_theme(environment: Mapping[str, str]) -> str:
    """The theme that fits a terminal, by its environment variables.

    Without colours where NO_COLOR is set, with the terminal's own 16 colours where it has no more, and light where
    COLORFGBG says that the background is light.
    """
    if environment.get("NO_COLOR"):
        return "repro-mono"
    light = environment.get("COLORFGBG", "").endswith((";15", ";7"))
    if colours(environment) <= 16:
        return "repro-16-light" if light else "repro-16"
    return "repro-light" if light else "repro-dark"


def colours(environment: Mapping[str, str]) -> int:
    """The number of colours that the terminal supports, by its environment variables."""
    term = environment.get("TERM", "")
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") or "direct" in term:
        return 1 << 24
    return 256 if "256color" in term or term in ("xterm-kitty", "alacritty", "foot", "xterm-ghostty") else 16


def textual_key(key: str) -> str:
    """A key as Textual names it; punctuation may be written as the character itself: `?` is `question_mark`."""
    return _character_to_key(key) if len(key) == 1 and not key.isalnum() else key


def _theme_mistakes(config: Config) -> list[Mistake]:
    known = ["auto", *THEMES, *BUILTIN_THEMES]
    if config.theme in known:
        return []
    near = difflib.get_close_matches(config.theme, known, 1)
    remedy = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
    return [Mistake(f"{config.file}: theme", f"{quote(config.theme)} is not a theme: {remedy}")]


def _key_mistakes(config: Config) -> list[Mistake]:
    actions = {action.id: action for action in ALL}
    mistakes = []
    for name, keys in config.keys.items():
        if name not in actions:
            near = difflib.get_close_matches(name, actions, 1)
            remedy = f"did you mean {near[0]}?" if near else "docs/interface.md lists the actions"
            mistakes.append(Mistake(f"{config.file}: keys.{name}", f"is not an action: {remedy}"))
        elif not keys or not all(_is_key(key) for key in keys):
            example = "write keys such as t, T, ?, ctrl+t, f5, enter or pagedown"
            mistakes.append(Mistake(f"{config.file}: keys.{name}", f"is not a valid key: {example}"))
        elif actions[name].where in ALONE and any(len(key) == 1 and key != "?" for key in keys):
            reason = "is a letter, which the picker types: use a key such as ctrl+t or f5"
            mistakes.append(Mistake(f"{config.file}: keys.{name}", reason))
    return mistakes or _clashes(config, actions)


def _is_key(key: str) -> bool:
    name = key.rpartition("+")[2] if key != "+" else key
    return len(name) == 1 or (name.isidentifier() and format_key(name) != "")


def _clashes(config: Config, actions: Mapping[str, Action]) -> list[Mistake]:
    """The keys that two actions would share on one screen, where one of the two is the user's own."""
    return [mistake for group in (TOGETHER, ALONE) for mistake in _clashes_among(group, config, actions)]


def _clashes_among(group: tuple[str, ...], config: Config, actions: Mapping[str, Action]) -> list[Mistake]:
    owners: dict[str, str] = {}
    mistakes = []
    for name, action in actions.items():
        if action.where not in group:
            continue
        keys = config.keys.get(name) or tuple(action.keys.split(","))
        for key in map(textual_key, keys):
            if key in owners and (name in config.keys or owners[key] in config.keys):
                clash = f"{key} would be both {owners[key]} and {name}: give one of them another key"
                mistakes.append(Mistake(f"{config.file}: keys", clash))
            owners[key] = name
    return mistakes
