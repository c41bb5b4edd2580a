"""Which files of an image or container are left out of a comparison: those that every build or run creates again.

A file is left out only if its path matches this list, and never if its extension is one of data, code or models.
Bytecode is left out only next to the source that it was compiled from. Callers report how many files of each kind they
left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

BYTECODE = "bytecode next to its source"
_DATABASES = (
    r"var/lib/dpkg/.*|var/lib/apt/.*|(usr/)?lib/apk/db/.*|(var/lib|usr/lib/sysimage)/rpm/.*"
    r"|(.*/)?conda-meta/(history|[^/]*\.json)"
)
# Kinds and their paths, relative to the root, whatever the file's extension.
_WHATEVER = (
    ("files that the engine writes", r"etc/(hostname|hosts|resolv\.conf|mtab)|\.dockerenv"),
    ("ids, locks and backups of the system", r"etc/(machine-id|\.pwd\.lock|ld\.so\.cache|g?shadow-?|(passwd|group)-)"),
    ("databases of package managers", _DATABASES),
    ("caches of package managers", r"var/cache/apt/(src)?pkgcache\.bin|var/cache/(debconf|ldconfig)/[^/]*"),
)
# The same, except for files with an extension of data, code or models.
_UNLESS_DATA = (
    ("pseudo files", r"(proc|sys|dev)/.*|run/.*\.(pid|lock|sock)"),
    ("caches of package managers", r"var/cache/(apt|apk|dnf|yum)/.*|(.*/)?\.cache/pip/(http|http-v2|selfcheck)/.*"),
    ("caches of fonts and manuals", r"var/cache/(fontconfig|man)/.*|(.*/)?\.cache/fontconfig/.*"),
    ("logs", r"var/log/(.*/)?([^/]*\.log(\.[0-9]+)?(\.gz)?|lastlog|[bw]tmp|faillog|tallylog)"),
    ("scratch files", r"(var/)?tmp/(wgunicorn-[^/]*|[^/]*\.(pid|lock|sock)|tmp[a-z0-9_]{8}(/.*)?)"),
    ("shell histories", r"(.*/)?\.(ash|bash|python)_history"),
)
_DATA = re.compile(
    r"(?i).*\.(arrow|bin|c?fg|ckpt|csv|db|feather|ggml|gguf|h5|hdf5|ini|ipynb|joblib|jsonl?|keras|mar|model|np[yz]|onnx|"
    r"parquet|pb|pickle|pkl|pt[hl]?|py|r|rds|safetensors|sh|so(\.[0-9.]+)?|sqlite3?|tflite|toml|tsv|txt|xml|ya?ml)(\.gz)?"
)
_PLACES = tuple(
    (kind, re.compile(places), anything)
    for table, anything in ((_WHATEVER, True), (_UNLESS_DATA, False))
    for kind, places in table
)


def left_out(path: str, exists: Callable[[str], bool]) -> str:
    """The kind of file as which a path is left out; "" if it is compared.

    `path` is relative to the root; `exists` says whether there is a file at another such path.
    """
    if path.endswith(".pyc"):
        return BYTECODE if exists(_source(path)) else ""
    for kind, places, anything in _PLACES:
        if places.fullmatch(path) and (anything or not _DATA.fullmatch(path)):
            return kind
    return ""


def _source(path: str) -> str:
    """The path of the source that a bytecode file was compiled from."""
    place = PurePosixPath(path)
    folder = place.parent.parent if place.parent.name == "__pycache__" else place.parent
    return str(folder / f"{place.name.split('.', 1)[0]}.py")
