"""Pipfile.lock: every package of a category, with its marker."""

from __future__ import annotations

from packaging.utils import canonicalize_name

from repro_tui.formats.locks.base import Document, Locked, Pins, Wanted, applies
from repro_tui.support.text import show

MAIN = "default"
DEVELOP = ("dev", "dev-packages", "develop")
# An entry may hold one comparison for each of these, besides its marker.
VARIABLES = (
    "os_name sys_platform platform_machine platform_python_implementation platform_release platform_system "
    "platform_version python_version python_full_version implementation_name implementation_version"
).split()


class PipfileLock:
    """Packages of another platform have neither version nor hash, so their marker is evaluated first."""

    def reads(self, document: Document) -> bool:
        """Whether it has the header and the categories of this format."""
        return "_meta" in document and MAIN in document

    def locked(self, document: Document, wanted: Wanted) -> Locked:
        """The packages of the main category and of the wanted ones."""
        names: dict[str, str] = {canonicalize_name(name): name for name in document if name not in ("_meta", MAIN)}
        names |= {name: "develop" for name in DEVELOP if "develop" in document}
        pins = Pins(wanted.name)
        _note_python(document["_meta"], wanted, pins)
        indexes = {source["name"]: source["url"] for source in document["_meta"].get("sources", [])}
        for category in dict.fromkeys([MAIN, *(names[group] for group in wanted.known(names))]):
            for name, entry in document[category].items():
                if _holds(entry, wanted):
                    _add(name, entry, indexes, pins)
        return pins.locked()


def _note_python(meta: Document, wanted: Wanted, pins: Pins) -> None:
    """As in Pipenv, another Python than the locked one is a warning, not an error."""
    for key in ("python_full_version", "python_version"):
        version = meta.get("requires", {}).get(key)
        if version and wanted.markers.get(key, version) != version:
            pins.left_out.append(
                f"{wanted.name} was made for Python {show(version, 20)}, and the environment has "
                f"{wanted.markers[key]}: correct environment.python"
            )
            return


def _holds(entry: Document, wanted: Wanted) -> bool:
    comparisons = [f"{variable} {entry[variable]}" for variable in VARIABLES if variable in entry]
    return all(applies(marker, wanted.markers) for marker in (entry.get("markers"), *comparisons))


def _add(name: str, entry: Document, indexes: dict[str, str], pins: Pins) -> None:
    version = entry.get("version", "")
    folder = entry.get("path") or entry.get("file")
    if folder and "://" not in folder and not folder.endswith((".whl", ".gz", ".zip", ".bz2")):
        pins.add_member(folder)
    elif folder or not version.startswith("=="):
        raise pins.elsewhere(name)
    else:
        index = indexes.get(entry.get("index", ""), "") or next(iter(indexes.values()), "")
        pins.add(name, version.lstrip("="), entry.get("hashes", []), index)
