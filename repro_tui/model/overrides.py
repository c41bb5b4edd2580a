"""What a call adds to the records that its references name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from repro_tui.model.record import LOCAL_KINDS
from repro_tui.model.request import SIDES, Side

# The options that one side may have of its own: the inputs and their truth are always the same for both.
ONE_SIDED = ("requirements", "lock", "conda", "project", "python", "as_of", "predict", "params")


@dataclass(frozen=True, slots=True)
class Overrides:
    """Options that a reference does not contain; they override the records of both sides.

    `a` and `b` are the options of one side, by the names of the fields of this class; they override those of both.
    `requirements`, `lock`, `conda` and `project` are paths in the commit's tree, or on this machine; `as_of` is a
    moment (RFC 3339) or a day.
    """

    inputs: str | None = None
    predict: str | None = None
    protocol: str | None = None
    params: str | None = None
    truth: str | None = None
    requirements: str | None = None
    lock: str | None = None
    conda: str | None = None
    project: str | None = None
    python: str | None = None
    as_of: str | None = None
    a: Mapping[str, str] = field(default_factory=dict)
    b: Mapping[str, str] = field(default_factory=dict)

    def for_side(self, side: Side) -> Overrides:
        """The options of one side. The environment that it names replaces one of another kind that both name."""
        own = self.a if side == "a" else self.b
        common: dict[str, None] = dict.fromkeys(LOCAL_KINDS if own.keys() & set(LOCAL_KINDS) else ())
        return replace(self, **common | dict(own), a={}, b={})

    def given(self) -> dict[str, str]:
        """The options that were given, by name; those of one side as `a.NAME`. `from_given` is the inverse."""
        names = [item.name for item in fields(self) if item.name not in SIDES]
        common = {name: value for name in names if (value := getattr(self, name)) is not None}
        return common | {f"{side}.{name}": value for side in SIDES for name, value in getattr(self, side).items()}

    @classmethod
    def from_given(cls, given: Mapping[str, str]) -> Overrides:
        """The options from what `given` returned."""
        common = {name: value for name, value in given.items() if "." not in name}
        sides = {
            side: {name.removeprefix(f"{side}."): value for name, value in given.items() if name.startswith(f"{side}.")}
            for side in SIDES
        }
        return cls(**common, **sides)  # type: ignore[arg-type]
