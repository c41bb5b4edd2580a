"""Writes the schemas anew."""

from pathlib import Path

from repro_tui.support.wire.schemas.generate import generate

for name, text in generate().items():
    (Path(__file__).parent / f"{name}.json").write_text(text, "ascii")
