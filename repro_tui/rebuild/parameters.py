"""Rebuilds the parameters: the file in the commit's tree, with the recorded values laid over it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from repro_tui.formats.parameter_files import FORMATS, parse, write
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltParameters, CodeTree, Part
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import is_inside, resolve_inside
from repro_tui.support.text import show
from repro_tui.support.values import merge

LIMIT = 1 << 20


def rebuild_parameters(record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltParameters, Part | None]:
    """The parameters as the code will read them, and how they were obtained (None where none were recorded).

    Raises Inconclusive where the file is not in the tree or cannot be read as what its ending says.
    """
    wanted = record.parameters
    if wanted.file is None and not wanted.values:
        return BuiltParameters({}), None
    with context.step("parameters", show(wanted.file or "recorded values", 200)) as step:
        if wanted.file is None:
            built = _written(wanted.values, "params.json", "", context, step)
            step.how = f"{_count(wanted.values)} recorded values, written to params.json"
        elif code is None:
            built = _inside_the_image(wanted.file, wanted.values, step)
        else:
            built = _laid_over(wanted.file, wanted.values, code, context, step)
    return built, step.part()


def _inside_the_image(file: str, values: dict[str, Any], step: Step) -> BuiltParameters:
    if values:
        raise Inconclusive(
            f"the parameters' file {show(file, 200)} is inside the image: values cannot be laid over it",
            "record the code's repository, or all the values without a file",
        )
    step.how = f"{show(file, 200)} is inside the image and was not read"
    step.warn(step.how)
    return BuiltParameters({}, unknown=step.how)


def _laid_over(file: str, values: dict[str, Any], code: CodeTree, context: Context, step: Step) -> BuiltParameters:
    source, name = _find(file, code), PurePosixPath(file)
    original = source.read_bytes()
    recorded = parse(original, name.suffix, show(file, 200))
    merged = merge(recorded, values)
    step.matches = "matches"
    if dumps_typed(merged) == dumps_typed(recorded):
        step.key = digest_text(original.decode("utf-8", "surrogateescape"))
        step.how = f"{show(file, 200)} at commit {code.commit[:12]}, unchanged"
        return BuiltParameters(merged, str(source))
    overlay = str(PurePosixPath(code.subdirectory) / name)
    step.how = f"{show(file, 200)} with {_count(values)} recorded values laid over it (its comments are not kept)"
    return _written(merged, name.name, overlay, context, step)


def _find(file: str, code: CodeTree) -> Path:
    if not is_inside(file):
        raise Refused(f"parameters.file {show(file, 200)!r} leaves the code tree")
    if PurePosixPath(file).suffix not in FORMATS:
        raise Inconclusive(
            f"the parameters' file {show(file, 200)} is neither YAML, JSON nor TOML", "record a file of these formats"
        )
    try:
        place = resolve_inside(Path(code.folder), str(PurePosixPath(code.subdirectory) / file))
    except ValueError as error:
        raise Inconclusive(f"parameters.file: {show(str(error), 200)}", "record a file of the code tree") from error
    if not place.is_file():
        raise Inconclusive(
            f"the parameters' file {show(file, 200)} is not in commit {code.commit[:12]}",
            "correct parameters.file, or record the commit that has it",
        )
    if place.stat().st_size > LIMIT:
        raise Inconclusive(f"the parameters' file {show(file, 200)} is larger than {LIMIT:,} bytes")
    return place


def _written(values: dict[str, Any], name: str, overlay: str, context: Context, step: Step) -> BuiltParameters:
    """The values in a file of that name, cached by its content."""
    content = write(values, PurePosixPath(name).suffix)
    key = digest_text(name, content.decode("utf-8"))

    def build(folder: Path) -> None:
        file = folder / name
        file.write_bytes(content)
        file.chmod(0o644)

    folder, step.cached = context.cache.folder("parameters", key, build, context.cancel)
    step.key, step.matches = key, "matches"
    return BuiltParameters(values, str(folder / name), overlay)


def dumps_typed(value: Any) -> str:
    """A text that two values share only where they are equal and of the same types."""
    if isinstance(value, dict):
        inner = sorted(f"{dumps_typed(key)}:{dumps_typed(item)}" for key, item in value.items())
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dumps_typed, value)) + "]"
    return f"{type(value).__name__} {value!r}"


def _count(values: dict[str, Any]) -> int:
    return sum(_count(value) if isinstance(value, dict) else 1 for value in values.values())
