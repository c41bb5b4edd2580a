"""The request for an audit, as it is stored in audit.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from repro_tui.model.gate import AcceptedChange
from repro_tui.model.record import Record
from repro_tui.model.run import Limits

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")
RunnerName = str
MEMORY_LIMIT = 2 << 30
IsolationChoice = Literal["auto", "container", "bubblewrap", "namespace", "none"]
NetworkChoice = Literal["none", "host"]
BuildNetworkChoice = Literal["default", "none"]
AreaWord = Literal["code", "environment", "parameters", "data", "predictions", "any", "none"]
AREA_WORDS: tuple[AreaWord, ...] = get_args(AreaWord)
LEAST_MEMORY_LIMIT = 512 << 20


@dataclass(frozen=True, slots=True)
class Tolerance:
    """An absolute and a relative tolerance; None means the default of the column's type."""

    atol: float | None = None
    rtol: float | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run and compare: the options of the command line, which override the record's.

    `user` is the user of a container's step ("auto": chosen by what the image's files allow), `build_network` the
    network of a Dockerfile's build steps. `memory_limit` is the memory of the comparison of predictions, in bytes; what
    does not fit goes to disk. `no_build`: packages without a wheel, and projects of a commit, are not built.
    `raw_logs` keeps the output of each run with its control characters, in a file of its own beside its log.
    `stress`: after the plain runs, conditions that should not matter are varied one at a time, on each side.
    `explain` looks for the cause of a drift, with at most `explain_runs` predict runs and `explain_seconds` (None: no
    limit); `explain_masked` looks for differences that cancel each other out if there is no drift.
    """

    repeat: int | None = None
    stress: bool = False
    tolerance: Tolerance = field(default_factory=Tolerance)
    column_tolerances: dict[str, Tolerance] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    all_findings: bool = False
    runner: RunnerName = "auto"
    isolation: IsolationChoice = "auto"
    network: NetworkChoice = "none"
    no_build: bool = False
    raw_logs: bool = False
    user: str = "auto"
    build_network: BuildNetworkChoice = "default"
    limits: Limits = field(default_factory=Limits)
    seed: int = 0
    memory_limit: int = MEMORY_LIMIT
    explain: bool = False
    explain_runs: int | None = None
    explain_seconds: float | None = None
    explain_masked: bool = False
    fail_on: tuple[str, ...] = ("predictions",)


@dataclass(frozen=True, slots=True)
class GateSettings:
    """The settings in `[gate]` of a policy file; None: it says nothing about this one."""

    fail_on: tuple[str, ...] | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    column_tolerances: dict[str, Tolerance] = field(default_factory=dict)
    explain: bool | None = None
    explain_runs: int | None = None
    explain_seconds: float | None = None
    repeat: int | None = None
    isolation: IsolationChoice | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What a policy file says of every audit of its project: its settings and the accepted changes.

    `file` is its absolute path ("": there is none).
    """

    file: str = ""
    gate: GateSettings = field(default_factory=GateSettings)
    accepted: tuple[AcceptedChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One audit as requested, complete: the engine needs nothing else.

    `here` is the folder that the references were given in, and `overrides` are the options that overrode the records:
    with both, the audit can be planned again. `verify`: A is the recorded output of B, and is not run. `given` are the
    names of the settings that the user gave, over those of the policy file. `policy_file` is that file ("": none),
    `accepted` its accepted changes, and `baseline` the folder or report that this audit is measured by ("": none).
    """

    id: str
    a: Record
    b: Record
    settings: Settings = field(default_factory=Settings)
    started: str = ""
    version: str = ""
    here: str = ""
    overrides: dict[str, str] = field(default_factory=dict)
    verify: bool = False
    given: tuple[str, ...] = ()
    policy_file: str = ""
    accepted: tuple[AcceptedChange, ...] = ()
    baseline: str = ""
