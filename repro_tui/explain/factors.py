"""The factors of two workspaces: the parts in which they differ, each of which can be taken from either side.

Two parts that cannot be exchanged independently are one factor: code inside an image belongs to the environment, and so
do parameters inside an image. Packages of images are a factor of their own only where they can be exchanged
(`packages_apart`). Files of the code tree that are parameters or data are compared as such, and not as code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from repro_tui.model.causes import names_a_model
from repro_tui.model.inventory import PythonPackage
from repro_tui.model.record import Predict
from repro_tui.model.workspace import BuiltEnvironment, FetchedData, Workspace
from repro_tui.rebuild.data import digest_of
from repro_tui.rebuild.environments.venv import is_of_commit
from repro_tui.rebuild.hybrid import (
    Parts,
    differing_files,
    recorded_variables,
)
from repro_tui.rebuild.hybrid_parameters import parameter_places, same_parameters

CODE, PARAMETERS, MODEL, DATA, VARIABLES, PREDICT = "code", "parameters", "model", "data", "variables", "predict"
ENVIRONMENT, PACKAGES, SYSTEM = "environment", "environment.packages", "environment.system"
ORDER = (CODE, ENVIRONMENT, PACKAGES, SYSTEM, PARAMETERS, MODEL, DATA, VARIABLES, PREDICT)


@dataclass(frozen=True, slots=True)
class Factors:
    """The names of the factors in the order of `ORDER`, and notes on what could not be separated into two factors."""

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def factors_of(a: Workspace, b: Workspace, packages_apart: bool = False) -> Factors:
    """What differs between two workspaces. `packages_apart`: the packages of images can be exchanged."""
    names, notes = [], []
    in_image = a.code_in_image or b.code_in_image
    if in_image:
        notes.append("the code is inside the image, so code and environment are one factor")
    elif _code_differs(a, b):
        names.append(CODE)
    names += _environment(a.environment, b.environment, packages_apart)
    if a.parameters.unknown or b.parameters.unknown:
        notes.append(_unknown_parameters(a, b))
        if unread_in_code(a, b) and CODE not in names and not same_parameters(a.parameters, b.parameters):
            names.append(CODE)
    elif not same_parameters(a.parameters, b.parameters):
        names.append(PARAMETERS)
    names += [name for name in (MODEL, DATA) if _digests(a, name) != _digests(b, name)]
    if recorded_variables(a.environment) != recorded_variables(b.environment):
        names.append(VARIABLES)
    if _predict_step(a) != _predict_step(b):
        names.append(PREDICT)
    return Factors(tuple(name for name in ORDER if name in names), tuple(notes))


def unread_in_code(a: Workspace, b: Workspace) -> bool:
    """Whether a side's file of parameters is too large to be read: its commit has it, so it belongs to the code."""
    return any(side.parameters.unknown and side.parameters.file for side in (a, b))


def _unknown_parameters(a: Workspace, b: Workspace) -> str:
    if unread_in_code(a, b):
        return "the parameters are too large to be read, so parameters and code are one factor"
    return "the parameters are inside the image, so parameters and environment are one factor"


def _predict_step(workspace: Workspace) -> tuple[tuple[str, ...], Predict]:
    """What is executed or requested; the time limit does not affect predictions."""
    return workspace.command, replace(workspace.predict, timeout_s=0)


def differing_names(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[str, ...]:
    """The sorted names whose values differ between two mappings, or that only one of them has."""
    return tuple(sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name)))


def accidental(a: Workspace, b: Workspace) -> tuple[str, ...]:
    """The differing variables where all of them are hash seeds or numbers of threads; () where any other differs.

    Neither should affect predictions: where they do, the predict step is nondeterministic.
    """
    names = differing_names(*(recorded_variables(side.environment) for side in (a, b)))
    return names if all(name == "PYTHONHASHSEED" or name.endswith("_NUM_THREADS") for name in names) else ()


def _code_differs(a: Workspace, b: Workspace) -> bool:
    if a.code is None or b.code is None:
        return a.code is not b.code
    return a.code.subdirectory != b.code.subdirectory or bool(differing_files(a.code, b.code, not_code(a, b)))


def not_code(a: Workspace, b: Workspace) -> frozenset[str]:
    """The files of the code trees that are compared as parameters or data: on each side whose tree has them.

    A file that is data to one side and code to the other one stays code: otherwise its content in the other side would
    be compared nowhere.
    """
    left, right = _elsewhere(a), _elsewhere(b)
    files = [side.code.files if side.code else {} for side in (a, b)]
    return left & right | {name for name in left if name not in files[1]} | {n for n in right if n not in files[0]}


def _elsewhere(workspace: Workspace) -> frozenset[str]:
    """The paths in the code tree of one side's parameters and data."""
    root = PurePosixPath(workspace.code.subdirectory if workspace.code else ".")
    data = {str(root / item.path / name) for item in workspace.data for name in item.files}
    return parameter_places(workspace) | data


def _environment(a: BuiltEnvironment, b: BuiltEnvironment, packages_apart: bool) -> list[str]:
    if environment_key(a) == environment_key(b):
        return []
    return [PACKAGES, SYSTEM] if packages_apart else [ENVIRONMENT]


def differing_packages(a: BuiltEnvironment, b: BuiltEnvironment) -> tuple[str, ...]:
    """The names of the Python packages that differ in version or content."""
    return differing_names(*(_contents(side.inventory.python_packages) for side in (a, b)))


def _contents(packages: Mapping[str, PythonPackage]) -> dict[str, tuple[str, str]]:
    return {name: (package.version, package.digest) for name, package in packages.items()}


def environment_key(environment: BuiltEnvironment) -> tuple[str, ...]:
    """What identifies an environment: its content, working directory and own variables, not those of the record.

    A project that was installed from the commit is left out: it belongs to the code.
    """
    own = sorted(environment.image_variables.items())
    content = [environment.key]
    if environment.is_pinned:
        version = environment.inventory.interpreter.get("version", "")
        content = [version, environment.interpreter_root, *(pin for pin in environment.pins if not is_of_commit(pin))]
    return (*content, environment.working_dir, *(f"{name}={value}" for name, value in own))


# -- data -----------------------------------------------------------------------------------------------------------


def is_model(item: FetchedData) -> bool:
    """Whether a data item is a trained model: "model" is in its path, or a file has the extension of a model."""
    return names_a_model(item.path, item.files)


def items_of(workspace: Workspace, factor: str) -> tuple[FetchedData, ...]:
    """The data items of a factor: those of `MODEL`, or those of `DATA`."""
    return tuple(item for item in workspace.data if is_model(item) == (factor == MODEL))


def _digests(workspace: Workspace, factor: str) -> dict[str, str]:
    return {item.path: digest_of(item.files) for item in items_of(workspace, factor)}


# -- mixing ---------------------------------------------------------------------------------------------------------


def parts_of(a: Workspace, b: Workspace, from_b: frozenset[str]) -> Parts:
    """The parts of the hybrid that has these factors from B and the rest from A.

    Where the packages of an image are a factor of their own, the environment is that of the side of `SYSTEM`: the
    packages are applied on top of it by `ImagePackages`.
    """

    def side(name: str) -> Workspace:
        return b if name in from_b else a

    environment = b if from_b & {ENVIRONMENT, SYSTEM} else a
    code = environment if a.code_in_image or b.code_in_image else side(CODE)
    unknown = a.parameters.unknown or b.parameters.unknown
    with_parameters = code if unread_in_code(a, b) else environment
    return Parts(
        code=code,
        environment=environment.environment,
        variables=recorded_variables(side(VARIABLES).environment),
        parameters=(with_parameters if unknown else side(PARAMETERS)).parameters,
        data=(*items_of(side(MODEL), MODEL), *items_of(side(DATA), DATA)),
        predict=side(PREDICT),
        absent=_absent(code, against=a if code is b else b),
    )


def _absent(workspace: Workspace, *, against: Workspace) -> frozenset[str]:
    """The parameter files of one side that the commit of the other side does not have."""
    return parameter_places(workspace) - (against.code.files.keys() if against.code else frozenset())
