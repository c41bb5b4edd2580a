"""`record`: writes a reference as a record file that reads back as the same record, without secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlunsplit

from repro_tui.audit.redaction import learn_record
from repro_tui.clients.git.access import ways
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.overrides import Overrides
from repro_tui.model.record import DataItem, Missing, Record
from repro_tui.sources.companions import Companions, relocated
from repro_tui.sources.document import document_of
from repro_tui.sources.record_text import Remarks, missing_words, record_text
from repro_tui.sources.recordfile import ENDINGS
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.paths import real_path
from repro_tui.support.plain import write_atomically
from repro_tui.support.redact import Redactor, is_secret_value, strip_url, strip_urls
from repro_tui.support.text import plural, show
from repro_tui.support.urls import split_url

BY_HAND = "audit the URL itself, or add them by hand if nobody else can read the record"


@dataclass(frozen=True, slots=True)
class Written:
    """The record's text ("" if it was written to a file), and the messages about it, one line each."""

    text: str
    told: tuple[str, ...] = ()


def write_record(reference: str, output: str | None, force: bool, overrides: Overrides, context: Context) -> Written:
    """Writes the record of a reference to the file `output` (None: returns it as text).

    `force` allows overwriting; `overrides` are the options that override the record. Raises Refused before anything is
    written, and Inconclusive if the reference cannot be read.
    """
    target = (context.here / output).absolute() if output else None
    if target:
        check_target(target, force)
    record = _loaded(reference, overrides, context)
    folder = real_path(target.parent if target else context.here)
    companions = Companions(folder, f"{target.stem}.files" if target else "", context.cache.root)
    complete = _with_base_images(_with_model_hashes(_resolved(record), context), context)
    record = without_secrets(complete, context.redactor)
    record = relocated(record, companions)
    missing = (*record.missing, *companions.missing)
    remarks = Remarks(tuple(_clean(item, context.redactor) for item in missing), _provenance(record, context.redactor))
    text = record_text(document_of(record), target.suffix if target else ".toml", remarks, output or "the record")
    notes = [missing_words(item) for item in remarks.missing]
    notes += [show(context.redactor.scrub(strip_urls(warning)), 1000) for warning in record.warnings]
    if target is None:
        return Written(text, tuple(notes))
    companions.write()
    write_atomically(target, text.encode("utf-8"), mode=0o644)
    copied = f", {plural(len(companions.copies), 'file')} in {companions.name}" if companions.copies else ""
    return Written("", (*notes, f"wrote {show(output, 300)}{copied}"))


def check_target(target: Path, force: bool) -> None:
    """Raises Refused where a record cannot be written to this file, or would overwrite one."""
    from repro_tui.report.write import target_problem

    shown = show(str(target), 300)
    if target.suffix not in ENDINGS:
        raise Refused(Mistake("-o", f"{shown} has no known file extension: expected {', '.join(ENDINGS)}"))
    problem = target_problem(str(target))
    if problem:
        raise Refused(Mistake("-o", problem))
    for path in (target, target.parent / f"{target.stem}.files"):
        if (path.exists() or path.is_symlink()) and not force:
            raise Refused(Mistake("-o", f"{show(str(path), 300)} already exists: use --force to overwrite it"))


def _loaded(reference: str, overrides: Overrides, context: Context) -> Record:
    from repro_tui.sources.overlay import lay_over
    from repro_tui.sources.resolve import load_record

    given = overrides
    record = lay_over(load_record(reference, context), given, context)
    filled = {"validation.inputs"} if given.inputs else set()
    filled |= {"predict", "predict.command"} if given.predict or given.protocol else set()
    return replace(record, missing=tuple(item for item in record.missing if item.field not in filled))


# -- hashes that the source has not ---------------------------------------------------------------------------------


def _with_model_hashes(record: Record, context: Context) -> Record:
    """The record with the sha256 of each model of MLflow, which is fetched into the cache to be hashed.

    A model that cannot be fetched stays without a hash, and the record says why.
    """
    for number, item in enumerate(record.data):
        field = f"data.{number}.sha256"
        if item.source.startswith("mlflow:") and not (item.sha256 or item.md5):
            missing = tuple(gap for gap in record.missing if gap.field != field)
            try:
                hashed = replace(item, sha256=_fetched_hash(item, record, context))
            except Inconclusive as error:
                gap = Missing(field, error.what, error.do or "record it again where the model can be fetched")
                record = replace(record, missing=(*missing, gap))
                continue
            data = (*record.data[:number], hashed, *record.data[number + 1 :])
            origin = {field: "the model's files, hashed when this record was written"}
            record = replace(record, data=data, missing=missing, provenance=record.provenance | origin)
    return record


def _fetched_hash(item: DataItem, record: Record, context: Context) -> str:
    from repro_tui.rebuild.data import digest_of, rebuild_data

    fetched, _ = rebuild_data(replace(record, data=(item,)), None, context)
    return digest_of(fetched[0].files)


# -- moving names ---------------------------------------------------------------------------------------------------


def _resolved(record: Record) -> Record:
    """The record with its image named by content, since a tag can move.

    If the image cannot be resolved, the record lists it as missing, with the reason.
    """
    image = record.environment.image
    if image is None or grammar.has_digest(image):
        return record
    from repro_tui.clients.docker_engine import engine, find_image

    warnings = tuple(text for text in record.warnings if "named by a tag" not in text)
    try:
        with engine() as client:
            details = find_image(client, image)
        why = "is not on this machine"
    except Inconclusive as error:
        details, why = None, f"cannot be resolved: {error.what}"
    if details is None:
        reason = f"{show(image, 300)} is a tag, which can move, and the image {why}"
        gap = Missing("environment.image", reason, "pull the image and record again, or record it by its digest")
        return replace(record, missing=(*record.missing, gap), warnings=warnings)
    digests = details.get("RepoDigests") or []
    environment = replace(record.environment, image=digests[0] if digests else details["Id"])
    provenance = record.provenance | {"environment.image": f"the image that {show(image, 200)} named at the time"}
    return replace(record, environment=environment, provenance=provenance, warnings=warnings)


def _with_base_images(record: Record, context: Context) -> Record:
    """The record of a Dockerfile with what its base images are now; those that are not known are listed as missing."""
    environment, place = record.environment, "environment.base_images"
    if not environment.dockerfile or environment.base_images or record.code is None:
        return record
    from repro_tui.clients.docker_engine import engine
    from repro_tui.rebuild.code import rebuild_code
    from repro_tui.rebuild.environments.dockerfile import current_bases

    try:
        code, _ = rebuild_code(record, context)
        if code is None:
            return record
        with engine(context.settings.limits.stall_time) as client:
            contents, unresolved = current_bases(client, code, environment)
    except Inconclusive as error:
        contents, unresolved = {}, {"": f"the base images of the Dockerfile were not resolved: {error.what}"}
    do = "pull them and record again, or write what each tag was: NAME@sha256:DIGEST"
    gaps = tuple(Missing(place, why, do) for why in unresolved.values())
    provenance = {place: "the images that the names in the Dockerfile referred to"} if contents else {}
    return replace(
        record,
        environment=replace(environment, base_images=contents),
        missing=(*record.missing, *gaps),
        provenance=record.provenance | provenance,
    )


# -- secrets --------------------------------------------------------------------------------------------------------


def without_secrets(record: Record, redactor: Redactor) -> Record:
    """The record without values that may be secrets; each is listed as missing, with how to set it."""
    learn_record(record, redactor)
    gaps: list[Missing] = []
    variables = {}
    for name, value in record.environment.variables.items():
        if redactor.shows_variable(name, value) and strip_urls(value) == value:
            variables[name] = value
        else:
            why = "is set, but its value is not written: it may be a secret"
            gaps.append(
                Missing(f"environment.variables.{name}", why, "set it here by hand if the predict step needs it")
            )
    named = _table(record.environment.build_args, ("environment", "build_args"), gaps, redactor)
    arguments = {name: str(value) for name, value in named.items()}
    values = _table(record.parameters.values, ("parameters", "values"), gaps, redactor)
    data = []
    for number, item in enumerate(record.data):
        data.append(replace(item, source=_source(f"data.{number}.source", item.source, gaps)))
    started = _command("environment.command", record.environment.command, gaps, redactor)
    predict = record.predict
    if predict:
        clean_command = _command("predict.command", predict.command, gaps, redactor)
        predict = replace(predict, command=clean_command, url=_source("predict.url", predict.url, gaps, BY_HAND))
    code = record.code and replace(record.code, repository=_repository(record.code.repository, gaps))
    return replace(
        record,
        description=redactor.scrub(strip_urls(record.description)),
        environment=replace(record.environment, variables=variables, command=started, build_args=arguments),
        parameters=replace(record.parameters, values=values),
        data=tuple(data),
        predict=predict,
        code=code,
        missing=(*record.missing, *gaps),
    )


def _command(place: str, command: tuple[str, ...], gaps: list[Missing], redactor: Redactor) -> tuple[str, ...]:
    cleaned = tuple(redactor.scrub(strip_urls(word)) for word in command)
    if cleaned != command:
        why = "it contains a value that may be a secret, which is not written"
        gaps.append(Missing(place, why, "add the value by hand, or pass it as an environment variable"))
    return cleaned


def _table(
    values: Mapping[str, object], place: tuple[str, ...], gaps: list[Missing], redactor: Redactor
) -> dict[str, object]:
    """The parameters without those whose name or content suggests a secret."""
    kept: dict[str, object] = {}
    for key, item in values.items():
        here = (*place, str(key))
        if is_secret_value(str(key), item):
            why = "its name suggests a secret, so its value is not written"
            gaps.append(
                Missing(
                    ".".join(here),
                    why,
                    "set it here by hand if it is not secret, or pass it as an environment variable",
                )
            )
        else:
            kept[key] = _values(item, here, gaps, redactor)
    return kept


def _values(value: object, place: tuple[str, ...], gaps: list[Missing], redactor: Redactor) -> object:
    if isinstance(value, dict):
        return _table(value, place, gaps, redactor)
    if isinstance(value, list):
        return [_values(item, (*place, str(number)), gaps, redactor) for number, item in enumerate(value)]
    if isinstance(value, str) and (clean := redactor.scrub(strip_urls(value))) != value:
        gaps.append(
            Missing(".".join(place), "it contains a value that may be a secret, which is not written", "add it by hand")
        )
        return clean
    return value


def _source(
    place: str, source: str, gaps: list[Missing], do: str = "set them in the store's own environment variables"
) -> str:
    clean = strip_urls(source)
    if clean != source:
        gaps.append(Missing(place, "the URL's user, password and query are not written", do))
    return clean


def _repository(location: str, gaps: list[Missing]) -> str:
    if "://" not in location:
        return location
    clean = strip_url(location)
    parts = split_url(location)
    if parts.scheme == "ssh" and parts.username and not parts.password:
        # The user name is not a secret, and ssh needs it.
        return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    if clean != location:
        gaps.append(
            Missing("code.repository", "the URL's user and password are not written", ways(parts.hostname or ""))
        )
    return clean


def _clean(item: Missing, redactor: Redactor) -> Missing:
    return Missing(*(redactor.scrub(strip_urls(text)) for text in (item.field, item.why, item.do)))


def _provenance(record: Record, redactor: Redactor) -> tuple[tuple[str, str], ...]:
    return tuple(_places(record, redactor))


def _places(record: Record, redactor: Redactor) -> Iterator[tuple[str, str]]:
    for field, place in record.provenance.items():
        if not field.startswith("environment.variables."):
            yield field, redactor.scrub(strip_urls(place))
