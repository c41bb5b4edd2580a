"""Reads what a project without a lock declares: pyproject.toml, setup.cfg and setup.py, as data.

A setup.py is never executed: its literal arguments are read from its syntax. What cannot be read that way is `dynamic`,
and has to be read from the metadata of the project's wheel.
"""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from packaging.utils import canonicalize_name

from repro_tui.model.errors import Inconclusive
from repro_tui.support.text import show

DEFAULT_TOOLS = ("setuptools", "wheel")
_PART = re.compile(r"\s*(\^|~=|~|===?|!=|<=|>=|<|>)?\s*v?([^\s,<>=!~^|]+)\s*,?\s*")


@dataclass(slots=True)
class DeclaredProject:
    """What the files of a project declare, as text.

    `dependencies` are its requirements, `groups` those of its extras and dependency groups by normalised name, `python`
    the versions of Python that it allows. `dynamic`: its dependencies are only known to its build. `installable`: it
    says how it is built. `name` may be "".
    """

    name: str = ""
    dependencies: tuple[str, ...] = ()
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    python: str = ""
    dynamic: bool = False
    installable: bool = False
    dynamic_version: bool = False


def declared_project(files: Mapping[str, bytes]) -> DeclaredProject:
    """What a project declares in its files, by name (pyproject.toml, setup.cfg, setup.py).

    Raises Inconclusive where one of them cannot be read.
    """
    document = parsed_toml(files.get("pyproject.toml", b""), "pyproject.toml")
    poetry = document.get("tool", {}).get("poetry", {})
    try:
        if "project" in document:
            project = _standard(document)
            _add_poetry_groups(project, poetry)
        elif poetry:
            project = _poetry(poetry)
        else:
            project = _setuptools(files)
        project.groups |= _dependency_groups(document)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Inconclusive(
            f"the project's files are not as they should be: {show(str(error), 200)}", "correct them, and commit them"
        ) from error
    is_package = poetry.get("package-mode", True) is not False
    project.installable = is_package and ("build-system" in document or "setup.py" in files or "setup.cfg" in files)
    return project


def parsed_toml(content: bytes, name: str) -> dict[str, Any]:
    """The document. Raises Inconclusive where it cannot be parsed."""
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Inconclusive(f"{name} cannot be read: {show(str(error), 300)}", "correct it, and commit it") from error


def package_of_poetry(files: Mapping[str, bytes]) -> str | None:
    """The name of the package that Poetry's build looks for; None where the project lists its packages, or another
    backend builds it.

    Poetry installs the dependencies of a project that has no such package, and leaves the project itself out. Raises
    Inconclusive where pyproject.toml cannot be read.
    """
    document = parsed_toml(files.get("pyproject.toml", b""), "pyproject.toml")
    try:
        poetry = document.get("tool", {}).get("poetry", {})
        backend = str(document.get("build-system", {}).get("build-backend", ""))
        name = str(document.get("project", {}).get("name") or poetry.get("name") or "")
    except AttributeError:
        return None
    if not backend.startswith("poetry.") or poetry.get("packages") or not name:
        return None
    return re.sub(r"[-_.]+", "_", name)


def build_requirements(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """What the build of a project requires: `[build-system]`, else setuptools and wheel; and a literal setup_requires.

    Raises Inconclusive where pyproject.toml cannot be read.
    """
    system = parsed_toml(files.get("pyproject.toml", b""), "pyproject.toml").get("build-system")
    requires = system.get("requires") if isinstance(system, dict) else None
    texts = [str(text) for text in requires] if isinstance(requires, list) else list(DEFAULT_TOOLS)
    extra = _setup_arguments(files.get("setup.py", b"")).get("setup_requires")
    texts += [str(text) for text in ([extra] if isinstance(extra, str) else extra or [])]
    texts += _lines(_config(files.get("setup.cfg", b"")).get("options", {}).get("setup_requires", ""))
    return tuple(dict.fromkeys(texts))


def _standard(document: dict[str, Any]) -> DeclaredProject:
    table = document["project"]
    dynamic = table.get("dynamic", [])
    return DeclaredProject(
        str(table.get("name", "")),
        _texts(table.get("dependencies", [])),
        _standard_extras(table),
        str(table.get("requires-python", "")),
        dynamic="dependencies" in dynamic or "optional-dependencies" in dynamic,
        dynamic_version="version" in dynamic,
    )


def _standard_extras(table: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {canonicalize_name(name): _texts(texts) for name, texts in table.get("optional-dependencies", {}).items()}


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{show(value, 80)} is not a list of requirements")
    return tuple(value)


def _dependency_groups(document: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The dependency groups, with those that they include."""
    tables: dict[str, Any] = {
        canonicalize_name(name): items for name, items in document.get("dependency-groups", {}).items()
    }

    def expanded(name: str, inside: tuple[str, ...]) -> Iterator[str]:
        if name in inside or name not in tables:
            raise ValueError(f"the dependency group {name} includes itself, or does not exist")
        for item in tables[name]:
            if isinstance(item, dict):
                yield from expanded(canonicalize_name(str(item["include-group"])), (*inside, name))
            else:
                yield str(item)

    return {name: tuple(expanded(name, ())) for name in tables}


# -- Poetry --------------------------------------------------------------------------------------------------------


def _poetry(table: dict[str, Any]) -> DeclaredProject:
    dependencies = dict(table.get("dependencies", {}))
    python = dependencies.pop("python", "")
    optional = {name for name, value in dependencies.items() if isinstance(value, dict) and value.get("optional")}
    project = DeclaredProject(
        str(table.get("name", "")),
        tuple(_poetry_requirements({n: v for n, v in dependencies.items() if n not in optional})),
        python=_python_versions(python),
    )
    for extra, names in table.get("extras", {}).items():
        chosen = {name: dependencies[name] for name in names if name in dependencies}
        project.groups[canonicalize_name(extra)] = tuple(_poetry_requirements(chosen))
    _add_poetry_groups(project, table)
    return project


def _python_versions(text: Any) -> str:
    """The versions of Python that Poetry's notation allows; "" for alternatives, which specifiers cannot say."""
    return poetry_versions(text) if isinstance(text, str) and "|" not in text else ""


def _add_poetry_groups(project: DeclaredProject, table: dict[str, Any]) -> None:
    groups = {"dev": {"dependencies": table["dev-dependencies"]}} if "dev-dependencies" in table else {}
    for name, group in {**groups, **table.get("group", {})}.items():
        project.groups[canonicalize_name(name)] = tuple(_poetry_requirements(group.get("dependencies", {})))


def _poetry_requirements(table: dict[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        for item in value if isinstance(value, list) else [value]:
            fields = item if isinstance(item, dict) else {"version": item}
            if "version" not in fields:
                raise ValueError(f"{name} comes from a folder, a repository or a URL: record a released version of it")
            extras = f"[{','.join(fields['extras'])}]" if fields.get("extras") else ""
            markers = [f"({fields['markers']})"] if fields.get("markers") else []
            if fields.get("python"):
                markers.append(_python_marker(str(fields["python"])))
            marker = f"; {' and '.join(markers)}" if markers else ""
            yield f"{name}{extras}{poetry_versions(str(fields['version']))}{marker}"


def _python_marker(versions: str) -> str:
    parts = re.findall(r"([<>=!~]+)\s*([^,\s]+)", poetry_versions(versions))
    return " and ".join(f"python_full_version {operator} '{version}'" for operator, version in parts)


def poetry_versions(text: str) -> str:
    """Poetry's notation of versions as specifiers: `^1.2` is `>=1.2,<2`. Raises ValueError for alternatives."""
    if "|" in text:
        raise ValueError(f"{text} has alternatives, which only a lock settles: commit poetry.lock, and record it")
    specifiers = []
    for operator, version in _PART.findall(text):
        if version == "*":
            continue
        if operator in ("^", "~"):
            specifiers.append(f">={version},<{_end(operator, version)}")
        else:
            specifiers.append(f"{operator or '=='}{version}")
    return ",".join(specifiers)


def _end(operator: str, version: str) -> str:
    """The first version that is not allowed: `^1.2` ends at 2, `^0.2` at 0.3, `~1.2` at 1.3, `~1` at 2."""
    from packaging.version import Version

    release = Version(version).release
    place = min(1, len(release) - 1)
    if operator == "^":
        place = next((index for index, number in enumerate(release) if number), len(release) - 1)
    return ".".join(map(str, (*release[:place], release[place] + 1)))


# -- setup.cfg and setup.py ----------------------------------------------------------------------------------------


def _setuptools(files: Mapping[str, bytes]) -> DeclaredProject:
    options = _config(files.get("setup.cfg", b""))
    arguments = _setup_arguments(files.get("setup.py", b""))
    section = options.get("options", {})
    project = DeclaredProject(
        str(options.get("metadata", {}).get("name") or arguments.get("name") or ""),
        tuple(_lines(section.get("install_requires", ""))),
        {canonicalize_name(n): tuple(_lines(v)) for n, v in options.get("options.extras_require", {}).items()},
        str(section.get("python_requires") or arguments.get("python_requires") or ""),
    )
    project.dynamic = any(text.startswith("file:") for text in project.dependencies)
    if "install_requires" in arguments:
        project.dependencies = _as_texts(arguments["install_requires"])
    if isinstance(arguments.get("extras_require"), dict):
        extras = cast(dict[str, Any], arguments["extras_require"])
        project.groups |= {canonicalize_name(name): _as_texts(value) for name, value in extras.items()}
    project.dynamic |= bool(_UNREAD & {name for name, value in arguments.items() if value is None})
    project.dynamic_version = arguments.get("use_scm_version", False) is not False
    return project


_UNREAD = {"install_requires", "extras_require", "**"}


def _as_texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(_lines(value))
    return _texts(value) if value is not None else ()


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _config(content: bytes) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(content.decode("utf-8-sig"))
    except (configparser.Error, ValueError) as error:
        raise Inconclusive(f"setup.cfg cannot be read: {show(str(error), 200)}", "correct it, and commit it") from error
    return {section: dict(parser[section]) for section in parser.sections()}


def _setup_arguments(content: bytes) -> dict[str, Any]:
    """The arguments of `setup(…)` that are literals, or names of literals; None for any other."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {"**": None}
    constants = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_setup(node.func):
            return {keyword.arg or "**": _literal(keyword.value, constants) for keyword in node.keywords}
    return {"**": None} if content.strip() else {}


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """The values of names that are assigned once and used once: nothing can have changed them in between."""
    counts = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    assigned = ((statement.targets[0], statement.value) for statement in tree.body if isinstance(statement, ast.Assign))
    return {target.id: value for target, value in assigned if isinstance(target, ast.Name) and counts[target.id] == 2}


def _is_setup(function: ast.expr) -> bool:
    return (isinstance(function, ast.Name) and function.id == "setup") or (
        isinstance(function, ast.Attribute) and function.attr == "setup"
    )


def _literal(node: ast.expr, constants: Mapping[str, ast.expr]) -> Any:
    if isinstance(node, ast.Name) and node.id in constants:
        node = constants[node.id]
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
