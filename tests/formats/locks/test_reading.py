"""Lock files as data: the packages of a platform are read, and nothing that could redirect the installer passes."""

from __future__ import annotations

import pytest

from repro_tui.formats.locks import locked
from repro_tui.model.errors import Inconclusive

MARKERS = {"os_name": "posix", "sys_platform": "linux", "python_version": "3.11", "python_full_version": "3.11.7"}
PYLOCK = (
    'lock-version = "1.0"\n[[packages]]\nname = {name}\nversion = {version}\n{more}\nwheels = [{{hashes = {hashes}}}]'
)
UV = """
version = 1
[[package]]
name = "app"
source = {virtual = "."}
dependencies = [{name = "Deep_Er", extra = ["fast"]}, {name = "windows", marker = "sys_platform == 'win32'"}]
[[package]]
name = "deep-er"
version = "2.0"
source = {registry = "https://pypi.org/simple"}
dependencies = [{name = "deep-er"}]
wheels = [{hash = "sha256:bb"}, {hash = "sha256:aa"}]
optional-dependencies = {fast = [{name = "speed"}], slow = [{name = "windows"}]}
[[package]]
name = "speed"
version = "1"
source = {registry = "https://pypi.org/simple"}
sdist = {hash = "sha256:cc"}
[[package]]
name = "windows"
version = "1"
source = {registry = "https://pypi.org/simple"}
sdist = {hash = "sha256:dd"}
"""


def pylock(name: str = '"x"', version: str = '"1"', hashes: str = '{sha256 = "aa"}', more: str = "") -> bytes:
    return PYLOCK.format(name=name, version=version, hashes=hashes, more=more).encode()


def test_a_uv_lock_is_walked_with_its_extras_and_markers() -> None:
    assert locked(UV.encode(), "uv.lock", MARKERS).pins == (
        "deep-er==2.0 --hash=sha256:aa --hash=sha256:bb",
        "speed==1 --hash=sha256:cc",
    )


def test_a_pylock_is_read_for_its_platform() -> None:
    assert locked(pylock('"A.b_C"'), "pylock.toml", MARKERS).pins == ("a-b-c==1 --hash=sha256:aa",)
    assert locked(pylock(more="marker = \"sys_platform == 'win32'\""), "pylock.toml", MARKERS).pins == ()


@pytest.mark.parametrize(
    "content",
    [
        pylock(version='"1\\n--index-url http://elsewhere.example"'),
        pylock(version='"1 --index-url=http://elsewhere.example"'),
        pylock(name='"x\\n--index-url http://elsewhere.example"'),
        pylock(name='"-r other.txt"'),
        pylock(hashes='{sha256 = "aa\\n--index-url http://elsewhere.example"}'),
        UV.replace("sha256:aa", "sha256:aa --index-url=http://elsewhere.example").encode(),
        UV.replace('version = "2.0"', "version = 2.0").encode(),
        pylock(more="marker = \"os_name ~= 'x'\""),
        pylock(more="marker = \"'dev' in nothing_known\""),
        b"a = " + b"[" * 100_000,
        b"lock-version = 1\npackages = 3",
        b"version = 1\npackage = 3",
        b"\xff",
        b"other = 1",
    ],
    ids=range(14),
)
def test_what_is_no_plain_lock_is_told_in_one_line(content: bytes) -> None:
    with pytest.raises(Inconclusive) as caught:
        locked(content, "some.lock", MARKERS)
    assert "some.lock" in caught.value.what
    assert "\n" not in caught.value.what
    assert caught.value.do


@pytest.mark.parametrize(
    "source", ['{git = "https://h.example/x"}', '{url = "https://h.example/x.whl"}', '{path = "x"}']
)
def test_a_package_from_elsewhere_is_told(source: str) -> None:
    with pytest.raises(Inconclusive, match="takes speed from a file, a repository or a URL"):
        locked(
            UV.replace(
                'version = "1"\nsource = {registry = "https://pypi.org/simple"}', f'version = "1"\nsource = {source}', 1
            ).encode(),
            "uv.lock",
            MARKERS,
        )
