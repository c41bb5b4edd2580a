"""Reads the conda packages of an environment from its conda-meta folder, as data."""

from __future__ import annotations

import json
import re

from repro_tui.rebuild.environments.inventory import FileView

_RECORD = re.compile(r"(^|/)conda-meta/[^/]+\.json$")


def read_conda_packages(view: FileView) -> tuple[dict[str, str], dict[str, str]]:
    """The conda packages by name, each as `VERSION BUILD`, and why others could not be read."""
    packages: dict[str, str] = {}
    unknown: dict[str, str] = {}
    for path in sorted(path for path in view.paths() if _RECORD.search(path)):
        try:
            record = json.loads(view.read(path) or b"")
            packages[str(record["name"])] = f"{record['version']} {record['build']}"
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            unknown[f"system packages.{path.rpartition('/')[2]}"] = f"{path} cannot be read: {error!r}"
    return packages, unknown
