"""`wandb:PATH`: a W&B run, from its folder (an offline run) or from its server (`entity/project/id`)."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Code, DataItem, Environment, Expected, Missing, Parameters, Record
from repro_tui.sources.git import find_repository
from repro_tui.sources.wandb.described import ArtifactDescription, RunDescription
from repro_tui.sources.wandb.offline import read_folder
from repro_tui.sources.wandb.online import read_run
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import is_inside
from repro_tui.support.redact import strip_url, strip_urls
from repro_tui.support.text import plural, show

_RUN = re.compile(r"(?P<entity>[\w.-]{1,128})/(?P<project>[\w.-]{1,128})/(runs/)?(?P<id>[\w.-]{1,128})")
REQUIREMENTS = "requirements.txt"
NOT_DATA = ("code", "job", "run_table", "wandb-history")  # what W&B logs of its own accord
NO_NUMBERS = (None, "NaN", "Infinity", "-Infinity")  # what W&B writes for numbers that JSON has not
MOST_NAMED = 5


class WandbRun:
    """Reads a tracked run; nothing of it is executed, and for a run's folder W&B need not be installed."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of a run. Raises Refused."""
        place = reference.removeprefix("wandb:")
        folder = _folder(place, context)
        if folder is not None:
            return _WandbReader(reference, read_folder(folder, reference), context).record()
        found = _RUN.fullmatch(place)
        if found is None:
            words = "is not a run of W&B: expected the folder of an offline run, or entity/project/id"
            raise Refused(Mistake(show(reference, 200), words))
        try:
            told = read_run(f"{found['entity']}/{found['project']}/{found['id']}", context)
        except Inconclusive as error:
            raise Refused(Mistake(show(reference, 200), str(error))) from error
        return _WandbReader(reference, told, context).record()


def _folder(place: str, context: Context) -> Path | None:
    """The run's folder; the log in it may be named as well."""
    if not place or "\0" in place:
        return None
    path = context.here / place
    try:
        if path.is_file() and path.suffix == ".wandb":
            return path.parent
        return path if path.is_dir() else None
    except OSError:
        return None


@dataclass(slots=True)
class _WandbReader:
    reference: str
    told: RunDescription
    context: Context
    base: str = ""
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)

    def record(self) -> Record:
        told = self.told
        self.warnings += told.warnings
        self.provenance["description"] = told.where
        code = self._code()
        kept = self._kept(code is None)
        self.base = str(self._bundle(kept)) if kept else ""
        self._never_recorded()
        return Record(
            name=show(told.name or told.path.rpartition("/")[2], 80),
            reference=self.reference,
            base=self.base,
            description=f"run {show(told.path, 120)}",
            code=code,
            environment=self._environment(kept),
            parameters=self._parameters(),
            data=tuple(self._data(kept)),
            expected=Expected(metrics=self._metrics()),
            provenance=self.provenance,
            missing=tuple(self.missing),
            warnings=tuple(self.warnings),
        )

    def _lacks(self, field: str, why: str, do: str) -> None:
        self.missing.append(Missing(field, why, do))

    def _never_recorded(self) -> None:
        program = f" ({show(Path(self.told.program).name, 80)})" if self.told.program else ""
        why = f"W&B records the program that was run{program}, which trains, and no step that predicts"
        self._lacks("predict", why, "give --predict COMMAND, or record predict.command")
        self._lacks("validation.inputs", "W&B records no validation inputs", "give --inputs FILE")

    # -- code ---------------------------------------------------------------------------------------------------

    def _code(self) -> Code | None:
        told = self.told
        if grammar.commit(told.commit):
            why = "the run was not in a git repository with a commit"
            self._lacks("code.commit", why, "commit before training: W&B then records the commit")
            return None
        repository = self._repository()
        if not repository:
            why = f"the run is of commit {told.commit}, and W&B recorded no remote that git can use"
            self._lacks("code.repository", why, "git remote add origin URL before training")
            return None
        self.provenance["code.commit"] = f"{told.where}, git commit"
        return Code(repository, told.commit, dirty=self._dirty())

    def _repository(self) -> str:
        """The remote without its password, else the folder of the run where it is a repository on this machine."""
        remote, root = self.told.remote, self.told.root
        if remote and not grammar.repository(remote):
            self.provenance["code.repository"] = f"{self.told.where}, git remote"
            return strip_url(remote) if "://" in remote else remote
        found = find_repository(Path(root)) if root and Path(root).is_absolute() and Path(root).is_dir() else None
        if found is None:
            return ""
        self.provenance["code.repository"] = f"{self.told.where}, root"
        self.warnings.append(f"W&B recorded no git remote: the repository is taken from the run's folder {found}")
        return str(found)

    def _dirty(self) -> bool | None:
        patch = self.told.patch
        if patch is None:
            why = "W&B wrote no diff.patch, which does not prove that the tree was clean"
            self._lacks("code.dirty", why, "commit before training")
            return None
        self.provenance["code.dirty"] = f"{self.told.where}, diff.patch"
        files = re.findall(rb"^diff --git a/(.+?) b/", patch, re.MULTILINE)
        named = ", ".join(show(name.decode("utf-8", "replace"), 80) for name in files[:MOST_NAMED])
        why = f"the commit does not have what diff.patch changes: {plural(len(files), 'file')} ({named})"
        self._lacks("code.changes", why, "commit before training")
        return True

    # -- environment --------------------------------------------------------------------------------------------

    def _environment(self, kept: dict[str, bytes]) -> Environment:
        image = self.told.docker
        if image and not grammar.image(image) and grammar.has_digest(image):
            self.provenance["environment.image"] = f"{self.told.where}, docker"
            return Environment(image=image)
        if image:
            self.warnings.append(
                f"the run was in the image {show(image, 200)}, which is not named by its digest: its packages are taken"
            )
        if REQUIREMENTS not in kept:
            self._lacks("environment", "the run has no requirements.txt", "wandb.init() without disabling its metadata")
            return Environment()
        self.provenance["environment.requirements"] = f"{self.told.where}, requirements.txt (a freeze)"
        return Environment(requirements=f"file:{REQUIREMENTS}", python=self._python(), as_of=self._as_of())

    def _python(self) -> str | None:
        found = re.search(r"\b(3\.\d+)(\.\d+)?", self.told.python)
        if found is None:
            self._lacks("environment.python", "the run has no version of Python", "use wandb 0.19 or later")
            return None
        self.provenance["environment.python"] = f"{self.told.where}, python ({show(self.told.python, 40)})"
        return found[1]

    def _as_of(self) -> str | None:
        if not self.told.started:
            return None
        self.provenance["environment.as_of"] = f"{self.told.where}, its start"
        try:
            return f"{datetime.fromtimestamp(self.told.started + 1, UTC):%Y-%m-%dT%H:%M:%SZ}"
        except (ValueError, OverflowError, OSError):
            return None

    # -- parameters and metrics ---------------------------------------------------------------------------------

    def _parameters(self) -> Parameters:
        values = {name: value for name, value in self.told.config.items() if name != "_wandb"}
        if values:
            self.provenance["parameters.values"] = f"{self.told.where}, config"
        return Parameters(values=values)

    def _metrics(self) -> dict[str, float]:
        if self.told.incomplete:
            self._lacks("expected.metrics", f"{self.told.incomplete}, so its last metrics are not known", "finish it")
            return {}
        metrics = {}
        for name, value in _numbers(self.told.summary):
            if math.isfinite(value):
                metrics[name] = value
            else:
                self._lacks(f"expected.metrics.{show(name, 80)}", "it was not a finite number", "log a number")
        if metrics:
            self.provenance["expected.metrics"] = f"{self.told.where}, summary"
        return metrics

    # -- data ---------------------------------------------------------------------------------------------------

    def _data(self, kept: dict[str, bytes]) -> Iterator[DataItem]:
        count = 0
        for found in self.told.artifacts:
            if found.type in NOT_DATA:
                continue
            if why := _unusable(found):
                self._lacks(f"data.{show(found.name, 80)}", why, "record the file itself, by its URL and sha256")
                continue
            self.provenance[f"data.{count}"] = f"{self.told.where}, artifact {found.name}"
            count += 1
            yield DataItem(f"artifacts/{found.name}", found.source, md5=found.digest)
        if not count:
            self._lacks("data", "the run logged and used no artifact", "run.log_artifact(...), or record data")
        for name in kept:
            if name.startswith("code/"):
                self.provenance[f"data.{count}"] = f"{self.told.where}, files/{show(name, 200)}"
                count += 1
                yield DataItem(
                    name.removeprefix("code/"), f"file:{name}", sha256=hashlib.sha256(kept[name]).hexdigest()
                )

    # -- the files that the record names ------------------------------------------------------------------------

    def _kept(self, without_commit: bool) -> dict[str, bytes]:
        """The freeze and, where no commit was recorded, the program that W&B saved."""
        kept = {}
        if self.told.requirements is not None:
            kept[REQUIREMENTS] = self._freeze(self.told.requirements.decode("utf-8", "replace"))
        if without_commit:
            kept |= {f"code/{name}": raw for name, raw in self.told.code.items() if is_inside(name)}
        return kept

    def _freeze(self, text: str) -> bytes:
        """The packages of the freeze that an index can have; the others are told."""
        lines: dict[str, str] = {}
        left_out = []
        for line in filter(None, map(str.strip, text.splitlines())):
            name = _package(line)
            if name is None:
                left_out.append(line)
            elif name:
                lines.setdefault(name, line)
        if left_out:
            named = ", ".join(show(strip_urls(line), 100) for line in left_out[:MOST_NAMED])
            why = f"{plural(len(left_out), 'line')} of the freeze cannot come from an index, and are left out: {named}"
            self._lacks("environment.packages", why, "publish it to an index, or record an image")
        return "".join(f"{line}\n" for line in lines.values()).encode()

    def _bundle(self, kept: dict[str, bytes]) -> Path:
        def build(folder: Path) -> None:
            for name, raw in kept.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(raw)

        key = digest_text(*(part for name, raw in kept.items() for part in (name, raw.hex())))
        return self.context.cache.folder("wandb", key, build, self.context.cancel)[0]


def _unusable(found: ArtifactDescription) -> str:
    """Why an artifact cannot be fetched and checked; "" where it can be."""
    if not found.md5:
        return "the artifact's digests are not md5, and cannot be checked here"
    if not re.fullmatch(r"[\w-][\w.-]{0,199}", found.name) or not re.fullmatch(r"[0-9a-f]{32}", found.digest):
        return "the artifact's name or digest is not one of W&B's"
    return ""


def _package(line: str) -> str | None:
    """The package that a line of a freeze pins; "" for a comment, None where it is not one that an index has."""
    if line.startswith("#"):
        return ""
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None
    pinned = [item.operator for item in requirement.specifier] in (["=="], ["==="])
    return None if requirement.url or not pinned else canonicalize_name(requirement.name)


def _numbers(values: dict[str, Any], prefix: str = "", depth: int = 8) -> Iterator[tuple[str, float]]:
    """The numbers of a summary by their dotted names, without those that W&B writes of its own accord."""
    for name, value in values.items():
        if name.startswith("_") or isinstance(value, bool):
            continue
        if isinstance(value, dict) and depth:
            yield from _numbers(value, f"{prefix}{name}.", depth - 1)
        elif isinstance(value, int | float) or (isinstance(value, str | None) and value in NO_NUMBERS):
            yield f"{prefix}{name}", _float(value)


def _float(value: Any) -> float:
    try:
        return math.nan if value is None else float(value)
    except OverflowError:  # an integer of hundreds of digits
        return math.inf
