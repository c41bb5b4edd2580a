"""Finds the Python interpreters of this machine with uv. Nothing that is audited is executed."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache

from packaging.version import Version

from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.environments.installed import PLACES, is_of_conda, python_paths
from repro_tui.support import process
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.text import show

_QUERY = (
    "import json, os, platform, sys, sysconfig; print(json.dumps({'version': platform.python_version(),"
    "'implementation': platform.python_implementation(), 'root': sys.base_prefix, 'platform': sysconfig.get_platform(),"
    "'executable': os.path.realpath(sys.executable), 'cache_tag': sys.implementation.cache_tag, 'markers': {"
    "'implementation_name': sys.implementation.name, 'implementation_version': platform.python_version(),"
    "'os_name': os.name, 'platform_machine': platform.machine(), 'platform_release': platform.release(),"
    "'platform_system': platform.system(), 'platform_version': platform.version(),"
    "'python_full_version': platform.python_version(), 'python_version': '.'.join(platform.python_version_tuple()[:2]),"
    "'platform_python_implementation': platform.python_implementation(), 'sys_platform': sys.platform}}))"
)
PASSED_ON = (
    "SSL_CERT_FILE SSL_CERT_DIR HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy "
    "UV_DEFAULT_INDEX UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_NATIVE_TLS UV_HTTP_TIMEOUT UV_OFFLINE "
    "UV_INDEX_STRATEGY NETRC UV_PYTHON_INSTALL_DIR XDG_DATA_HOME HOME PATH"
).split()


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python interpreter: its executable, full version, base folder, platform tag and PEP 508 markers."""

    executable: str
    version: str
    implementation: str
    root: str
    platform: str
    markers: dict[str, str]


_FINDING = threading.Lock()  # uv locates itself by way of sysconfig, whose initialisation is not thread-safe


def uv_binary() -> str:
    """The path of the uv that was installed with this program."""
    with _FINDING:
        return _find_uv()


@cache
def _find_uv() -> str:
    from uv import find_uv_bin

    return str(find_uv_bin())


def uv_environment(context: Context) -> dict[str, str]:
    """The environment variables of uv: the user's indexes, proxies and certificates, our cache, and nothing else."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed | {"UV_CACHE_DIR": str(context.cache.root / "uv"), "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


def run_uv(
    arguments: list[str], context: Context, timeout_s: float = 1800, *, configured: bool = False
) -> process.Completed:
    """Runs uv without configuration files and without downloading Python; the caller forbids building packages.

    With `configured`, the arguments name a configuration file of our own.
    """
    fixed = [*([] if configured else ["--no-config"]), "--no-python-downloads", "--color", "never"]
    return process.run(
        [uv_binary(), *fixed, *arguments],
        environment=uv_environment(context),
        cancel=context.cancel,
        timeout_s=timeout_s,
    )


def find_interpreter(version: str, context: Context) -> Interpreter:
    """The interpreter of a version such as 3.11 on this machine; the search is cached.

    Raises Inconclusive where there is none; its message lists the installed versions.
    """
    key = _search_key(version)
    with context.cache.lock(f"interpreter-{key}", context.cancel):  # both sides may search at the same time
        known = context.cache.read_note("interpreters", key)
        if known and os.access(known["executable"], os.X_OK):
            return Interpreter(**known)
        interpreter = _search(version, context)
        context.cache.write_note("interpreters", key, asdict(interpreter))
    return interpreter


def _search(version: str, context: Context) -> Interpreter:
    """What uv finds; where that is nothing, or a pyenv shim that refuses its version, what it did not search."""
    done = run_uv(["python", "find", "--system", version], context, 60)
    if done.exit_code != 0:
        for interpreter in installed(context):
            if f"{interpreter.version}.".startswith(f"{version}."):
                return interpreter
    # A message of uv has several lines, for it quotes what a failing interpreter printed: the last one alone misleads.
    message = " ".join(done.text.split())
    absent = "No interpreter found" in message or "Invalid version request" in message
    release = _release_of_patch(version, context) if done.exit_code != 0 else ""
    absent = absent or bool(release and "shims" in message)  # the shim of pyenv stands for another patch release
    if done.exit_code != 0 and not absent:
        reason = message.removeprefix("error: ") or f"it ended with status {done.exit_code}"
        remedy = f"repair that Python (with pyenv: pyenv global), or install another (uv python install {version})"
        raise Inconclusive(f"uv failed to find Python {version}: {show(reason, 500)}", remedy)
    path = done.text.strip().splitlines()[-1] if done.text.strip() else ""
    if done.exit_code != 0 or not os.access(path, os.X_OK):
        raise Inconclusive(
            f"Python {version} is not installed on this machine, which has {installed_versions(context)}",
            f"install it (uv python install {version}), or "
            + (f'record python = "{release}"' if release else "correct environment.python"),
        )
    return _describe(path, context)


def _release_of_patch(version: str, context: Context) -> str:
    """The release of a version such as 3.8.12, 3.8, where this machine has another patch of it; else ""."""
    release, _, patch = version.rpartition(".")
    is_patch = release.count(".") == 1 and patch.isdecimal()
    return release if is_patch and any(f"{it.version}.".startswith(f"{release}.") for it in installed(context)) else ""


def installed(context: Context) -> list[Interpreter]:
    """The Pythons of this machine that work, the newest first; of equal ones, those outside conda's environments."""
    interpreters = []
    for path in python_paths():
        with suppress(Inconclusive):  # a broken one is no answer
            interpreters.append(_described(path, context))
    unique = {interpreter.executable: interpreter for interpreter in reversed(interpreters)}
    return sorted(unique.values(), key=lambda it: (Version(it.version), not is_of_conda(it.executable)), reverse=True)


def installed_versions(context: Context) -> str:
    """The versions of the Pythons of this machine, the newest first, in words."""
    versions = dict.fromkeys(interpreter.version for interpreter in installed(context))
    return ", ".join(versions) or f"none in the folders of {PLACES}"


def _described(path: str, context: Context) -> Interpreter:
    """A Python, which is only started where it has changed since."""
    status = os.stat(path)  # noqa: PTH116
    key = digest_text("1", path, str(status.st_mtime_ns), str(status.st_size), str(status.st_ino))[:32]
    known = context.cache.read_note("pythons", key)
    if known is None:
        known = asdict(_describe(path, context))
        context.cache.write_note("pythons", key, known)
    return Interpreter(**known)


def _search_key(version: str) -> str:
    """The key of a search: the version, and the variables that determine where uv searches."""
    return digest_text(version, *(os.environ.get(name, "") for name in ("PATH", "HOME", "PYENV_ROOT")))[:32]


def _describe(path: str, context: Context) -> Interpreter:
    done = process.run([path, "-I", "-S", "-c", _QUERY], environment={}, cancel=context.cancel, timeout_s=60)
    try:
        answer = json.loads(done.text)
    except ValueError as error:
        problem = (
            f"the Python at {show(path, 300)} cannot be used: {show(done.text.strip(), 200) or 'it prints nothing'}"
        )
        raise Inconclusive(problem, "reinstall it, or remove it so that another one is found") from error
    names = ("executable", "version", "implementation", "root", "platform", "markers")
    return Interpreter(**{name: answer[name] for name in names})
