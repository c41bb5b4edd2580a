"""`wandb:PATH`: a W&B run, read from its folder (an offline run) or from its server (`entity/project/id`)."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from repro_tui.formats.freeze import MOST_NAMED, WANDB_PARTS, read_freeze
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Code, DataItem, Environment, Expected, Missing, Parameters, Record
from repro_tui.sources.recorded_repository import absence, local_repository, usable_remote
from repro_tui.sources.wandb.described import ArtifactDescription, RunDescription
from repro_tui.sources.wandb.offline import read_folder
from repro_tui.sources.wandb.online import read_run
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import is_inside
from repro_tui.support.text import plural, show

_RUN = re.compile(r"(?P<entity>[\w.-]{1,128})/(?P<project>[\w.-]{1,128})/(runs/)?(?P<id>[\w.-]{1,128})")
REQUIREMENTS = "requirements.txt"
NOT_DATA = ("code", "job", "run_table", "wandb-history")  # logged by W&B itself
NOT_FINITE = (None, "NaN", "Infinity", "-Infinity")  # what W&B writes for NaN and infinity, which JSON does not have


class WandbRun:
    """Reads a tracked run. Nothing of it is executed; to read a folder, W&B need not be installed."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record of `wandb:FOLDER` or `wandb:ENTITY/PROJECT/ID`. Raises Refused."""
        place = reference.removeprefix("wandb:")
        folder = _folder(place, context)
        if folder is not None:
            return _WandbReader(reference, read_folder(folder, reference), context).record()
        match = _RUN.fullmatch(place)
        if match is None:
            message = "is not a W&B run: expected the folder of an offline run, or entity/project/id"
            raise Refused(Mistake(show(reference, 200), message))
        try:
            run = read_run(f"{match['entity']}/{match['project']}/{match['id']}", context)
        except Inconclusive as error:
            raise Refused(Mistake(show(reference, 200), str(error))) from error
        return _WandbReader(reference, run, context).record()


def _folder(place: str, context: Context) -> Path | None:
    """The folder of the run (its log file may be named instead); None where the place is not one."""
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
    """Builds the record of a run. `base` is the folder of the files that the record names ("" where it names none)."""

    reference: str
    run: RunDescription
    context: Context
    base: str = ""
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)

    def record(self) -> Record:
        run = self.run
        self.warnings += run.warnings
        self.provenance["description"] = run.where
        code = self._code()
        bundled = self._bundled_files(code is None)
        self.base = str(self._bundle(bundled)) if bundled else ""
        self._note_never_recorded()
        return Record(
            name=show(run.name or run.path.rpartition("/")[2], 80),
            reference=self.reference,
            base=self.base,
            description=f"run {show(run.path, 120)}",
            code=code,
            environment=self._environment(bundled),
            parameters=self._parameters(),
            data=tuple(self._data(bundled)),
            expected=Expected(metrics=self._metrics()),
            provenance=self.provenance,
            missing=tuple(self.missing),
            warnings=tuple(self.warnings),
        )

    def _note_missing(self, field: str, why: str, do: str) -> None:
        self.missing.append(Missing(field, why, do))

    def _note_never_recorded(self) -> None:
        program = f" ({show(Path(self.run.program).name, 80)})" if self.run.program else ""
        why = f"W&B records the training program{program}, but no predict step"
        self._note_missing("predict", why, "pass --predict COMMAND, or record predict.command")
        self._note_missing("validation.inputs", "W&B does not record validation inputs", "pass --inputs FILE")

    # -- code ---------------------------------------------------------------------------------------------------

    def _code(self) -> Code | None:
        run = self.run
        if grammar.commit(run.commit):
            why = "the run was not started in a git repository that has a commit"
            self._note_missing("code.commit", why, "commit before training: W&B then records the commit")
            return None
        repository = self._repository()
        if not repository:
            why = f"the run has the commit {run.commit}, but W&B recorded no remote that git can use"
            self._note_missing("code.repository", why, "run git remote add origin URL before training")
            return None
        self.provenance["code.commit"] = f"{run.where}, git commit"
        return Code(repository, run.commit, dirty=self._dirty())

    def _repository(self) -> str:
        """The git remote without its password, or else the repository on this machine that the run was started in."""
        if remote := usable_remote(self.run.remote):
            self.provenance["code.repository"] = f"{self.run.where}, git remote"
            self.warnings += filter(None, [absence(remote)])
            return remote
        repository = local_repository(self.run.root)
        if repository is None:
            return ""
        self.provenance["code.repository"] = f"{self.run.where}, root"
        self.warnings.append(
            f"W&B recorded no git remote: the repository that the run was started in, {repository}, is used"
        )
        return str(repository)

    def _dirty(self) -> bool | None:
        patch = self.run.patch
        if patch is None:
            why = "W&B wrote no diff.patch, but that does not prove that the tree was clean"
            self._note_missing("code.dirty", why, "commit before training")
            return None
        self.provenance["code.dirty"] = f"{self.run.where}, diff.patch"
        files = re.findall(rb"^diff --git a/(.+?) b/", patch, re.MULTILINE)
        named = ", ".join(show(name.decode("utf-8", "replace"), 80) for name in files[:MOST_NAMED])
        why = f"diff.patch has uncommitted changes to {plural(len(files), 'file')} ({named})"
        self._note_missing("code.changes", why, "commit before training")
        return True

    # -- environment --------------------------------------------------------------------------------------------

    def _environment(self, bundled: dict[str, bytes]) -> Environment:
        image = self.run.docker
        if image and not grammar.image(image) and grammar.has_digest(image):
            self.provenance["environment.image"] = f"{self.run.where}, docker"
            return Environment(image=image)
        if image:
            self.warnings.append(
                f"the run was in the image {show(image, 200)}, which has no digest: "
                "the recorded packages are used instead"
            )
        if REQUIREMENTS not in bundled:
            self._note_missing(
                "environment", "the run has no requirements.txt", "do not disable W&B's metadata collection"
            )
            return Environment()
        self.provenance["environment.requirements"] = f"{self.run.where}, requirements.txt (a freeze)"
        return Environment(requirements=f"file:{REQUIREMENTS}", python=self._python(), as_of=self._as_of())

    def _python(self) -> str | None:
        match = re.search(r"\b(3\.\d+)(\.\d+)?", self.run.python)
        if match is None:
            self._note_missing(
                "environment.python", "the run does not record its version of Python", "use wandb 0.19 or later"
            )
            return None
        self.provenance["environment.python"] = f"{self.run.where}, python ({show(self.run.python, 40)})"
        return match[1]

    def _as_of(self) -> str | None:
        if not self.run.started:
            return None
        self.provenance["environment.as_of"] = f"{self.run.where}, its start time"
        try:
            return f"{datetime.fromtimestamp(self.run.started + 1, UTC):%Y-%m-%dT%H:%M:%SZ}"
        except (ValueError, OverflowError, OSError):
            return None

    # -- parameters and metrics ---------------------------------------------------------------------------------

    def _parameters(self) -> Parameters:
        values = {name: value for name, value in self.run.config.items() if name != "_wandb"}
        if values:
            self.provenance["parameters.values"] = f"{self.run.where}, config"
        return Parameters(values=values)

    def _metrics(self) -> dict[str, float]:
        if self.run.incomplete:
            self._note_missing(
                "expected.metrics",
                f"{self.run.incomplete}, so its last metrics are unknown",
                "audit a finished run, or copy its folder again if its log is damaged",
            )
            return {}
        metrics = {}
        for name, value in _numbers(self.run.summary):
            if math.isfinite(value):
                metrics[name] = value
            else:
                self._note_missing(
                    f"expected.metrics.{show(name, 80)}", "it was not a finite number", "log a finite number"
                )
        if metrics:
            self.provenance["expected.metrics"] = f"{self.run.where}, summary"
        return metrics

    # -- data ---------------------------------------------------------------------------------------------------

    def _data(self, bundled: dict[str, bytes]) -> Iterator[DataItem]:
        count = 0
        for artifact in self.run.artifacts:
            if artifact.type in NOT_DATA:
                continue
            if reason := _unusable(artifact):
                self._note_missing(
                    f"data.{show(artifact.name, 80)}", reason, "record the file itself, by its URL and sha256"
                )
                continue
            self.provenance[f"data.{count}"] = f"{self.run.where}, artifact {artifact.name}"
            count += 1
            yield DataItem(f"artifacts/{artifact.name}", artifact.source, md5=artifact.digest)
        if not count:
            self._note_no_artifact()
        for name in bundled:
            if name.startswith("code/"):
                self.provenance[f"data.{count}"] = f"{self.run.where}, files/{show(name, 200)}"
                count += 1
                yield DataItem(
                    name.removeprefix("code/"), f"file:{name}", sha256=hashlib.sha256(bundled[name]).hexdigest()
                )

    def _note_no_artifact(self) -> None:
        """Of a run that was not read to its end, it is not known whether it logged an artifact."""
        if reason := self.run.incomplete:
            why = f"{reason}, and no artifact is recorded before that: whether one was logged later is unknown"
            self._note_missing("data", why, "copy the run's folder again, or audit the run from its server")
            return
        why = "the run neither logged nor used an artifact"
        self._note_missing("data", why, "call run.log_artifact(...), or record data")

    # -- the files that the record names ------------------------------------------------------------------------

    def _bundled_files(self, without_commit: bool) -> dict[str, bytes]:
        """The files that the record names: the freeze and, if no commit was recorded, the code that W&B saved."""
        bundled = {}
        if self.run.requirements is not None:
            bundled[REQUIREMENTS] = self._freeze(self.run.requirements.decode("utf-8", "replace"))
        if without_commit:
            bundled |= {f"code/{name}": raw for name, raw in self.run.code.items() if is_inside(name)}
        return bundled

    def _freeze(self, text: str) -> bytes:
        """The lines of the freeze that a package index can provide; what became of the others is noted."""
        freeze = read_freeze(text, WANDB_PARTS)
        self.warnings += freeze.warnings()
        if freeze.gap:
            self._note_missing(
                "environment.packages", freeze.gap, "publish the package to an index, or record an image"
            )
        return freeze.content

    def _bundle(self, bundled: dict[str, bytes]) -> Path:
        def build(folder: Path) -> None:
            for name, raw in bundled.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(raw)

        key = digest_text(*(part for name, raw in bundled.items() for part in (name, raw.hex())))
        return self.context.cache.folder("wandb", key, build, self.context.cancel)[0]


def _unusable(artifact: ArtifactDescription) -> str:
    """Why an artifact cannot be fetched and checked; "" where it can be."""
    if not artifact.md5:
        return "the artifact's digests are not md5, and cannot be checked"
    if not re.fullmatch(r"[\w-][\w.-]{0,199}", artifact.name) or not re.fullmatch(r"[0-9a-f]{32}", artifact.digest):
        return "the artifact's name or digest does not have the form that W&B writes"
    return ""


def _numbers(values: Mapping[str, object], prefix: str = "", depth: int = 8) -> Iterator[tuple[str, float]]:
    """The numbers of a summary by their dotted names, without those that W&B adds itself (`_runtime`)."""
    for name, value in values.items():
        if name.startswith("_") or isinstance(value, bool):
            continue
        if isinstance(value, dict) and depth:
            yield from _numbers(value, f"{prefix}{name}.", depth - 1)
        elif isinstance(value, int | float) or (isinstance(value, str | None) and value in NOT_FINITE):
            yield f"{prefix}{name}", _float(value)


def _float(value: str | float | None) -> float:
    try:
        return math.nan if value is None else float(value)
    except OverflowError:  # an integer of hundreds of digits
        return math.inf
