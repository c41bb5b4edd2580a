"""The interface's own themes: dark, light and with high contrast, all legible in 256 colours.

On a terminal with 16 colours its own colours are used; without colours text is bold, underlined or reversed.
"""

from __future__ import annotations

from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

# The style variables of a theme in addition to its colours: marked text, the headers of tables, the cursor with the
# focus, and the cursor without it.
DEFAULTS = {"mark-style": "bold", "head-style": "bold", "cursor-style": "bold", "rest-style": "bold"}
PLAIN = {
    "error-muted": "ansi_default",
    "success-muted": "ansi_default",
    "surface-lighten-1": "ansi_default",
    "mark-style": "bold underline",
    "rest-style": "bold underline",
}

DARK = Theme(
    name="repro-dark",
    primary="#5fafd7",
    secondary="#d7af5f",
    accent="#87d7d7",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    success="#87af5f",
    warning="#d7af5f",
    error="#d75f5f",
    dark=True,
)
LIGHT = Theme(
    name="repro-light",
    primary="#005f87",
    secondary="#875f00",
    accent="#005f5f",
    foreground="#1c1c1c",
    background="#ffffff",
    surface="#eeeeee",
    panel="#e4e4e4",
    success="#005f00",
    warning="#875f00",
    error="#af0000",
    dark=False,
    variables={"surface-lighten-1": "#dadada", "surface-lighten-2": "#bcbcbc"},  # lighter than white is white
)
CONTRAST = Theme(
    name="repro-contrast",
    primary="#00d7ff",
    secondary="#ffd700",
    accent="#00ffff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#303030",
    success="#00ff00",
    warning="#ffff00",
    error="#ff5f5f",
    dark=True,
    variables={
        "surface-lighten-1": "#444444",
        "surface-lighten-2": "#767676",
        "block-cursor-background": "#ffffff",
        "block-cursor-foreground": "#000000",
        "text-muted": "#ffffff",
        "text-success": "#5fff5f",
        "text-error": "#ff8787",
        "text-warning": "#ffff5f",
    },
)
CONTRAST_LIGHT = Theme(
    name="repro-contrast-light",
    primary="#00005f",
    secondary="#5f0000",
    accent="#000087",
    foreground="#000000",
    background="#ffffff",
    surface="#ffffff",
    panel="#d0d0d0",
    success="#004f00",
    warning="#5f3f00",
    error="#870000",
    dark=False,
    variables={
        "surface-lighten-1": "#bcbcbc",
        "surface-lighten-2": "#767676",
        "block-cursor-background": "#000000",
        "block-cursor-foreground": "#ffffff",
        "text-muted": "#000000",
        "text-success": "#004f00",
        "text-error": "#870000",
        "text-warning": "#5f3f00",
    },
)


def _terminal_theme(name: str, base: str, own: dict[str, str]) -> Theme:
    """A theme with the terminal's own colours, based on one of Textual's; `own` are its style variables."""
    theme = BUILTIN_THEMES[base]
    return replace(theme, name=name, variables={**theme.variables, **PLAIN, **own})


ANSI_DARK = _terminal_theme("repro-16", "ansi-dark", {})
ANSI_LIGHT = _terminal_theme("repro-16-light", "ansi-light", {})
NO_COLOUR = _terminal_theme("repro-mono", "ansi-dark", {"head-style": "bold underline", "cursor-style": "reverse"})
THEMES = {theme.name: theme for theme in (DARK, LIGHT, CONTRAST, CONTRAST_LIGHT, ANSI_DARK, ANSI_LIGHT, NO_COLOUR)}
