"""Where the Python of an image looks for packages first, worked out from its files: nothing is executed.

The Python is the first on PATH. It looks into the packages folder next to it; Debian's own first looks into that below
/usr/local. With /usr/local/bin first on PATH and no python3 in it, for example, /usr/bin/python3 runs, and a numpy in
/usr/local/lib/python3.11/dist-packages hides that in /usr/lib/python3/dist-packages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

NAMES = ("python3", "python")
USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FOLDER = re.compile(
    r"(?P<prefix>.*?)/?lib(?P<wide>64)?/(python3|python(?P<version>3\.\d+))/(?P<kind>site|dist)-packages"
)


def import_order(
    folders: Iterable[str], link_of: Callable[[str], str | None], search_path: str = USUAL_PATH
) -> tuple[str, ...]:
    """The packages folders that the first Python on PATH looks into, in its order; those of others are left out.

    `link_of` returns the target of the link at a path, "" for a file, and None where there is neither.
    """
    interpreter = _interpreter(link_of, search_path)
    if interpreter is None:
        return ()
    prefix, version = interpreter
    known = [match for folder in set(folders) if (match := _FOLDER.fullmatch(folder))]
    debian = prefix == "usr" and any(match["prefix"] == "usr" and match["kind"] == "dist" for match in known)
    prefixes = ("usr/local", "usr") if prefix == "usr" else (prefix,)
    own = [
        match
        for match in known
        if match["prefix"] in prefixes
        and match["kind"] == ("dist" if debian else "site")
        and (not version or match["version"] in (None, version))
    ]
    # With several versions next to a Python whose own is not known, the order cannot be told.
    if not version and len({match["version"] for match in own if match["version"]}) > 1:
        return ()
    return tuple(match.string for match in sorted(own, key=lambda match: _rank(match, prefixes)))


def _rank(match: re.Match[str], prefixes: tuple[str, ...]) -> tuple[int, bool, bool]:
    """The place of a folder: /usr/local before /usr, lib64 before lib, and what all versions share before one's own."""
    return prefixes.index(match["prefix"]), match["wide"] is None, match["version"] is not None


def _interpreter(link_of: Callable[[str], str | None], search_path: str) -> tuple[str, str] | None:
    """The prefix and the version ("": not known) of the first Python on PATH."""
    for entry in search_path.split(":"):
        folder = entry.strip("/")
        for name in NAMES:
            place = f"{'usr/' if folder in ('bin', 'sbin') else ''}{folder}/{name}"
            if link_of(place) is not None:
                return str(PurePosixPath(place).parent.parent), _version(place, link_of)
    return None


def _version(place: str, link_of: Callable[[str], str | None]) -> str:
    """The version in the name of a Python, or of what it is a link to within its folder."""
    for _ in range(8):
        if match := re.search(r"python(3\.\d+)$", place):
            return match.group(1)
        target = link_of(place)
        if not target or target.startswith("../"):
            return ""
        place = target.strip("/") if target.startswith("/") else f"{PurePosixPath(place).parent}/{target}"
    return ""
