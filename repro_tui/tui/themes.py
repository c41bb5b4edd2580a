"""The interface's own themes: calm, legible in 16 and 256 colours, dark and light."""

from __future__ import annotations

from textual.theme import Theme

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
)
