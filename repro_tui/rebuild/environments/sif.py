"""Environments that are SIF images: the file itself is what runs, and its contents are read as data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from repro_tui.formats.child import python_child
from repro_tui.formats.sif import Sif, read_sif
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Part
from repro_tui.rebuild.environments.contents.inventory import host_facts
from repro_tui.rebuild.environments.image import HOST_FIELDS
from repro_tui.rebuild.environments.sif_child import UNREADABLE
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import resolve_inside
from repro_tui.support.plain import from_plain
from repro_tui.support.process import Completed
from repro_tui.support.text import plural, show

FORMAT = "3"
CHILD_MEMORY = 4 << 30
CHILD_TIMEOUT_S = 1800.0


class SifBuilder:
    """Rebuilds `environment.sif`."""

    def rebuild(self, record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltEnvironment, Part]:
        """See base.EnvironmentBuilder."""
        return rebuild_sif(record, context)


def rebuild_sif(record: Record, context: Context) -> tuple[BuiltEnvironment, Part]:
    """The environment of a SIF image below the record's folder, and how it was obtained.

    Two builds of the same content never have the same sha256, so it is only the key in the cache: the contents are what
    is compared. Raises Inconclusive where the image cannot be read.
    """
    with context.step("environment", f"reading {show(record.environment.sif, 200)}") as step:
        path = _file(record)
        step.key = context.cache.hashes.reread(path).sha256
        try:
            sif = read_sif(path, "environment.sif")
        except Refused as error:
            raise Inconclusive(str(error), "copy the image again, or build it again") from error
        inventory = _inventory(path, sif, step, context)
        own, unclear = sif.variables()
        variables = own | record.environment.variables
        built = BuiltEnvironment(
            kind="sif",
            key=step.key,
            inventory=_with_run_facts(inventory, variables, unclear),
            folder=str(path),
            working_dir=_working_dir(sif),
            variables=variables,
            image_variables=own,
        )
        step.how = f"SIF image {show(path.name, 120)}, sha256 {step.key[:16]}, read as data"
    return built, step.part()


def _file(record: Record) -> Path:
    try:
        path = resolve_inside(Path(record.base), record.environment.sif or "")
    except ValueError as error:
        raise Inconclusive(f"environment.sif: {error}", "put the image into the folder of the record") from error
    if not path.is_file():
        raise Inconclusive(
            f"the SIF image {show(str(path), 300)} does not exist", "copy it there, or correct environment.sif"
        )
    return path


def _working_dir(sif: Sif) -> str:
    folder = (sif.oci.get("WorkingDir") if sif.oci else "") or ""
    return folder if isinstance(folder, str) and folder.startswith("/") else "/"


def _inventory(path: Path, sif: Sif, step: Step, context: Context) -> Inventory:
    """The inventory of the image, read once for each content."""
    if sif.file_system != "squashfs":
        return _unknown_contents(f"its file system is an {sif.file_system}, which cannot be read")
    key = digest_text(FORMAT, step.key)
    known = context.cache.read_note("inventory", key)
    step.cached = known is not None
    if known is not None:
        return from_plain(Inventory, known)
    step.progress("reading its files")
    inventory = _read_in_child(path, sif, context)
    if not inventory.unknown.get("packages"):
        context.cache.write_note("inventory", key, inventory)
    return inventory


def _read_in_child(path: Path, sif: Sif, context: Context) -> Inventory:
    out = context.cache.temporary()
    try:
        done = _child(path, sif, out, context)
        if done.exit_code == UNREADABLE:
            return _unknown_contents(_failure(done))
        _check(done)
        return from_plain(Inventory, json.loads(out.read_text("ascii")))
    finally:
        out.unlink(missing_ok=True)


def extract_sif(path: Path, folder: Path, context: Context) -> None:
    """Writes the Python packages of a SIF image below a folder. Raises Inconclusive where it cannot be read."""
    _check(_child(path, read_sif(path, "environment.sif"), folder, context, "packages"))


def _child(path: Path, sif: Sif, out: Path, context: Context, *options: str) -> Completed:
    return python_child(
        "repro_tui.rebuild.environments.sif_child",
        [path, str(sif.offset), out, *options],
        cache=context.cache,
        cancel=context.cancel,
        memory=CHILD_MEMORY,
        timeout_s=CHILD_TIMEOUT_S,
    )


def _failure(done: Completed) -> str:
    if done.timed_out:
        return f"reading it took more than {CHILD_TIMEOUT_S / 60:.0f} minutes"
    last_line = done.text.strip().rpartition("\n")[2]
    is_ours = last_line.startswith("sif: ")
    return (
        show(last_line.removeprefix("sif: "), 300)
        if is_ours
        else f"the process that reads it ended with status {done.exit_code}"
    )


def _check(done: Completed) -> None:
    if done.exit_code != 0:
        problem = f"the files of the SIF image cannot be read: {_failure(done)}"
        raise Inconclusive(problem, _remedy(done))


def _remedy(done: Completed) -> str:
    if done.exit_code == UNREADABLE:
        return ""  # the message has its own
    if done.timed_out:
        return "run the audit again when this machine is less busy, or build a smaller image"
    return "copy the image again, or build it again"


def _unknown_contents(why: str) -> Inventory:
    return Inventory(unknown={"packages": why, "system packages": why})


def _with_run_facts(inventory: Inventory, variables: dict[str, str], unclear: tuple[str, ...]) -> Inventory:
    """The inventory with the variables of a run, and the facts about this machine that it sees."""
    host = {name: value for name, value in host_facts().items() if name in (*HOST_FIELDS, "architecture")}
    unknown = {}
    if unclear:
        count = plural(len(unclear), "line")
        unknown["variables"] = (
            f"{count} of the image's environment scripts can only be evaluated by a shell: {show(unclear[0], 80)}"
        )
    return replace(
        inventory,
        system=inventory.system | host,
        variables=variables,
        unknown=inventory.unknown | unknown,
    )
