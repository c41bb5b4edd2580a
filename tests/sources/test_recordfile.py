"""Records: complete, with provenance, and with every mistake reported at once and in its place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro_tui.formats.documents import parse_document
from repro_tui.formats.wire.record import check_record
from repro_tui.formats.wire.schemas import schema_text
from repro_tui.formats.wire.schemas.generate import generate
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.overrides import Overrides
from repro_tui.model.record import Parameters, Record
from repro_tui.sources.overlay import common_validation, lay_over
from repro_tui.sources.resolve import load_record, nearest_deployments
from repro_tui.support import grammar
from repro_tui.support.context import Context
from tests.conftest import GitRepository

COMMIT = "a" * 40


def whole() -> dict[str, Any]:
    """A record with every section, as in the documentation."""
    return {
        "schema": 1,
        "validation": {
            "inputs": "inputs.csv",
            "key": ["id"],
            "columns": {"score": {"kind": "probability", "atol": 1e-6}},
        },
        "deployments": {
            "prod": {
                "description": "what serves customers",
                "code": {"repository": ".", "commit": COMMIT, "subdirectory": "."},
                "environment": {"image": "127.0.0.1:5000/credit@sha256:" + "0" * 64, "variables": {"TZ": "UTC"}},
                "parameters": {"file": "params.yaml", "values": {"model": {"threshold": 0.5}}},
                "data": [{"path": "model.json", "source": "file", "sha256": "1" * 64}],
                "predict": {"command": ["python", "p.py", "{inputs}", "{output}"], "timeout_s": 60},
                "expected": {"metrics": {"accuracy": 0.914}},
            }
        },
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inputs.csv").write_text("id\n1\n")
    (tmp_path / "model.json").write_text("{}")
    return tmp_path


def write(folder: Path, document: Any, name: str = "record.json") -> str:
    (folder / name).write_text(document if isinstance(document, str) else json.dumps(document))
    return name


def refused(folder: Path, document: Any, context: Context, name: str = "record.json") -> str:
    with pytest.raises(Refused) as caught:
        load_record(write(folder, document, name), context)
    return "\n".join(map(str, caught.value.mistakes))


def test_a_whole_record(folder: Path, context: Context) -> None:
    record = load_record(write(folder, whole()), context)
    assert record.code is not None
    assert record.predict is not None
    assert (record.name, record.code.repository, record.code.commit) == ("prod", str(folder), COMMIT)
    assert record.environment.kind == "image"
    assert record.validation.inputs == str(folder / "inputs.csv")
    assert record.validation.columns["score"].kind == "probability"
    assert record.missing == ()
    assert record.provenance["code.commit"] == "record.json: deployments.prod.code.commit"
    assert record.provenance["validation.key"] == "record.json: validation.key"


def test_a_vector_is_two_columns_or_more_under_a_name_of_its_own(folder: Path, context: Context) -> None:
    document = whole()
    columns = document["validation"]["columns"]
    columns |= {name: {"vector": "animal"} for name in ("p_cat", "p_dog")}
    record = load_record(write(folder, document), context)
    assert {name for name, rule in record.validation.columns.items() if rule.vector == "animal"} == {"p_cat", "p_dog"}
    columns["p_dog"] = {"vector": "score", "kind": "text"}
    assert refused(folder, document, context).splitlines() == [
        "record.json: validation: columns.p_dog is a text in the vector score: expected numbers; "
        "columns.p_cat is the only column of the vector animal: expected two or more; "
        "columns.p_dog.vector is 'score': expected a name that no column has; "
        "columns.p_dog is the only column of the vector score: expected two or more"
    ]


def test_the_same_record_in_toml_and_yaml(folder: Path, context: Context) -> None:
    import tomli_w
    import yaml

    names = [
        write(folder, whole()),
        write(folder, tomli_w.dumps(whole()), "r.toml"),
        write(folder, yaml.dump(whole()), "r.yaml"),
    ]
    records = [load_record(name, context) for name in names]
    assert {record.environment.image for record in records} == {records[0].environment.image}
    assert {str(record.parameters) for record in records} == {str(records[0].parameters)}


def test_what_is_absent_is_missing_with_how_to_record_it(folder: Path, context: Context) -> None:
    record = load_record(write(folder, {"schema": 1, "deployments": {"a": {}}}), context)
    assert {item.field for item in record.missing} == {"code", "environment", "predict"}
    assert all(item.do for item in record.missing)


@pytest.mark.parametrize(("ending", "moves"), [("@sha256:" + "0" * 64, False), (":1", True), ("", True)])
def test_an_image_that_is_named_by_a_tag_is_a_warning(folder: Path, context: Context, ending: str, moves: bool) -> None:
    document = whole()
    document["deployments"]["prod"]["environment"] = {"image": f"127.0.0.1:5000/credit{ending}"}
    warnings = load_record(write(folder, document), context).warnings
    assert any("named by a tag, which can move" in warning for warning in warnings) == moves, warnings


def test_all_mistakes_at_once_each_with_its_place(folder: Path, context: Context) -> None:
    document = whole()
    prod = document["deployments"]["prod"]
    prod["code"]["comit"] = prod["code"].pop("commit")
    prod["environment"]["lock"] = "uv.lock"
    prod["data"][0]["sha256"] = "xyz"
    prod["predict"]["timeout_s"] = "60"
    prod["predict"]["command"] = ["python", "{input}"]
    document["validation"]["columns"]["score"]["kind"] = "probabilty"
    mistakes = refused(folder, document, context)
    for place in (
        "deployments.prod.code.comit: is not a known key: did you mean commit?",
        "deployments.prod.code.commit: is missing",
        "deployments.prod.environment: has image and lock",
        "deployments.prod.data.0.sha256: is not a digest",
        "deployments.prod.predict.timeout_s: has the wrong type",
        "validation.columns.score.kind: has an unknown value",
    ):
        assert f"record.json: {place}" in mistakes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"environment": {"image": "../containers/x"}}, "not an image reference"),
        ({"environment": {"image": "--privileged"}}, "not an image reference"),
        ({"code": {"repository": "ext::sh -c id", "commit": COMMIT}}, "transport helper"),
        ({"code": {"repository": "--upload-pack=x", "commit": COMMIT}}, "not the path or URL"),
        ({"code": {"repository": "http://h/x", "commit": COMMIT}}, "expected one of https, ssh, file"),
        ({"code": {"repository": ".", "commit": "--output=x"}}, "40 or 64 hex digits"),
        ({"data": [{"path": "../x", "source": "git"}]}, "leaves its folder"),
        ({"data": [{"path": "x", "source": "file:///etc/passwd"}]}, "leaves the record's folder"),
        ({"data": [{"path": "x", "source": "file:../x"}]}, "leaves"),
        ({"data": [{"path": "x", "source": "nothing"}]}, "is not a data source"),
        ({"environment": {"lock": "/etc/passwd"}}, "leaves its folder"),
        (
            {"environment": {"lock": "uv.lock", "variables": {"A=B": "x"}}},
            "not a valid name for an environment variable",
        ),
        (
            {"predict": {"command": ["x", "{output}"], "protocol": "mlflow"}},
            "has a protocol and a command that writes {output}",
        ),
        ({"predict": {"command": ["x"], "protocol": "mlflow", "url": "http://h"}}, "has a command and a url"),
        ({"predict": {"url": "http://h"}}, "has a url but no protocol"),
        ({"predict": {"protocol": "mlflow", "url": "file:///etc/passwd"}}, "not the URL of an endpoint"),
    ],
)
def test_hostile_values_are_refused(folder: Path, context: Context, change: dict[str, Any], message: str) -> None:
    document = whole()
    document["deployments"]["prod"] |= change
    assert message in refused(folder, document, context)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.yaml", "a: &x [1]\nb: [*x, *x]\n", "line 1: anchors and aliases"),
        ("r.yaml", "a: !!python/object/apply:os.system [id]\n", "line 1: the tag"),
        ("r.yaml", "a: 1\na: 2\n", "occurs twice"),
        ("r.json", '{"a": 1, "a": 2}', "occurs twice"),
        ("r.toml", "a = 1\na = 2\n", "overwrite"),
        ("r.json", "[" * 100_000, "nested deeper"),
        ("r.yaml", "[" * 100_000, "nested deeper"),
        ("r.json", '{"a": ' + "9" * 5000 + "}", "digits"),
        ("r.toml", "a = " + "9" * 5000, "digits"),
        ("r.json", '{"a": NaN}', "NaN"),
        ("r.json", " " * (1 << 20) + "{}", "larger than 1 MiB"),
        ("r.json", "[1]", "not a table"),
        ("r.toml", "a = \xff", "UTF-8"),
        ("r.toml", "a = \nb = 1", "line 1"),
    ],
)
def test_hostile_documents_are_refused_in_one_line(name: str, text: str, message: str) -> None:
    raw = text.encode("latin-1") if "\xff" in text else text.encode()
    with pytest.raises(Refused) as caught:
        parse_document(raw, Path(name).suffix, name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_yaml_scalars_stay_what_they_look_like() -> None:
    text = b"a: no\nb: 1:30\nc: 007\nd: '1'\ne: 1e3\nf: .inf\ng: 2026-01-05\nh: ~\ni: on\n"
    document = parse_document(text, ".yaml", "r.yaml")
    assert document == {
        "a": "no", "b": "1:30", "c": 7, "d": "1", "e": 1000.0, "f": float("inf"), "g": "2026-01-05", "h": None,
        "i": "on",
    }  # fmt: skip


def test_a_link_out_of_the_folder_is_refused(folder: Path, context: Context) -> None:
    (folder / "inputs.csv").unlink()
    (folder / "inputs.csv").symlink_to("/etc/passwd")
    assert "through a link" in refused(folder, whole(), context)


def test_inputs_that_changed_are_refused_with_both_hashes(folder: Path, context: Context) -> None:
    document = whole()
    document["validation"]["sha256"] = "2" * 64
    mistakes = refused(folder, document, context)
    assert "2" * 64 in mistakes
    assert hashlib.sha256((folder / "inputs.csv").read_bytes()).hexdigest() in mistakes


def test_names_in_the_nearest_file(folder: Path, context: Context) -> None:
    import tomli_w

    document = whole()
    document["deployments"]["staging"] = {"description": "next"}
    write(folder, tomli_w.dumps(document), "repro.toml")
    assert load_record("staging", context).name == "staging"
    assert [d.name for d in nearest_deployments(folder)] == ["prod", "staging"]
    with pytest.raises(Refused, match="it has prod, staging"):
        load_record("qa", context)
    with pytest.raises(Refused, match="add # and one of prod, staging"):
        load_record("repro.toml", context)


def test_a_moving_commit_is_refused_with_what_it_stands_for(
    folder: Path, context: Context, git_repository: Callable[[str], GitRepository]
) -> None:
    repository = git_repository("code")
    full = repository.commit({"a": "1"})
    repository.git("tag", "v1")
    document = whole()
    for name in ("v1", "main", full[:8]):
        document["deployments"]["prod"]["code"] = {"repository": "code", "commit": name}
        assert f"it now refers to {full}" in refused(folder, document, context)


def test_a_revision_is_a_record(context: Context, git_repository: Callable[[str], GitRepository]) -> None:
    repository = git_repository("code")
    document = 'schema = 1\n[validation]\ninputs = "i.csv"\n[deployments.default]\n'
    first = repository.commit({"repro.toml": document, "i.csv": "id\n1\n"})
    repository.commit({"i.csv": "id\n2\n"})
    here = Context(cache=context.cache, here=repository.folder / "deeper")
    here.here.mkdir()
    record = load_record("git:HEAD~1", here)
    assert record.code is not None
    assert (record.code.commit, record.code.repository) == (first, str(repository.folder))
    assert record.validation.inputs is not None
    assert Path(record.validation.inputs).read_text() == "id\n1\n"
    with pytest.raises(Refused, match="there is no revision nothing"):
        load_record("git:nothing", here)
    with pytest.raises(Refused, match="is not a revision"):
        load_record("git:--output=x", here)


def test_options_override_both_records(folder: Path, context: Context) -> None:
    record = load_record(write(folder, {"schema": 1, "deployments": {"a": {}}}), context)
    (folder / "p.yaml").write_text("model: {threshold: 0.7}\n")
    given = Overrides(inputs="inputs.csv", predict="python p.py '{inputs}' {output}", params="p.yaml")
    laid = lay_over(record, given, replace(context, here=folder))
    assert laid.predict is not None
    assert laid.predict.command == ("python", "p.py", "{inputs}", "{output}")
    assert laid.parameters.values == {"model": {"threshold": 0.7}}
    assert laid.provenance["predict.command"].startswith("--predict")
    assert common_validation(record, record)[0].inputs is None
    assert common_validation(laid, record)[0].inputs == str(folder / "inputs.csv")


def test_parameters_in_several_files_are_overridden_by_file(folder: Path, context: Context) -> None:
    files = ("params.yaml", "conf/model.yaml")
    record = Record("a", "a", parameters=Parameters(files=files, values={"params.yaml": {"x": 1, "y": 1}}))
    (folder / "p.yaml").write_text("params.yaml: {x: 2}\nconf/model.yaml: {z: 3}\n")
    given = Overrides(params="p.yaml")
    laid_over = lay_over(record, given, replace(context, here=folder)).parameters
    assert laid_over.values == {"params.yaml": {"x": 2, "y": 1}, "conf/model.yaml": {"z": 3}}
    (folder / "p.yaml").write_text("x: 2\nparams.yaml: 1\n")
    with pytest.raises(Refused, match=r"in 2 files, params\.yaml, conf/model\.yaml: p\.yaml needs a table") as raised:
        lay_over(record, given, replace(context, here=folder))
    assert len(raised.value.mistakes) == 2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"files": ["a.yaml"]}, "at least 2"),
        ({"files": ["a.yaml", "b.yaml"], "file": "a.yaml"}, "file and files: expected only one"),
        ({"files": ["a.yaml", "a.yaml"]}, "the same file twice"),
        ({"files": ["a.yaml", "./b.yaml"]}, "expected 'b.yaml'"),
        ({"files": ["a.yaml", "../b.yaml"]}, "leaves"),
        ({"files": ["a.yaml", "b.yaml"], "values": {"x": 1}}, "not one of the files: expected a.yaml, b.yaml"),
        ({"files": ["a.yaml", "b.yaml"], "values": {"a.yaml": 1}}, "is not a table"),
    ],
)
def test_several_parameter_files_that_do_not_fit_together_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        check_record({"schema": 1, "deployments": {"a": {"parameters": parameters}}}, "record.yaml")


def test_the_documented_record_is_valid_by_the_schema() -> None:
    jsonschema.validate(whole(), json.loads(schema_text("record")))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(whole() | {"unknown": 1}, json.loads(schema_text("record")))


def test_the_schemas_that_ship_are_those_of_the_code() -> None:
    for name, text in generate().items():
        assert schema_text(name) == text  # type: ignore[arg-type]  # `make docs` updates them
        jsonschema.Draft202012Validator.check_schema(json.loads(text))


FUZZ = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(st.binary(max_size=300), st.sampled_from([".toml", ".yaml", ".json", ".txt"]))
def test_any_bytes_are_a_document_or_refused(content: bytes, suffix: str) -> None:
    try:
        document = parse_document(content, suffix, "r")
    except Refused:
        return
    assert isinstance(document, dict)


tree = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    ["schema", "validation", "deployments", "a", "code", "environment", "data", "predict", "image", "key"]
)


@FUZZ
@given(st.dictionaries(keys, st.dictionaries(keys, tree, max_size=3) | tree, max_size=4))
def test_any_document_is_a_record_or_refused(document: dict[str, Any]) -> None:
    mistakes: list[Mistake] = []
    try:
        check_record(document | {"schema": 1}, "r")
    except Refused as error:
        mistakes += error.mistakes
    assert all(mistake.place.startswith("r") for mistake in mistakes)


@FUZZ
@given(st.text(max_size=60))
def test_grammars_answer_anything(text: str) -> None:
    for check in (grammar.image, grammar.commit, grammar.repository, grammar.relative_path, grammar.variable):
        answer = check(text)
        assert answer is None or isinstance(answer, str)
    assert grammar.image(text + "\n") is not None
