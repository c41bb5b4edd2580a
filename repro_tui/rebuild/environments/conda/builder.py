"""Environments of conda packages: an environment.yml, an explicit list, a conda-lock.yml or a pixi.lock.

1. An environment.yml that names only Python and pip packages needs no conda: it is built like a requirements file.
2. Else py-rattler resolves the packages in a child process, as of `environment.as_of`. The result is remembered in the
   cache: the next rebuild gets the same packages. A lock is read instead of resolved.
3. Every archive is fetched into the cache and compared with its hash, before the child process installs it.
4. What is left for pip is resolved and installed by uv, besides the packages of conda (pip_part).

Nothing that is installed is executed: neither scripts of packages nor the interpreter.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from repro_tui.clients.client_child import standing_folder
from repro_tui.clients.remote_files import fetch_object, open_system
from repro_tui.formats.conda_files import (
    CondaArchive,
    CondaFile,
    allows_python,
    named,
    python_release,
)
from repro_tui.formats.locks.misplaced import conda_lock
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Match, Part
from repro_tui.rebuild.environments.conda.pip_part import install_pip
from repro_tui.rebuild.environments.conda.plan import CondaPlan, ask, is_installed, make_plan, read_environment
from repro_tui.rebuild.environments.contents.databases import read_conda_packages
from repro_tui.rebuild.environments.contents.inventory import (
    FolderView,
    host_facts,
    read_interpreter,
    read_python_packages,
)
from repro_tui.rebuild.environments.python import read_file, rebuild_python_environment
from repro_tui.rebuild.environments.pythons.interpreters import find_interpreter
from repro_tui.rebuild.environments.venv import environment_at
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text
from repro_tui.support.plain import from_plain, to_plain
from repro_tui.support.redact import strip_url
from repro_tui.support.text import plural, show

FORMAT = "2"


def is_conda(record: Record, code: CodeTree | None) -> bool:
    """Whether a record's environment consists of conda packages, by its field or by the contents of its lock."""
    environment = record.environment
    if environment.kind != "lock":
        return environment.kind == "conda"
    try:
        return bool(conda_lock(read_file(environment.lock or "", record, code)))
    except (Inconclusive, Refused):
        return False  # the rebuild says why it cannot be read


class CondaBuilder:
    """Rebuilds environments of conda packages."""

    def rebuild(self, record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltEnvironment, Part]:
        """The environment that a file of conda describes, and how it was obtained.

        Raises Inconclusive where the file, a channel, a package or py-rattler is not available, and Refused for a file
        with mistakes.
        """
        name = record.environment.conda or record.environment.lock or ""
        if record.environment.kind == "conda" and (file := _pip_file(name, record, code, context)):
            return _without_conda(name, file, record, code, context)
        with context.step("environment", f"rebuilding it from {show(name, 120)}") as step:
            plan = make_plan(name, record, code, step, context)
            built = _built(plan, step, context)
            inventory = _inventory(built, record, context)
            step.key, step.matches = built.key, _matches(plan, step)
            version = inventory.interpreter.get("version", "unknown")
            if record.environment.python and not f"{version}.".startswith(f"{record.environment.python}."):
                step.warn(f"the record names Python {record.environment.python}, and {name} installs {version}")
                step.matches = "differs"
            count = plural(len(inventory.system_packages), "conda package")
            step.how = f"{count} from {show(name, 120)}, Python {version}"
        variables = plan.variables | record.environment.variables
        return replace(built, inventory=inventory, variables=variables), step.part()


def _pip_file(name: str, record: Record, code: CodeTree | None, context: Context) -> CondaFile | None:
    """The file, if it only names Python and pip packages and this machine has that Python; else None."""
    try:
        file = read_environment(read_file(name, record, code), name, record)
    except (Inconclusive, Refused):
        return None  # the step of the rebuild says why
    return file if file.is_pip_only and _python(file, record, context) is not None else None


def _python(file: CondaFile, record: Record, context: Context) -> str | None:
    """The version of Python to build with; None where only conda can bring the one that the file names."""
    own = file.python
    if own is None or record.environment.python:
        return record.environment.python or ".".join(platform.python_version_tuple()[:2])
    version = python_release(own)
    if version is None:
        host = platform.python_version()
        return ".".join(host.split(".")[:2]) if not own or allows_python(own, host) else None
    if not is_installed():
        return version  # the search for it says what is missing
    try:
        find_interpreter(version, context)
    except Inconclusive:
        return None
    return version


def _without_conda(
    name: str, file: CondaFile, record: Record, code: CodeTree | None, context: Context
) -> tuple[BuiltEnvironment, Part]:
    """Builds the pip part like a requirements file of the same name, whose lines have the same numbers."""
    lines = [file.pip_text]
    lines += [f"{package}{_as_pip(rest)}" for package, rest in map(named, file.packages) if package in _PLAIN]
    with standing_folder(context) as folder:
        copy = Path(name.removeprefix("file:")).name
        (folder / copy).write_text("\n".join(lines) + "\n", "utf-8")
        environment = replace(
            record.environment,
            conda=None,
            requirements=f"file:{copy}",
            python=_python(file, record, context),
            variables=file.variables | record.environment.variables,
        )
        built, part = rebuild_python_environment(
            replace(record, base=str(folder), environment=environment), code, context
        )
    warnings = tuple(_of_file(warning.replace(f"file:{copy}", show(name, 120)), name) for warning in part.warnings)
    obtained = part.how.replace(f"file:{copy}", show(name, 120))
    obtained += ", without conda: it names only Python and pip packages"
    left_out = tuple(_not_honoured(file, record, name))
    matches: Match = "differs" if left_out else part.matches
    return built, replace(part, how=obtained, warnings=warnings + left_out, matches=matches)


def _of_file(warning: str, name: str) -> str:
    """A warning about a line of the file, with the file's name."""
    return f"{show(name, 120)}: {warning}" if warning.startswith("line ") else warning


def _not_honoured(file: CondaFile, record: Record, name: str) -> Iterator[str]:
    own, recorded = python_release(file.python or ""), record.environment.python
    if own and recorded and not f"{own}.".startswith(f"{recorded}.") and not f"{recorded}.".startswith(f"{own}."):
        yield f"the record names Python {recorded}, which is used, and {name} names {own}"
    for package, rest in map(named, file.packages):
        if package == "pip" and rest:
            yield f"{name} names pip{show(rest, 40)}: the environment has no pip"


_PLAIN = ("setuptools", "wheel")


def _as_pip(rest: str) -> str:
    version = rest.strip("=").partition("=")[0].strip()
    return f"=={version}" if version and version[0].isdigit() else rest.replace(" ", "")


def _built(plan: CondaPlan, step: Step, context: Context) -> BuiltEnvironment:
    """The environment with these archives and the pip part, from the cache or built now."""
    fetched = [_fetched(archive, step, context) for archive in plan.archives]
    shas = sorted(sha256 for _, sha256 in fetched)
    key = digest_text(FORMAT, *shas, "", *plan.pip.key)

    def build(folder: Path) -> None:
        _install(plan, [path for path, _ in fetched], folder, step, context)
        install_pip(plan.pip, key, folder, step, context)

    folder, step.cached = context.cache.folder("conda", key, build, context.cancel)
    return environment_at(folder, key, str(folder))


def _fetched(archive: CondaArchive, step: Step, context: Context) -> tuple[Path, str]:
    """The archive in the cache, and its sha256. Raises Inconclusive where its bytes are not the recorded ones."""
    context.cancel.check()
    md5 = None if archive.sha256 else archive.md5 or None
    stored = context.cache.find_object(sha256=archive.sha256 or None, md5=md5)
    if stored is None:
        step.progress(f"fetching {show(archive.url.rpartition('/')[2], 120)}")
        system, path = open_system(archive.url)
        stored = fetch_object(system, path, archive.url, context)
    for kind, recorded, actual in (("sha256", archive.sha256, stored.sha256), ("md5", archive.md5, stored.md5)):
        if recorded and actual and recorded != actual:
            raise Inconclusive(
                f"{show(strip_url(archive.url), 200)} has the {kind} {actual}, and {recorded} is recorded",
                "lock the environment again, or find out who replaced the package",
            )
    return stored.file, stored.sha256


def _install(plan: CondaPlan, paths: list[Path], folder: Path, step: Step, context: Context) -> None:
    """Lets py-rattler unpack the archives into the folder; it wants their file names, which the cache does not have."""
    step.progress(f"installing {plural(len(paths), 'conda package')}")
    links = context.cache.temporary()
    links.mkdir(parents=True)
    try:
        archives = []
        for number, (archive, path) in enumerate(zip(plan.archives, paths, strict=True)):
            link = links / str(number) / archive.url.rpartition("/")[2]
            link.parent.mkdir()
            link.hardlink_to(path)
            archives.append({"path": str(link)})
        ask("fetch", {"archives": archives}, context, "installing", target=str(folder))
    finally:
        remove_tree(links)
    if not (folder / "bin/python").exists():
        raise Inconclusive("there is no Python among the conda packages", "add python to the file")


def _inventory(built: BuiltEnvironment, record: Record, context: Context) -> Inventory:
    known = context.cache.read_note("inventory", built.key)
    if known is None:
        view = FolderView(Path(built.folder), context.cache.hashes)
        packages, unknown = read_python_packages(view)
        described, unread = read_conda_packages(view)
        system = {name: text for _, name, text in described}
        facts = read_interpreter(view) | {"implementation": "CPython", "version": system["python"].partition(" ")[0]}
        known = to_plain(
            {
                "packages": {name: asdict(package) for name, package in packages.items()},
                "system": system,
                "unknown": unknown | unread,
                "facts": facts,
            }
        )
        context.cache.write_note("inventory", built.key, known)
    return from_plain(
        Inventory,
        {
            "interpreter": known["facts"],
            "system": host_facts(),
            "python_packages": known["packages"],
            "system_packages": known["system"],
            "unknown": known["unknown"],
            "variables": record.environment.variables,
        },
    )


def _matches(plan: CondaPlan, step: Step) -> Match:
    """Every archive has been compared with its recorded hash, if the lock has one."""
    bare = [archive.url.rpartition("/")[2] for archive in plan.archives if not (archive.sha256 or archive.md5)]
    if bare:
        step.warn(f"{plural(len(bare), 'package')} without a recorded hash: {show(', '.join(bare), 200)}")
    return "matches" if plan.from_lock and not step.warnings else "unknown"
