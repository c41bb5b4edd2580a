"""A build backend of our own, without a network and in a second, and source distributions that need it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.wheels import wheel

# Builds what is below `src`; a module `probe.py`, which has a path, is filled with what the build sees.
BACKEND = """
import os, pathlib, socket, tomllib, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
    name, info = project["name"], f"{project['name']}-{project['version']}.dist-info"
    files = {str(path.relative_to("src")): path.read_text() for path in pathlib.Path("src").rglob("*.*")}
    if f"{name}/probe.py" in files:
        path = pathlib.Path(files[f"{name}/probe.py"])
        seen = [name for _, name in socket.if_nameindex()], path.exists(), sorted(os.environ)
        files[f"{name}/probe.py"] = f"SEEN = {seen!r}"
    needs = "".join(f"Requires-Dist: {text}\\n" for text in project.get("dependencies", ()))
    for extra, texts in project.get("optional-dependencies", {}).items():
        needs += f"Provides-Extra: {extra}\\n"
        needs += "".join(f"Requires-Dist: {text}; extra == '{extra}'\\n" for text in texts)
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {project['version']}\\n{needs}"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    scripts = "".join(f"{key} = {value}\\n" for key, value in project.get("scripts", {}).items())
    files[f"{info}/entry_points.txt"] = "[console_scripts]\\n" + scripts
    files[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in (*files, f"{info}/RECORD"))
    built = f"{name}-{project['version']}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, built), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return built
"""
SYSTEM = '[build-system]\nrequires = ["tinybuild"]\nbuild-backend = "tinybuild"\n'


def backend(folder: Path) -> str:
    """Writes the wheel of the backend into the folder; returns its pin."""
    folder.mkdir(exist_ok=True)
    return wheel(folder, "tinybuild", 1, code=BACKEND)


def project(name: str, fields: str = "", code: Mapping[str, str] | None = None) -> dict[str, str]:
    """The files of a project in a src layout, by path; `fields` are more of its [project] table."""
    table = f'{SYSTEM}[project]\nname = "{name}"\nversion = "1.0"\n{fields}'
    files = {"__init__.py": "VALUE = 7\n", **(code or {})}
    return {"pyproject.toml": table, **{f"src/{name}/{path}": text for path, text in files.items()}}


def sdist(folder: Path, name: str, files: Mapping[str, str]) -> Path:
    """Writes the source distribution NAME-1.0.tar.gz of these files into the folder."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0.tar.gz"
    known = {"PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", **files}
    with tarfile.open(path, "w:gz") as archive:
        for place, text in known.items():
            info = tarfile.TarInfo(f"{name}-1.0/{place}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return path
