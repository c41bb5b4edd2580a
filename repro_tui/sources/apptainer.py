"""`sif:FILE`: an Apptainer or Singularity image, by the labels and the definition that it carries."""

from __future__ import annotations

from pathlib import Path

from repro_tui.formats.sif import Sif, read_sif
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.record import Code, Environment, Missing, Record
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.redact import strip_url, strip_urls
from repro_tui.support.text import show

SOURCE, REVISION = "org.opencontainers.image.source", "org.opencontainers.image.revision"
DESCRIPTION = "org.opencontainers.image.description"
LABEL_IT = f"label the image that it is made from with {SOURCE} and {REVISION}, or set them in %labels"
_NOT_HELD = (
    ("code.dirty", "labels do not say whether the tree had uncommitted changes", "build from a clean checkout"),
    ("parameters", "an image has no place for parameters", "write a record file beside it, with parameters"),
    ("data", "an image does not say which of its files are data", "write a record file beside it, with data"),
    ("predict", "an image has a start command, but no predict step", "give --predict, or record predict.command"),
    ("validation.inputs", "an image has no validation inputs", "give --inputs, or record validation.inputs"),
    ("expected", "an image has no outputs of its own", "record expected.predictions and expected.metrics"),
)


class SifFile:
    """Reads the record of a SIF image from the file alone; Apptainer is not asked, and nothing of it is executed."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of `sif:FILE`, with FILE relative to where the user stands. Raises Refused."""
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
            warnings=() if sif.file_system == "squashfs" else (f"{path.name} holds an {sif.file_system}",),
        )


def _file(reference: str, place: str, here: Path) -> Path:
    name = reference.removeprefix("sif:")
    if not name or "\0" in name:
        raise Refused(Mistake(place, "names no file: expected sif:FILE"))
    try:
        path = (here / Path(name).expanduser()).resolve()
        if path.is_file():
            return path
    except (OSError, RuntimeError) as error:
        raise Refused(Mistake(place, f"is no path of a file: {show(str(error), 200)}")) from error
    raise Refused(Mistake(place, f"there is no file {show(str(path), 500)}"))


def _code(sif: Sif, provenance: dict[str, str]) -> tuple[Code | None, list[Missing]]:
    """The commit that the labels name; the image's own copy of it is what runs."""
    repository, commit = sif.labels.get(SOURCE, "").strip(), sif.labels.get(REVISION, "").strip()
    wrong = _wrong(sif, repository, commit)
    if wrong:
        return None, [Missing("code", wrong, LABEL_IT)]
    provenance |= {"code.repository": f"sif: label {SOURCE}", "code.commit": f"sif: label {REVISION}"}
    return Code(strip_url(repository), commit, in_image=True), []


def _wrong(sif: Sif, repository: str, commit: str) -> str:
    if not sif.described:
        return "the image has no labels: it was made by an Apptainer or Singularity that did not write them"
    absent = [name for name, value in ((SOURCE, repository), (REVISION, commit)) if not value]
    if absent:
        return f"the image has no label {' and no label '.join(absent)}"
    if problem := grammar.commit(commit):
        return f"the label {REVISION}, {show(commit, 80)!r}, {problem}"
    if problem := grammar.repository(repository):
        return f"the label {SOURCE} {problem}"
    return "" if grammar.is_remote(repository) else f"the label {SOURCE} is no URL of a repository"


def _description(sif: Sif, provenance: dict[str, str]) -> str:
    if told := sif.labels.get(DESCRIPTION, ""):
        provenance["description"] = f"sif: label {DESCRIPTION}"
        return show(told, 300)
    if origin := sif.made_from():
        provenance["description"] = "sif: the definition's bootstrap and from"
        return f"made from {show(strip_urls(origin), 200)}"
    return ""
