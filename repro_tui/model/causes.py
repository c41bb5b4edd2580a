"""The causes of a change in the predictions, as in the report under `causes`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

# The factors as sentences name them; the keys are the names in a report.
FACTOR_NAMES = {
    "code": "the code",
    "environment": "the environment",
    "environment.packages": "the Python packages",
    "environment.system": "the system layer",
    "parameters": "the parameters",
    "model": "the model",
    "data": "the data",
    "variables": "the environment variables",
    "predict": "the predict step",
}
PLURAL_FACTORS = frozenset({"parameters", "environment.packages", "variables"})
_MODEL_SUFFIXES = frozenset(
    ".joblib .pkl .pickle .onnx .pt .pth .safetensors .h5 .keras .pb .tflite .bst .ubj .cbm .gguf .skops".split()
)


@dataclass(frozen=True, slots=True)
class Interaction:
    """The part of the change that these factors cause only together: `dividend` is a share of the whole (1.0)."""

    factors: tuple[str, ...]
    dividend: float


@dataclass(frozen=True, slots=True)
class Culprit:
    """One cause inside a factor: a package, a parameter, a commit or a file.

    `a` and `b` are its values on each side (None: absent); `sufficient` says whether it alone, of everything inside its
    factor, causes the change; `alone` whether reverting it, and nothing else, restores A. `cleared` is how many others
    differ inside its factor that do nothing together: with it alone every row is as in B, and without it as in A. None
    of these was tried by itself, and several of them may cancel each other out.
    """

    factor: str
    path: tuple[str, ...]
    a: Any = None
    b: Any = None
    sufficient: bool = False
    alone: bool = False
    cleared: int = 0


@dataclass(frozen=True, slots=True)
class Hybrid:
    """A hybrid of whole factors that was run: which factors it takes from B, and its result.

    `score` is the part of the change that it reproduces; `rows_as_b` the share of the rows that moved between A and B
    whose value equals B's within the tolerances (None: not counted, since runs of one deployment differ); `outputs`
    whether it counts as `A`, as `B`, or as `neither`; it may count as one with up to 1 % of the change left. `exact`:
    each of its rows is as in A, or each as in B, within the tolerances.
    """

    from_b: tuple[str, ...]
    score: float
    rows_as_b: float | None = None
    outputs: str = "neither"
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A hybrid that could not be built, run or compared: which factors it takes from B, and why it failed."""

    from_b: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Causes:
    """The result of `--explain`: the factors, their interactions, and the culprits inside them.

    `factors` are those in which the sides differ; `shares` their Shapley shares of the change, which add up to 1.0;
    `smallest` is the smallest set of factors that reproduces B; `restores` are the sets that restore A when they are
    reverted in B; `hybrids` the hybrids of whole factors that were run. `separable` is False if culprits could not be
    distinguished; `runs` counts the predict runs that were needed, `cached` those reused from an earlier search.
    `note` says why there is no result, if there is none. `sentences` are the whole answer; `remarks` are those of them
    that no other field holds: with which commit or release an effect came, what else causes the change, what could not
    be tried, and why. `noise` is the part of the change below which no effect can be distinguished from noise (0: runs
    of one side do not differ).
    """

    factors: tuple[str, ...] = ()
    smallest: tuple[str, ...] = ()
    shares: dict[str, float] = field(default_factory=dict)
    interactions: tuple[Interaction, ...] = ()
    restores: tuple[tuple[str, ...], ...] = ()
    culprits: tuple[Culprit, ...] = ()
    hybrids: tuple[Hybrid, ...] = ()
    separable: bool = True
    runs: int = 0
    cached: int = 0
    unresolved: tuple[Unresolved, ...] = ()
    budget_spent: bool = False
    sentences: tuple[str, ...] = ()
    note: str = ""
    remarks: tuple[str, ...] = ()
    noise: float = 0.0


def names_a_model(path: str, files: Iterable[str] = ()) -> bool:
    """Whether a data item is a trained model: "model" is in its path, or a file has the extension of a model."""
    names = [PurePosixPath(path), *map(PurePosixPath, files)]
    return "model" in path.lower() or any(name.suffix.lower() in _MODEL_SUFFIXES for name in names)


def no_causes(note: str) -> Causes:
    """The result if no cause can be determined, with the reason."""
    return Causes(note=note, sentences=(f"{note[0].upper()}{note[1:]}.",))
