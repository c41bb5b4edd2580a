"""Which copy of a package Python imports: compared with what a real Python says, where one can be made."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from repro_tui.rebuild.environments.contents.import_order import import_order
from repro_tui.rebuild.environments.contents.inventory import FolderView, hidden_copies, read_python_packages
from repro_tui.support.context import Context

LOCAL, DEBIAN = "usr/local/lib/python3.11/dist-packages", "usr/lib/python3/dist-packages"
BUILT, CONDA = "usr/local/lib/python3.11/site-packages", "opt/conda/lib/python3.11/site-packages"
OLDER = "usr/local/lib/python3.9/site-packages"
FOLDERS = (LOCAL, DEBIAN, BUILT, CONDA, OLDER)


@pytest.mark.parametrize(
    ("links", "path", "order"),
    [
        ({"usr/bin/python3": "python3.11", "usr/bin/python3.11": ""}, "/usr/local/bin:/usr/bin", (LOCAL, DEBIAN)),
        ({"usr/bin/python3": "python3.11"}, "/bin", (LOCAL, DEBIAN)),
        ({"usr/local/bin/python3": "python3.11", "usr/bin/python3": "python3.11"}, "/usr/local/bin", (BUILT,)),
        ({"opt/conda/bin/python3": "python3.11", "usr/bin/python3": ""}, "/opt/conda/bin:/usr/bin", (CONDA,)),
        ({"usr/local/bin/python": "../../x", "usr/bin/python3": ""}, "/usr/local/bin:/usr/bin", ()),
        ({}, "/usr/local/bin:/usr/bin", ()),
    ],
    ids=["Debian's", "merged folders", "built", "conda", "of unknown version", "none"],
)
def test_where_python_looks(links: dict[str, str], path: str, order: tuple[str, ...]) -> None:
    assert import_order(FOLDERS, links.get, path) == order


def test_where_fedoras_python_looks() -> None:
    folders = [f"usr/{place}/python3.12/site-packages" for place in ("lib", "lib64", "local/lib")]
    ordered = import_order(folders, {"usr/bin/python3": "python3.12"}.get, "/usr/local/bin:/usr/bin")
    assert ordered == (folders[2], folders[1], folders[0])


def installed(site: Path, version: str, *, code: bool = True) -> None:
    """A package x with its dist-info, as installers write it; without `code` only what an upgrade left behind."""
    info = site / f"x-{version}.dist-info"
    info.mkdir(parents=True)
    text = f"VERSION = '{version}'\n"
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: x\nVersion: {version}\n")
    (info / "RECORD").write_text(f"x.py,sha256={digest},{len(text)}\nx-{version}.dist-info/METADATA,,\n")
    if code:
        (site / "x.py").write_text(text)


def test_of_two_in_one_folder_the_copy_whose_files_are_there_is_imported(tmp_path: Path, context: Context) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    site = next((tmp_path / "env").glob("lib/python3.*/site-packages"))
    installed(site, "1", code=False)
    installed(site, "2")
    done = subprocess.run(
        [tmp_path / "env" / "bin" / "python", "-c", "import x; print(x.VERSION)"],
        capture_output=True,
        text=True,
        check=True,
    )
    view = FolderView(tmp_path / "env", context.cache.hashes)
    packages, unknown = read_python_packages(view)
    assert packages["x"].version == done.stdout.strip() == "2"
    assert unknown == {}
    assert hidden_copies(view, packages) == f"x 1 in {site.relative_to(tmp_path / 'env')}"


def test_of_two_in_several_folders_the_first_is_imported(tmp_path: Path, context: Context) -> None:
    installed(tmp_path / "root" / LOCAL, "2")
    installed(tmp_path / "root" / DEBIAN, "1")
    view = FolderView(tmp_path / "root", context.cache.hashes)
    looked = f"import json, sys; sys.path[:0] = {[str(tmp_path / 'root' / name) for name in (LOCAL, DEBIAN)]!r}"
    script = f"{looked}; import x; print(json.dumps(x.VERSION))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    packages, unknown = read_python_packages(view, (LOCAL, DEBIAN))
    assert packages["x"].version == json.loads(done.stdout) == "2"
    assert unknown == {}
    assert hidden_copies(view, packages) == f"x 1 in {DEBIAN}"
    packages, unknown = read_python_packages(view)
    assert "the copy that Python imports is not known" in unknown["packages.x"]
    assert f"2 in {LOCAL}" in unknown["packages.x"]
