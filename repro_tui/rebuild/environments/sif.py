"""Environments that are SIF images: the file itself runs, and what it holds is read from it as data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from repro_tui.formats.child import python_child
from repro_tui.formats.sif import Sif, read_sif
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltEnvironment, Part
from repro_tui.rebuild.environments.image import HOST_FIELDS
from repro_tui.rebuild.environments.inventory import host_facts
from repro_tui.rebuild.environments.sif_child import UNREADABLE
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import resolve_inside
from repro_tui.support.plain import from_plain
from repro_tui.support.process import Completed
from repro_tui.support.text import plural, show

FORMAT = "1"
CHILD_MEMORY = 4 << 30
CHILD_TIMEOUT_S = 1800.0


def rebuild_sif(record: Record, context: Context) -> tuple[BuiltEnvironment, Part]:
    """The environment of a SIF image, below the record's folder. Raises Inconclusive where it cannot be read.

    Two builds of one content never have one sha256, so that it is the cache's key and no finding: what the files hold
    is compared.
    """
    with context.step("environment", f"reading {show(record.environment.sif, 200)}") as step:
        path = _file(record)
        step.key = context.cache.hashes.digests(path).sha256
        try:
            sif = read_sif(path, "environment.sif")
        except Refused as error:
            raise Inconclusive(str(error), "copy or build the image again") from error
        inventory = _inventory(path, sif, step, context)
        own, unclear = sif.variables()
        variables = own | record.environment.variables
        built = BuiltEnvironment(
            kind="sif",
            key=step.key,
            inventory=_told(inventory, variables, unclear),
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
        raise Inconclusive(f"environment.sif: {error}", "put the image into the record's folder") from error
    if not path.is_file():
        raise Inconclusive(f"there is no SIF image {show(str(path), 300)}", "copy it there, or build it again")
    return path


def _working_dir(sif: Sif) -> str:
    found = (sif.oci.get("WorkingDir") if sif.oci else "") or ""
    return found if isinstance(found, str) and found.startswith("/") else "/"


def _inventory(path: Path, sif: Sif, step: Step, context: Context) -> Inventory:
    """What the image holds, read once for its content."""
    if sif.file_system != "squashfs":
        return _unread(f"its file system is an {sif.file_system}, which this version does not read")
    key = digest_text(FORMAT, step.key)
    known = context.cache.read_note("inventory", key)
    step.cached = known is not None
    if known is not None:
        return from_plain(Inventory, known)
    step.progress("reading its files")
    found = _read_in_child(path, sif, context)
    if not found.unknown.get("packages"):
        context.cache.write_note("inventory", key, found)
    return found


def _read_in_child(path: Path, sif: Sif, context: Context) -> Inventory:
    out = context.cache.temporary()
    try:
        done = _child(path, sif, out, context)
        if done.exit_code == UNREADABLE:
            return _unread(_why(done))
        _check(done)
        return from_plain(Inventory, json.loads(out.read_text("ascii")))
    finally:
        out.unlink(missing_ok=True)


def extract_sif(path: Path, folder: Path, context: Context) -> None:
    """Writes the Python packages of a SIF image below a folder. Raises Inconclusive where it cannot be read."""
    _check(_child(path, read_sif(path, "environment.sif"), folder, context, "packages"))


def _child(path: Path, sif: Sif, out: Path, context: Context, *what: str) -> Completed:
    return python_child(
        "repro_tui.rebuild.environments.sif_child",
        [path, str(sif.offset), out, *what],
        cache=context.cache,
        cancel=context.cancel,
        memory=CHILD_MEMORY,
        timeout_s=CHILD_TIMEOUT_S,
    )


def _why(done: Completed) -> str:
    if done.timed_out:
        return "reading it took more than half an hour"
    told = done.text.strip().rpartition("\n")[2]
    known = told.startswith("sif: ")
    return show(told.removeprefix("sif: "), 300) if known else f"its reader ended with {done.exit_code}"


def _check(done: Completed) -> None:
    if done.exit_code != 0:
        what = f"the files of the SIF image cannot be read: {_why(done)}"
        raise Inconclusive(what, "copy or build the image again")


def _unread(why: str) -> Inventory:
    return Inventory(unknown={"packages": why, "system packages": why})


def _told(inventory: Inventory, variables: dict[str, str], unclear: tuple[str, ...]) -> Inventory:
    """The inventory with the variables that a run has, and what of this machine it sees."""
    host = {name: value for name, value in host_facts().items() if name in (*HOST_FIELDS, "architecture")}
    unknown = {}
    if unclear:
        count = plural(len(unclear), "line")
        unknown["variables"] = (
            f"{count} of the image's environment scripts only a shell could tell: {show(unclear[0], 80)}"
        )
    return replace(
        inventory,
        system=inventory.system | host,
        variables=variables,
        unknown=inventory.unknown | unknown,
    )
