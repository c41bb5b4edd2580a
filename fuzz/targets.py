"""What is fuzzed. A target gets any bytes: it returns, or raises one of our own errors, or what it raises is a defect.

Each target is one function of bytes, listed in TARGETS with the errors that it may raise. `tests/fuzz` runs every one
on its seeds (`fuzz/seeds.py`) and on what once broke it; `fuzz/engine.py` runs it under atheris.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from repro_tui.formats.columns import TableError
from repro_tui.formats.wandb_log import Torn
from repro_tui.model.errors import Inconclusive, Refused

MARKERS = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.7",
    "python_version": "3.11",
    "sys_platform": "linux",
}
PROJECT = b'[tool.poetry.dependencies]\npython = "^3.8"\nsix = "^1.16"\n[project]\nname = "a"\ndependencies = ["six"]\n'
OURS = (Refused, Inconclusive)
# Signs that Unicode counts as format characters although they have a shape.
VISIBLE = set(map(chr, (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)))
VISIBLE |= set(map(chr, range(0x13430, 0x13440)))


@dataclass(frozen=True, slots=True)
class Target:
    """A function of bytes, and the errors by which it may refuse them."""

    run: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...] = OURS

    def __call__(self, data: bytes) -> bool:
        """Runs the function; returns whether it took the bytes, and raises what is a defect."""
        try:
            self.run(data)
        except self.refuses as error:
            mistakes = error.mistakes if isinstance(error, Refused) else ()
            if any(len(str(mistake).splitlines()) > 1 for mistake in mistakes):
                raise AssertionError("a mistake of several lines") from error
            return False
        return True


@cache
def scratch() -> Path:
    """A temporary folder for targets that read files; who chose TMPDIR removes it."""
    return Path(tempfile.mkdtemp(prefix="repro-tui-fuzz-"))


def text_of(data: bytes) -> str:
    """Any text, with lone surrogates in place of what is no UTF-8."""
    return data.decode("utf-8", "surrogateescape")


def file_of(data: bytes, name: str) -> Path:
    """A file with these bytes."""
    path = scratch() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# -- records and references ------------------------------------------------------------------------------------------


def record(data: bytes) -> None:
    from repro_tui.formats.documents import parse_document
    from repro_tui.formats.wire.record import check_record

    suffix = ".json" if data[:1] == b"{" else ".yaml" if b": " in data[:9] else ".toml"
    check_record(parse_document(data, suffix, "r"), "r")


def configuration(data: bytes) -> None:
    from repro_tui.formats.documents import parse_document
    from repro_tui.formats.wire.config import ConfigFields
    from repro_tui.formats.wire.mistakes import check

    check(ConfigFields, parse_document(data, ".toml", "c"), "c")


def references(data: bytes) -> None:
    from repro_tui.clients.git.location import check_location, show_location, without_credentials
    from repro_tui.sources.recordfile import locate
    from repro_tui.sources.resolve import source_of
    from repro_tui.support import grammar
    from repro_tui.support.redact import strip_url, strip_urls

    text = text_of(data)
    checks = (grammar.image, grammar.image_by_content, grammar.commit, grammar.repository, grammar.endpoint)
    more = (grammar.relative_path, grammar.data_path, grammar.variable, grammar.moment, grammar.callable_reference)
    for check in (*checks, *more, grammar.container_user):
        answer = check(text)
        assert answer is None or isinstance(answer, str)
    if grammar.image(text) is None:
        assert ".." not in text.split("/")
        assert not text.startswith(("-", "/"))
        grammar.has_digest(text)
    grammar.placeholders(text)
    if "\0" not in text:
        source_of(text, scratch())
    strip_url(text), strip_urls(text), show_location(text)
    try:
        without_credentials(check_location(text))
    finally:
        locate(text, scratch())


# -- packages --------------------------------------------------------------------------------------------------------


def requirements(data: bytes) -> None:
    from repro_tui.formats.freeze import read_freeze
    from repro_tui.formats.requirements import read_requirements

    content = read_requirements("r.txt", lambda name: data if name == "r.txt" else b"six==1.16.0\n")
    for line in content.lines:
        assert "\n" not in line.text
        assert not line.text.startswith("-"), line.text
    read_freeze(data.decode("utf-8", "replace"))


def lock(data: bytes) -> None:
    from repro_tui.formats.locks import locked

    contents = locked(data, "some.lock", MARKERS, (), PROJECT)
    assert all("\n" not in pin and not pin.startswith("-") for pin in contents.pins)


def conda(data: bytes) -> None:
    from repro_tui.formats.conda_files import allows_python, parse_conda, parse_explicit, python_release
    from repro_tui.formats.locks.misplaced import conda_lock, misplaced
    from repro_tui.formats.requirements import parse_requirements

    for field in ("lock", "conda", "requirements"):
        misplaced(data, field)
    if conda_lock(data) == "explicit":
        parse_explicit(data, "explicit.txt")
    file = parse_conda(data, "environment.yml")
    python_release(file.python or "")
    allows_python(file.python or "", "3.11.7")
    parse_requirements(file.pip_text, "environment.yml")


def project(data: bytes) -> None:
    from repro_tui.formats.projects import build_requirements, declared_project, package_of_poetry

    name = "setup.py" if data[:1] in b"fi" else "setup.cfg" if data[:5] in (b"[meta", b"[opti") else "pyproject.toml"
    for read in (declared_project, build_requirements, package_of_poetry):
        read({name: data})


def dockerfile(data: bytes) -> None:
    from repro_tui.rebuild.environments.dockerfiles.parse import images_of, needed, parse_dockerfile

    file = parse_dockerfile(text_of(data))
    file.needs(), file.declared()
    stages = file.stages({})
    list(images_of(stages, needed(stages, "")))


# -- trackers --------------------------------------------------------------------------------------------------------


def dvc(data: bytes) -> None:
    from repro_tui.formats.dvc_files import all_tracked, defined_stage, find_tracked, stages_of

    name = "tree/dvc.lock" if b"stages" in data else "tree/data.csv.dvc"
    shutil.rmtree(scratch() / "tree", ignore_errors=True)
    tree = file_of(data, name).parent
    all_tracked(tree)
    for stage in [*stages_of(tree)][:3]:
        defined_stage(tree, stage)
    find_tracked(tree, "data.csv")


def dvc_configuration(data: bytes) -> None:
    from repro_tui.clients.dvc.configuration import DvcPlace, remotes_of

    remotes_of(DvcPlace(file_of(data, "config/.dvc/config").parents[1], None))


def mlmodel(data: bytes) -> None:
    from repro_tui.formats.documents import parse_document
    from repro_tui.sources.mlflow.environment import python_named, recorded_packages
    from repro_tui.sources.mlflow.signature import read_signature

    read_signature(data)
    recorded_packages({"conda.yaml": data})
    recorded_packages({"requirements.txt": data, "python_env.yaml": data})
    python_named(parse_document(data, ".yaml", "MLmodel"))


def wandb_log(data: bytes) -> None:
    from repro_tui.formats.wandb_log import read_log

    log = read_log(file_of(data, "run.wandb"))
    json.dumps(log.config), json.dumps(log.summary)


def wandb_records(data: bytes) -> None:
    """The bytes as records with right checksums, so that the fuzzer need not find these."""
    from repro_tui.formats.wandb_log import HEADER

    chunks = [raw[:30_000] for raw in data.split(b"\xff\xff") if raw]
    wandb_log(HEADER + b"".join(struct.pack("<IHB", zlib.crc32(b"\x01" + raw), len(raw), 1) + raw for raw in chunks))


def sif(data: bytes) -> None:
    from repro_tui.formats.sif import read_sif

    image = read_sif(file_of(data, "image.sif"), "sif")
    image.variables(), image.made_from()


# -- tables and values -----------------------------------------------------------------------------------------------


def table(data: bytes) -> None:
    from repro_tui.formats.tables import normalise

    normalise(file_of(data, "raw"), scratch() / "out.parquet")


def parquet(data: bytes) -> None:
    table(b"PAR1" + data.removeprefix(b"PAR1"))


def npy(data: bytes) -> None:
    table(b"\x93NUMPY" + data.removeprefix(b"\x93NUMPY"))


def json_lines(data: bytes) -> None:
    table(b"{" + data.removeprefix(b"{"))


def values(data: bytes) -> None:
    from repro_tui.formats.value_files import FORMATS

    suffix = ".npz" if data[:2] == b"PK" else {b"{": ".json", b"-": ".yaml"}.get(data[:1], ".safetensors")
    read = FORMATS[suffix].read(data)
    if isinstance(read, dict):
        [str(value) for value in read.values()]


def _opened(data: bytes, name: str) -> None:
    """Two versions of a file: the bytes, and these with another one in the middle."""
    from repro_tui.compare.files.base import FileContent
    from repro_tui.compare.files.kinds import opened
    from repro_tui.support.plain import to_plain

    folder = scratch() / "opened"
    folder.mkdir(exist_ok=True)
    changed = (
        data[: len(data) // 2] + bytes(255 - byte for byte in data[len(data) // 2 :][:1]) + data[len(data) // 2 + 1 :]
    )
    sides = [FileContent(file_of(side, f"opened-{letter}"), name) for letter, side in (("a", data), ("b", changed))]
    note, differences = opened(sides[0], sides[1], folder)
    assert note
    for finding in differences.kept:
        json.dumps(to_plain(finding), allow_nan=False)
    assert not opened(sides[0], sides[0], folder)[1].count
    assert not list(folder.iterdir())


def opened_document(data: bytes) -> None:
    _opened(data, {b"{": "x.json", b"[": "x.toml"}.get(data[:1], "x.yaml"))


def opened_notebook(data: bytes) -> None:
    _opened(data, "x.ipynb")


def opened_arrays(data: bytes) -> None:
    _opened(data, "x.npz" if data[:2] == b"PK" else "x.npy" if data[:1] == b"\x93" else "x.safetensors")


def opened_pickle(data: bytes) -> None:
    _opened(data, "x.joblib")


def opened_ubjson(data: bytes) -> None:
    _opened(b"{L" + data.removeprefix(b"{L"), "x.ubj")


def opened_compressed(data: bytes) -> None:
    _opened(data, "x.gz")


def parameters(data: bytes) -> None:
    from repro_tui.formats.parameter_files import parse
    from repro_tui.support.redact import Redactor

    values = parse(data, {b"{": ".json", b"[": ".toml"}.get(data[:1], ".yaml"), "params")
    Redactor(b"k").value("", values)


# -- an audit's folder -----------------------------------------------------------------------------------------------


def journal(data: bytes) -> None:
    from repro_tui.audit.folder import AuditFolder
    from repro_tui.audit.follow import how_it_died

    folder = AuditFolder(file_of(data, "audit/journal.jsonl").parent)
    events, after = folder.events()
    assert after <= len(data)
    how_it_died(folder)
    assert all(event.kind for event in events)


def report(data: bytes) -> None:
    from repro_tui.audit.folder import AuditFolder

    folder = AuditFolder(file_of(data, "finished/report.json").parent)
    file_of(data, "finished/audit.json")
    finished = folder.report()
    for writer in (*_reporters().values(),) if finished else ():
        writer.write(finished, io.StringIO())


# -- what is shown and written ---------------------------------------------------------------------------------------


def shown(data: bytes) -> None:
    import unicodedata

    from repro_tui.support.text import join_names, shorten_middle, show, show_lines

    text = text_of(data)
    line = show(text)
    line.encode("utf-8")
    hidden = {c for c in line if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp", "Cf")} - VISIBLE
    assert not hidden, line
    assert len(line) <= 2100
    assert not any("\n" in part for part in show_lines(text))
    shorten_middle(line, 20), join_names(text.split(), most=3)


def redactor(data: bytes) -> None:
    from repro_tui.support.redact import SHORTEST_SECRET, Redactor

    secret, _, text = text_of(data).partition("\n")
    hider = Redactor(b"key")
    hider.learn(secret)
    scrubbed = hider.scrub(f"{text}{secret}{text}")
    if len(secret) >= SHORTEST_SECRET and secret not in hider.digest(secret) and secret not in text:
        rest = scrubbed.replace(hider.digest(secret), "\0")
        assert secret not in rest, (secret, scrubbed)
    hider.value("password", {"a": [text, {"token": secret}]})
    hider.variable("HOME", text)


@cache
def _reporters() -> dict[str, object]:
    from repro_tui.report.html import HtmlReporter
    from repro_tui.report.json import JsonReporter
    from repro_tui.report.junit import JUnitReporter
    from repro_tui.report.markdown import MarkdownReporter

    reporters = {"junit": JUnitReporter(), "markdown": MarkdownReporter(), "html": HtmlReporter()}
    return reporters | {"json": JsonReporter()}


def writers(data: bytes) -> None:
    from tests.report.sample import hostile_report
    from tests.report.test_hostile import HIDDEN
    from tests.report.test_html import Page

    text = text_of(data)
    for name, reporter in _reporters().items():
        stream = io.StringIO()
        reporter.write(hostile_report(text), stream)
        page = stream.getvalue()
        assert not HIDDEN.search(page), name
        if name == "junit":
            ElementTree.fromstring(page)
        elif name == "html":
            assert Page(page).open == []
        elif name == "json":
            assert page.isascii()
            assert json.loads(page)


def csv_writer(data: bytes) -> None:
    import pyarrow as pa

    from repro_tui.tui.written_table import WrittenTable, write_csv

    cells = data.decode("utf-8", "replace").split("\n")
    name = cells.pop() or "x"
    batch = pa.record_batch({name: pa.array(cells or [""], pa.string())})
    target = scratch() / "table.csv"
    write_csv(WrittenTable("table", lambda: iter([batch]), len(cells)), target)
    before = csv.field_size_limit(1 << 30)  # of the whole process
    try:
        rows = list(csv.reader(io.StringIO(target.read_text("utf-8"), newline=""), strict=True))
    finally:
        csv.field_size_limit(before)
    assert len(rows) == 1 + len(batch), rows
    for row in rows[1:]:
        assert not row or not row[0].startswith(("=", "@")), row


TARGETS = {
    "record": Target(record),
    "configuration": Target(configuration),
    "references": Target(references),
    "requirements": Target(requirements),
    **{f"lock-{name}": Target(lock) for name in ("uv", "pylock", "poetry", "pdm", "pipenv")},
    "conda": Target(conda),
    "project": Target(project),
    "dockerfile": Target(dockerfile),
    "dvc": Target(dvc),
    "dvc-configuration": Target(dvc_configuration),
    "mlmodel": Target(mlmodel),
    "wandb-log": Target(wandb_log, (Torn,)),
    "wandb-records": Target(wandb_records, (Torn,)),
    "sif": Target(sif),
    "csv": Target(table, (TableError,)),
    "json-lines": Target(json_lines, (TableError,)),
    "parquet": Target(parquet, (TableError,)),
    "npy": Target(npy, (TableError,)),
    "values": Target(values, (ValueError,)),
    "opened-document": Target(opened_document),
    "opened-notebook": Target(opened_notebook),
    "opened-arrays": Target(opened_arrays),
    "opened-pickle": Target(opened_pickle),
    "opened-ubjson": Target(opened_ubjson),
    "opened-compressed": Target(opened_compressed),
    "parameters": Target(parameters),
    "journal": Target(journal),
    "report": Target(report),
    "show": Target(shown),
    "redactor": Target(redactor),
    "writers": Target(writers),
    "csv-writer": Target(csv_writer),
}
