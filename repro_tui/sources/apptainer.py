"""`sif:FILE`: an Apptainer or Singularity image, read from its labels and its definition."""

from __future__ import annotations

from pathlib import Path

from repro_tui.formats.sif import Sif, read_sif
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.record import Code, Environment, Missing, Record
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.paths import real_path
from repro_tui.support.redact import strip_url, strip_urls
from repro_tui.support.text import quote, show

SOURCE, REVISION = "org.opencontainers.image.source", "org.opencontainers.image.revision"
DESCRIPTION = "org.opencontainers.image.description"
LABEL_IT = f"set {SOURCE} and {REVISION} as labels of the base image, or under %labels in the definition"
_NOT_HELD = (
    ("code.dirty", "labels do not record whether the tree had uncommitted changes", "build from a clean checkout"),
    ("parameters", "an image does not record parameters", "write a record file next to it, with [parameters]"),
    ("data", "an image does not record which of its files are data", "write a record file next to it, with [[data]]"),
    ("predict", "an image has a start command but no predict step", "pass --predict, or record predict.command"),
    ("validation.inputs", "an image has no validation inputs", "pass --inputs, or record validation.inputs"),
    ("expected", "an image does not include recorded outputs", "record expected.predictions and expected.metrics"),
)


class SifFile:
    """Reads the record of a SIF image from the file alone; neither Apptainer nor anything in the image is executed."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record of `sif:FILE`; FILE is relative to the current folder. Raises Refused."""
        place = show(reference, 200)
        path = _file(reference, place, context.here)
        sif = read_sif(path, place)
        provenance = {"environment.sif": f"the file {path}"}
        code, missing = _code(sif, provenance)
        return Record(
            name=show(path.stem, 80),
            reference=reference,
            base=str(path.parent),
            description=_description(sif, provenance),
            code=code,
            environment=Environment(sif=path.name),
            provenance=provenance,
            missing=(*missing, *(Missing(*item) for item in _NOT_HELD)),
            warnings=() if sif.file_system == "squashfs" else (_unreadable_contents(path.name, sif.file_system),),
        )


def _unreadable_contents(name: str, file_system: str) -> str:
    return f"{show(name, 120)} contains an {file_system}, whose packages and files cannot be listed"


def _file(reference: str, place: str, here: Path) -> Path:
    file_name = reference.removeprefix("sif:")
    if not file_name or "\0" in file_name:
        raise Refused(Mistake(place, "does not name a file: expected sif:FILE"))
    try:
        path = real_path(here / Path(file_name).expanduser())
        if path.is_file():
            return path
    except (OSError, RuntimeError) as error:
        raise Refused(Mistake(place, f"is not a valid path: {show(str(error), 200)}")) from error
    raise Refused(Mistake(place, f"the file {show(str(path), 500)} does not exist"))


def _code(sif: Sif, provenance: dict[str, str]) -> tuple[Code | None, list[Missing]]:
    """The commit named by the labels. What runs is the copy of the code inside the image."""
    repository, commit = sif.labels.get(SOURCE, "").strip(), sif.labels.get(REVISION, "").strip()
    problem = _label_problem(sif, repository, commit)
    if problem:
        return None, [Missing("code", problem, LABEL_IT)]
    provenance |= {"code.repository": f"sif: label {SOURCE}", "code.commit": f"sif: label {REVISION}"}
    return Code(strip_url(repository), commit, in_image=True), []


def _label_problem(sif: Sif, repository: str, commit: str) -> str:
    """Why the labels do not identify a commit; "" where they do."""
    if not sif.described:
        return "the image has no labels: the version of Apptainer or Singularity that built it did not write any"
    absent = [name for name, value in ((SOURCE, repository), (REVISION, commit)) if not value]
    if absent:
        return f"the image has no label {' and no label '.join(absent)}"
    if problem := grammar.commit(commit):
        return f"the label {REVISION}, {quote(commit, 80)}, {problem}"
    if problem := grammar.repository(repository):
        return f"the label {SOURCE} {problem}"
    return "" if grammar.is_remote(repository) else f"the label {SOURCE} is not the URL of a repository"


def _description(sif: Sif, provenance: dict[str, str]) -> str:
    if label := sif.labels.get(DESCRIPTION, ""):
        provenance["description"] = f"sif: label {DESCRIPTION}"
        return show(label, 300)
    if origin := sif.made_from():
        provenance["description"] = "sif: the definition's bootstrap and from"
        return f"made from {show(strip_urls(origin), 200)}"
    return ""
