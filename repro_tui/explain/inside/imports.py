"""What a code tree imports, read as text and never executed: a hint at the packages that matter to it."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.utils import canonicalize_name

from repro_tui.model.workspace import CodeTree
from repro_tui.support.regular import is_regular, read_regular

LARGEST, MOST_FILES = 1 << 20, 2_000
_IMPORT = re.compile(rb"^\s*(?:import|from)\s+([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)
# Modules whose package has a different name.
_PACKAGES = {
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "dateutil": "python-dateutil",
}


def imported_packages(code: CodeTree | None) -> frozenset[str]:
    """The normalised names of the packages that the Python files of a tree seem to import; large files are skipped."""
    if code is None:
        return frozenset()
    scripts = [name for name, file in code.files.items() if name.endswith(".py") and file.size <= LARGEST][:MOST_FILES]
    modules: set[str] = set()
    for name in scripts:
        path = Path(code.folder) / name
        if is_regular(path) and not path.is_symlink():
            modules |= {match.decode("ascii") for match in _IMPORT.findall(read_regular(path))}
    return frozenset(canonicalize_name(_PACKAGES.get(module, module)) for module in modules)
