"""The databases of package managers, from files as these write them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from repro_tui.rebuild.environments.contents.databases import read_system_packages
from repro_tui.rebuild.environments.contents.inventory import FolderView, inventory_of
from repro_tui.support.context import Context

# Written by rpm 4.18 into its database for hello-data-2:1.4.2-3.noarch.
HEADER = (Path(__file__).parent / "hello-data.rpmheader").read_bytes()
PLACES = ("var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite")


def database(path: Path, *headers: bytes, table: str = "Packages") -> None:
    """A database as rpm makes it, with a write-ahead log that was written back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"CREATE TABLE '{table}' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
        connection.executemany(f"INSERT INTO '{table}' (blob) VALUES (?)", [(header,) for header in headers])
    connection.close()


def changed(version: bytes) -> bytes:
    """The same header with another version of five letters."""
    return HEADER.replace(b"\x001.4.2\x00", b"\x00" + version + b"\x00", 1)


def read(root: Path, context: Context) -> tuple[dict[str, str], dict[str, str]]:
    return read_system_packages(FolderView(root, context.cache.hashes))


@pytest.mark.parametrize("place", PLACES)
def test_packages_of_an_rpm_database(tmp_path: Path, context: Context, place: str) -> None:
    database(tmp_path / "root" / place, HEADER)
    assert read(tmp_path / "root", context) == ({"hello-data": "2:1.4.2-3.noarch"}, {})


def test_a_package_that_rpm_installed_twice_has_both_versions(tmp_path: Path, context: Context) -> None:
    database(tmp_path / "root" / PLACES[0], changed(b"1.5.0"), HEADER)
    packages, _ = read(tmp_path / "root", context)
    assert packages == {"hello-data": "2:1.4.2-3.noarch, 2:1.5.0-3.noarch"}


@pytest.mark.parametrize(
    ("headers", "table", "reason"),
    [
        ((HEADER[:500],), "Packages", "cut short"),
        ((b"",), "Packages", "unpack"),
        ((b"\0" * 8,), "Packages", "does not name its package"),
        ((HEADER,), "Other", "no such table"),
    ],
)
def test_a_damaged_rpm_database_is_unknown(
    tmp_path: Path, context: Context, headers: tuple[bytes, ...], table: str, reason: str
) -> None:
    database(tmp_path / "root" / PLACES[0], *headers, table=table)
    packages, unknown = read(tmp_path / "root", context)
    assert packages == {}
    assert reason in unknown["system packages"]


def test_an_endless_rpm_database_is_unknown(tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro_tui.rebuild.environments.contents.databases.MOST_STEPS", 20)
    (tmp_path / "root" / PLACES[0]).parent.mkdir(parents=True)
    endless = "WITH RECURSIVE n(blob) AS (SELECT 1 UNION ALL SELECT blob + 1 FROM n) SELECT blob FROM n WHERE blob < 0"
    with sqlite3.connect(tmp_path / "root" / PLACES[0]) as connection:
        connection.execute(f"CREATE VIEW Packages AS {endless}")
    connection.close()
    assert "interrupted" in read(tmp_path / "root", context)[1]["system packages"]


@pytest.mark.parametrize("name", ["Packages", "Packages.db"])
def test_an_rpm_database_of_another_format_is_unknown(tmp_path: Path, context: Context, name: str) -> None:
    path = tmp_path / "root" / "usr/lib/sysimage/rpm" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert "only those in SQLite" in read(tmp_path / "root", context)[1]["system packages"]


@pytest.mark.parametrize("place", ["lib/apk/db/installed", "usr/lib/apk/db/installed"])
def test_packages_of_apk(tmp_path: Path, context: Context, place: str) -> None:
    path = tmp_path / "root" / place
    path.parent.mkdir(parents=True)
    path.write_text("C:Q1abc=\nP:musl\nV:1.2.5-r1\nA:x86_64\n\nP:busybox\nV:1.37.0-r2\n")
    assert read(tmp_path / "root", context) == ({"musl": "1.2.5-r1", "busybox": "1.37.0-r2"}, {})


def conda(root: Path, prefix: str, name: str, version: str, build: str) -> None:
    path = root / prefix / "conda-meta" / f"{name}-{version}-{build}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"name": name, "version": version, "build": build, "files": [f"lib/{name}"], "channel": "conda-forge"}
    path.write_text(json.dumps(document))


def test_packages_of_conda(tmp_path: Path, context: Context) -> None:
    root = tmp_path / "root"
    conda(root, "opt/conda", "python", "3.11.9", "h955ad1f_0")
    conda(root, "opt/conda", "libblas", "3.9.0", "22_linux64_mkl")
    (root / "opt/conda/conda-meta/history").write_text("==> 2026 <==\n")
    inventory = inventory_of(FolderView(root, context.cache.hashes))
    assert inventory.system_packages == {
        "python (conda)": "3.11.9 h955ad1f_0",
        "libblas (conda)": "3.9.0 22_linux64_mkl",
    }
    assert inventory.interpreter == {"implementation": "CPython", "version": "3.11.9"}
    conda(root, "opt/conda/envs/score", "libblas", "3.9.0", "22_linux64_openblas")
    (root / "opt/conda/conda-meta/broken-1-0.json").write_text("[1]")
    packages, unknown = read(root, context)
    assert packages["libblas (conda, /opt/conda)"] == "3.9.0 22_linux64_mkl"
    assert packages["libblas (conda, /opt/conda/envs/score)"] == "3.9.0 22_linux64_openblas"
    assert set(unknown) == {"system packages.broken-1-0"}
