"""The styles of a grid's cells by meaning: a theme defines how each name looks, so that rows name no colours."""

from __future__ import annotations

# Each is a component class `grid--NAME` of the grid; the style of a cell is one or more of these names.
LOOKS = {
    "good": "color: $text-success;",
    "bad": "color: $text-error;",
    "warn": "color: $text-warning;",
    "new": "color: $text-success;",
    "gone": "color: $text-warning;",
    "busy": "color: $text-accent;",
    "quiet": "color: $text-muted;",
    "loud": "text-style: bold;",
    "here": "text-style: reverse bold;",
    "mark-a": "color: $text-error; background: $error-muted; text-style: $mark-style;",
    "mark-b": "color: $text-success; background: $success-muted; text-style: $mark-style;",
    "line-a": "color: $text-error;",
    "line-b": "color: $text-success;",
    "keyword": "color: $text-accent;",
    "string": "color: $text-success;",
    "number": "color: $text-warning;",
    "name": "color: $text-primary;",
    "comment": "color: $text-muted; text-style: italic;",
}
CLASSES = {f"grid--{name}" for name in LOOKS}
CSS = "\n".join(f"Grid > .grid--{name} {{ {look} }}" for name, look in LOOKS.items())
