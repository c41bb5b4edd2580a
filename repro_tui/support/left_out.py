"""Which files of an image or a container are left out of a comparison: those that every build or run makes anew.

A file is left out only where its place and its kind are on this list, and never where its name is one of data, code or
a model; bytecode only beside the source that it was made of. Whoever leaves files out says how many of each kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

BYTECODE = "bytecode beside its source"
# Kind to places, relative to the root, whatever the file's name.
_WHATEVER = (
    ("files that the engine writes", r"etc/(hostname|hosts|resolv\.conf|mtab)|\.dockerenv"),
    ("ids, locks and backups of the system", r"etc/(machine-id|\.pwd\.lock|ld\.so\.cache|g?shadow-?|(passwd|group)-)"),
    ("databases of package managers", r"var/lib/dpkg/.*|var/lib/apt/.*|lib/apk/db/.*"),
    ("caches of package managers", r"var/cache/apt/(src)?pkgcache\.bin|var/cache/(debconf|ldconfig)/[^/]*"),
)
# The same, but for names of data, code or models.
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
    """The kind for which a file is left out, in words; "" where it is compared. `path` is relative to the root;
    `exists` says of another such path whether there is a file."""
    if path.endswith(".pyc"):
        return BYTECODE if exists(_source(path)) else ""
    for kind, places, anything in _PLACES:
        if places.fullmatch(path) and (anything or not _DATA.fullmatch(path)):
            return kind
    return ""


def _source(path: str) -> str:
    """The module that a file of bytecode is made of."""
    place = PurePosixPath(path)
    folder = place.parent.parent if place.parent.name == "__pycache__" else place.parent
    return str(folder / f"{place.name.split('.', 1)[0]}.py")
