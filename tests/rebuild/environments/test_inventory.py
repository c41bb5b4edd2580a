"""Inventories are read as data, from files that may say anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro_tui.rebuild.environments.inventory import (
    FolderView,
    hidden_copies,
    read_os_release,
    read_python_packages,
    read_system_packages,
)
from repro_tui.support.context import Context
from repro_tui.support.hash_index import HashIndex


def view(root: Path, context: Context, files: dict[str, str]) -> FolderView:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return FolderView(root, context.cache.hashes)


def info(name: str, version: str) -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nText\n"


def test_packages_have_their_version_files_and_digest(tmp_path: Path, context: Context) -> None:
    files = {
        "site/A_b-1.dist-info/METADATA": info("A_b", "1"),
        "site/A_b-1.dist-info/RECORD": "ab.py,,\n__pycache__/ab.pyc,,\n../../bin/ab,,\n/etc/passwd,,\ngone.py,,\n",
        "site/ab.py": "print()",
    }
    packages, unknown = read_python_packages(view(tmp_path, context, files))
    assert not unknown
    assert packages["a-b"].version == "1"
    assert packages["a-b"].source == "index"
    assert set(packages["a-b"].files) == {"ab.py"}
    before = packages["a-b"].digest
    changed, _ = read_python_packages(view(tmp_path, context, {"site/ab.py": "print(1)"}))
    assert changed["a-b"].digest != before


def test_what_cannot_be_read_is_unknown_and_never_left_out(tmp_path: Path, context: Context) -> None:
    files = {
        "one/x-1.dist-info/METADATA": info("x", "1"),
        "two/x-2.dist-info/METADATA": info("x", "2"),
        "one/nameless.dist-info/METADATA": "Version: 1\n",
    }
    packages, unknown = read_python_packages(view(tmp_path, context, files))
    assert packages["x"].version == "1"
    assert set(unknown) == {"packages.x", "packages.nameless.dist-info"}


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ('{"url": "https://me:hunter22@h.example/x?token=hunter22", "vcs_info": {"commit_id": "ab"}}', "@ab"),
        ("[" * 60_000, "unreadable"),
        ("[]", "unreadable"),
        ('{"url": "https://h.example/x", "vcs_info": 3}', "unreadable"),
    ],
    ids=["commit", "deep", "list", "other type"],
)
def test_where_a_package_comes_from(tmp_path: Path, context: Context, text: str, source: str) -> None:
    files = {"x-1.dist-info/METADATA": info("x", "1"), "x-1.dist-info/direct_url.json": text}
    packages, _ = read_python_packages(view(tmp_path, context, files))
    assert source in packages["x"].source
    assert "hunter22" not in packages["x"].source


def test_a_record_with_an_endless_field_is_no_crash(tmp_path: Path, context: Context) -> None:
    files = {"x-1.dist-info/METADATA": info("x", "1"), "x-1.dist-info/RECORD": "y" * 200_000}
    packages, unknown = read_python_packages(view(tmp_path, context, files))
    assert "packages.x" in unknown
    assert "x" not in packages


def test_system_packages_and_os_release(tmp_path: Path, context: Context) -> None:
    files = {
        "var/lib/dpkg/status": "Package: libc6\nStatus: install ok installed\nVersion: 2.36\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
        "var/lib/dpkg/status.d/tz": "Package: tzdata\nVersion: 2025\n",
        "lib/apk/db/installed": "P:musl\nV:1.2\n\n",
        "var/lib/rpm/Packages": "",
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n',
    }
    seen = view(tmp_path, context, files)
    packages, unknown = read_system_packages(seen)
    assert packages == {"libc6": "2.36", "tzdata": "2025", "musl": "1.2"}
    assert "RPM" in unknown["system packages"]
    assert read_os_release(seen) == {"os": "debian", "os version": "12", "os name": "Debian 12"}


def test_an_environment_is_hashed_as_a_whole(tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking the index of hashes for each of some ten thousand files took most of the time of a new environment."""
    asked: list[Path] = []
    below = HashIndex.below
    monkeypatch.setattr(HashIndex, "below", lambda self, folder: asked.append(folder) or below(self, folder))
    monkeypatch.delattr(HashIndex, "digests")
    names = [f"part{number}.py" for number in range(50)]
    record = "".join(f"{name},,\n" for name in names)
    files = dict.fromkeys(names, "x = 1\n") | {"x-1.dist-info/METADATA": info("x", "1"), "x-1.dist-info/RECORD": record}
    packages, _ = read_python_packages(view(tmp_path, context, files))
    assert set(packages["x"].files) == set(names)
    assert asked == [tmp_path]


def test_what_a_package_brings_for_itself_is_no_package_of_its_own(tmp_path: Path, context: Context) -> None:
    files = {
        "site/setuptools-75.dist-info/METADATA": info("setuptools", "75"),
        "site/setuptools/_vendor/zipp-3.19.2.dist-info/METADATA": info("zipp", "3.19.2"),
        "site/setuptools/_vendor/tomli-2.dist-info/METADATA": info("tomli", "2"),
        "site/zipp-3.21.0.dist-info/METADATA": info("zipp", "3.21.0"),
    }
    packages, unknown = read_python_packages(view(tmp_path, context, files))
    assert not unknown
    assert {name: package.version for name, package in packages.items()} == {"setuptools": "75", "zipp": "3.21.0"}
    assert not hidden_copies(view(tmp_path, context, {}), packages)
    looked_into, _ = read_python_packages(view(tmp_path, context, {}), ("site/setuptools/_vendor", "site"))
    assert looked_into["tomli"].version == "2"
