"""Rebuilds the parameters: the files in the commit's tree, with the recorded values applied on top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from repro_tui.formats.parameter_files import FORMATS, LARGEST, TooLargeError, parse, too_large, write
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Parameters, Record
from repro_tui.model.workspace import SEPARATE, BuiltParameters, CodeTree, ParameterFile, Part
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import is_inside, resolve_inside
from repro_tui.support.regular import read_regular
from repro_tui.support.text import join_names, plural, quote, show
from repro_tui.support.values import merge
from repro_tui.support.walks import folders_below


def rebuild_parameters(record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltParameters, Part | None]:
    """The parameters as the code will read them, and how they were obtained (None where none were recorded).

    Raises Inconclusive where the file is not in the tree, or cannot be parsed as the format of its suffix; Refused for
    a path that leaves the tree.
    """
    recorded = record.parameters
    if not recorded.names and not recorded.values:
        return BuiltParameters({}), None
    names = join_names([show(name, 200) for name in recorded.names])
    step_of = record.predict
    reads_file = step_of is None or not (step_of.call or step_of.notebook)  # else it is passed the values
    with context.step("parameters", names or "recorded values") as step:
        if not recorded.names:
            built = _write_file(recorded.values, SEPARATE, "", context, step)
            step.how = f"{plural(_count(recorded.values), 'recorded value')}, written to {SEPARATE}"
        elif code is None:
            built = _in_image(names, recorded, step)
        elif recorded.file is None:
            built = _of_several(recorded, reads_file, code, context, step)
        else:
            built = replace(
                _with_overrides(recorded.file, recorded.values, reads_file, code, context, step),
                name=str(PurePosixPath(recorded.file)),
            )
    return built, step.part()


def _in_image(names: str, recorded: Parameters, step: Step) -> BuiltParameters:
    several = len(recorded.names) > 1
    if recorded.values:
        raise Inconclusive(
            f"the parameters {'files' if several else 'file'} {names} {'are' if several else 'is'} inside the image: "
            f"recorded values cannot be applied to {'them' if several else 'it'}",
            "record the repository of the code, or all values without a file",
        )
    step.how = f"{names} {'are' if several else 'is'} inside the image and {'were' if several else 'was'} not read"
    step.warn(step.how)
    return BuiltParameters({}, unknown=step.how)


def _unread(error: TooLargeError, path: Path, step: Step) -> BuiltParameters:
    """Parameters that the code reads where its commit has them, and whose values are not known here."""
    step.warn(f"{error.what}: the code reads it, but its values are not compared ({error.do})")
    step.how = f"{error.what}: not read here"
    return BuiltParameters({}, str(path), unknown=error.what)


def _of_several(
    recorded: Parameters, reads_file: bool, code: CodeTree, context: Context, step: Step
) -> BuiltParameters:
    """The parameters of several files; those of the commit as they are where one is too large to be read."""
    try:
        return _read_several(recorded, code, context, step)
    except TooLargeError as error:
        if recorded.values or not reads_file:
            raise
        return _unread(error, Path(code.folder, code.subdirectory), step)


def _read_several(recorded: Parameters, code: CodeTree, context: Context, step: Step) -> BuiltParameters:
    """The parameters of several files: a folder that has each by its name, and those that recorded values change."""
    values: dict[str, object] = {}
    contents: dict[str, bytes] = {}
    changed: dict[str, int] = {}
    for name in recorded.files:
        original = _read(_find(name, code), name)
        table = parse(original, PurePosixPath(name).suffix, show(name, 200))
        over = recorded.values.get(name, {})
        merged = merge(table, over)
        contents[name] = original
        if dumps_typed(merged) != dumps_typed(table):
            contents[name], changed[name] = write(merged, PurePosixPath(name).suffix), _count(over)
        values[name] = merged
    folder, step.cached = store_files(contents, context)
    step.key, step.matches = folder.name, "matches"
    step.how = f"{len(values)} files at commit {code.commit[:12]}: {join_names([show(name, 120) for name in values])}"
    if changed:
        names = join_names([show(name, 120) for name in changed])
        step.how += f"; {plural(sum(changed.values()), 'recorded value')} applied to {names} (comments there are lost)"
    root = PurePosixPath(code.subdirectory)
    files = {
        name: ParameterFile(str(folder / name), str(root / name) if name in changed else "") for name in recorded.files
    }
    return BuiltParameters(values, str(folder), per_file=True, files=files)


def _with_overrides(
    file: str, values: dict[str, object], reads_file: bool, code: CodeTree, context: Context, step: Step
) -> BuiltParameters:
    """The parameters of one file. `reads_file`: the predict step reads it itself, so its values need not be known."""
    source, name = _find(file, code), PurePosixPath(file)
    try:
        original = _read(source, file)
        recorded = parse(original, name.suffix, show(file, 200))
    except TooLargeError as error:
        if values or not reads_file:
            raise
        return _unread(error, source, step)
    merged = merge(recorded, values)
    step.matches = "matches"
    if dumps_typed(merged) == dumps_typed(recorded):
        step.key = digest_text(original.decode("utf-8", "surrogateescape"))
        step.how = f"{show(file, 200)} at commit {code.commit[:12]}, unchanged"
        return BuiltParameters(merged, str(source))
    overlay = str(PurePosixPath(code.subdirectory) / name)
    step.how = f"{show(file, 200)} with {plural(_count(values), 'recorded value')} applied (its comments are lost)"
    return _write_file(merged, name.name, overlay, context, step)


def _find(file: str, code: CodeTree) -> Path:
    if not is_inside(file):
        raise Refused(f"parameters.file {quote(file)} leaves the code tree")
    if PurePosixPath(file).suffix not in FORMATS:
        raise Inconclusive(
            f"the parameters file {show(file, 200)} is neither YAML, JSON nor TOML",
            "record a file in one of these formats",
        )
    try:
        path = resolve_inside(Path(code.folder), str(PurePosixPath(code.subdirectory) / file))
    except ValueError as error:
        raise Inconclusive(f"parameters.file: {show(str(error), 200)}", "record a file in the code tree") from error
    if not path.is_file():
        raise Inconclusive(
            f"the parameters file {show(file, 200)} is not in commit {code.commit[:12]}",
            "correct parameters.file, or record the commit that has it",
        )
    return path


def _read(path: Path, file: str) -> bytes:
    """The bytes of a file of parameters. Raises TooLargeError."""
    size = path.stat().st_size
    if size > LARGEST:
        raise too_large(show(file, 200), size)
    return read_regular(path)


def _write_file(values: dict[str, object], name: str, overlay: str, context: Context, step: Step) -> BuiltParameters:
    """Writes the values to a file of this name, cached by its content."""
    content = write(values, PurePosixPath(name).suffix)
    key = digest_text(name, content.decode("utf-8"))
    file, step.cached = store_file(content, name, key, context)
    step.key, step.matches = key, "matches"
    return BuiltParameters(values, str(file), overlay)


def store_file(content: bytes, name: str, key: str, context: Context) -> tuple[Path, bool]:
    """Writes a parameters file to the cache; returns it, and whether it was there. `key` is a digest of its content."""

    def build(folder: Path) -> None:
        file = folder / name
        file.write_bytes(content)
        file.chmod(0o644)

    folder, cached = context.cache.folder("parameters", key, build, context.cancel)
    return folder / name, cached


def store_files(contents: Mapping[str, bytes], context: Context) -> tuple[Path, bool]:
    """Writes parameter files by their names into a folder of the cache; returns it, and whether it was there."""

    def build(folder: Path) -> None:
        for name, content in contents.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(0o644)
        for subfolder in folders_below(folder):
            subfolder.chmod(0o755)

    key = digest_text("files", *(part for name, content in contents.items() for part in (name, content.hex())))
    return context.cache.folder("parameters", key, build, context.cancel)


def dumps_typed(value: object) -> str:
    """A text that is the same for two values only if they are equal and have the same types (1 and 1.0 differ)."""
    if isinstance(value, dict):
        inner = sorted(f"{dumps_typed(key)}:{dumps_typed(item)}" for key, item in value.items())
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dumps_typed, value)) + "]"
    return f"{type(value).__name__} {value!r}"


def _count(values: Mapping[str, object]) -> int:
    return sum(_count(value) if isinstance(value, dict) else 1 for value in values.values())
