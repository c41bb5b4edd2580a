"""The factors of two workspaces: what differs between them, in pieces that can be taken from either side alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from repro_tui.model.inventory import PythonPackage
from repro_tui.model.record import Predict
from repro_tui.model.workspace import BuiltEnvironment, FetchedData, Workspace
from repro_tui.rebuild.data import digest_of
from repro_tui.rebuild.hybrid import (
    Parts,
    differing_files,
    place_of_parameters,
    recorded_variables,
    same_parameters,
)

CODE, PARAMETERS, MODEL, DATA, VARIABLES, PREDICT = "code", "parameters", "model", "data", "variables", "predict"
ENVIRONMENT, PACKAGES, SYSTEM = "environment", "environment.packages", "environment.system"
ORDER = (CODE, ENVIRONMENT, PACKAGES, SYSTEM, PARAMETERS, MODEL, DATA, VARIABLES, PREDICT)
_MODEL_ENDINGS = frozenset(
    ".joblib .pkl .pickle .onnx .pt .pth .safetensors .h5 .keras .pb .tflite .bst .ubj .cbm .gguf .skops".split()
)


@dataclass(frozen=True, slots=True)
class Factors:
    """The names of what differs, and in words what cannot be taken apart."""

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def factors_of(a: Workspace, b: Workspace, packages_apart: bool = False) -> Factors:
    """What differs between two workspaces. `packages_apart`: an image's packages can be taken without its system."""
    found, notes = [], []
    in_image = a.code_in_image or b.code_in_image
    if in_image:
        notes.append("the code is inside the image, so that code and environment are one factor")
    elif _code_differs(a, b):
        found.append(CODE)
    found += _environment(a.environment, b.environment, packages_apart)
    if a.parameters.unknown or b.parameters.unknown:
        notes.append("the parameters are inside the image, so that they and the environment are one factor")
    elif not same_parameters(a.parameters, b.parameters):
        found.append(PARAMETERS)
    found += [name for name in (MODEL, DATA) if _digests(a, name) != _digests(b, name)]
    if recorded_variables(a.environment) != recorded_variables(b.environment):
        found.append(VARIABLES)
    if _asked(a) != _asked(b):
        found.append(PREDICT)
    return Factors(tuple(name for name in ORDER if name in found), tuple(notes))


def _asked(workspace: Workspace) -> tuple[tuple[str, ...], Predict]:
    """What is executed or asked; how long it may take makes no prediction."""
    return workspace.command, replace(workspace.predict, timeout_s=0)


def differing_names(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[str, ...]:
    """The names under which two mappings have other values, or only one has any."""
    return tuple(sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name)))


def accidental(a: Workspace, b: Workspace) -> tuple[str, ...]:
    """The differing variables, where all that differ are hash seeds and numbers of threads, which should not matter."""
    names = differing_names(*(recorded_variables(side.environment) for side in (a, b)))
    return names if all(name == "PYTHONHASHSEED" or name.endswith("_NUM_THREADS") for name in names) else ()


def _code_differs(a: Workspace, b: Workspace) -> bool:
    if a.code is None or b.code is None:
        return a.code is not b.code
    return a.code.subdirectory != b.code.subdirectory or bool(differing_files(a.code, b.code, not_code(a, b)))


def not_code(a: Workspace, b: Workspace) -> frozenset[str]:
    """The files of the code trees that are parameters or data, and are compared as such."""
    found = {place_of_parameters(side) for side in (a, b)}
    for side in (a, b):
        root = PurePosixPath(side.code.subdirectory if side.code else ".")
        found |= {str(root / item.path / name) for item in side.data for name in item.files}
    return frozenset(found - {""})


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
    """What the environment runs as, without the variables that the record sets."""
    own = sorted(environment.image_variables.items())
    return (environment.key, environment.working_dir, *(f"{name}={value}" for name, value in own))


# -- data -----------------------------------------------------------------------------------------------------------


def is_model(item: FetchedData) -> bool:
    """Whether a data item is what was trained: it was fetched as a model, is named so, or has a model's ending."""
    path = PurePosixPath(item.path)
    names = [path, *(PurePosixPath(name) for name in item.files)]
    return "model" in item.path.lower() or any(name.suffix.lower() in _MODEL_ENDINGS for name in names)


def items_of(workspace: Workspace, factor: str) -> tuple[FetchedData, ...]:
    """The data items of a factor: the models, or the rest."""
    return tuple(item for item in workspace.data if is_model(item) == (factor == MODEL))


def _digests(workspace: Workspace, factor: str) -> dict[str, str]:
    return {item.path: digest_of(item.files) for item in items_of(workspace, factor)}


# -- mixing ---------------------------------------------------------------------------------------------------------


def parts_of(a: Workspace, b: Workspace, from_b: frozenset[str]) -> Parts:
    """The parts of the hybrid that has these factors as in B and the rest as in A.

    Where the packages of an image are a factor of their own, the environment here is that of the system's side.
    """

    def side(name: str) -> Workspace:
        return b if name in from_b else a

    environment = b if from_b & {ENVIRONMENT, SYSTEM} else a
    tied = environment if a.code_in_image or b.code_in_image else side(CODE)
    unknown = a.parameters.unknown or b.parameters.unknown
    return Parts(
        code=tied,
        environment=environment.environment,
        variables=recorded_variables(side(VARIABLES).environment),
        parameters=(environment if unknown else side(PARAMETERS)).parameters,
        data=(*items_of(side(MODEL), MODEL), *items_of(side(DATA), DATA)),
        predict=side(PREDICT),
    )
