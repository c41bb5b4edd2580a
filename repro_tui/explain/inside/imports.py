"""What a code tree imports by itself, read as text: a hint at which packages matter to it."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.utils import canonicalize_name

from repro_tui.model.workspace import CodeTree

LARGEST, MOST_FILES = 1 << 20, 2_000
_IMPORT = re.compile(rb"^\s*(?:import|from)\s+([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)
# Modules whose package has another name.
_PACKAGES = {
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "dateutil": "python-dateutil",
}


def imported_packages(code: CodeTree | None) -> frozenset[str]:
    """The normalised names of the packages that the Python files of a tree seem to import."""
    if code is None:
        return frozenset()
    names = [name for name, file in code.files.items() if name.endswith(".py") and file.size <= LARGEST][:MOST_FILES]
    found: set[str] = set()
    for name in names:
        path = Path(code.folder) / name
        if path.is_file() and not path.is_symlink():
            found |= {match.decode("ascii") for match in _IMPORT.findall(path.read_bytes())}
    return frozenset(canonicalize_name(_PACKAGES.get(name, name)) for name in found)
