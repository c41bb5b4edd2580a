"""Which values of a record are secrets: neither too few nor too many."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repro_tui.audit.redaction import hidden_record, learn_parameters, learn_record
from repro_tui.model.record import DataItem, Environment, Parameters, Predict, Record, Validation
from repro_tui.model.workspace import BuiltParameters
from repro_tui.support.redact import Redactor


def record(**variables: str) -> Record:
    return Record(
        "credit-2026-01",
        "x",
        environment=Environment(requirements="file:r.txt", variables=variables),
        data=(DataItem("models/credit-2026-02.json", "file"),),
        validation=Validation("/data/inputs-7.csv", ("customer-id",)),
        predict=Predict(command=("python3", "predict.py", "--token", "c0mmand-t0ken")),
        parameters=Parameters(
            values={"password": 12345678, "pin": 4711471147, "max_tokens": 12345678, "token": 87654321}
        ),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODEL", "credit-2026-01"),
        ("MODEL_FILE", "models/credit-2026-02.json"),
        ("KEY_COLUMN", "customer-id"),
        ("STAGE", "production"),
        ("TARGET", "default_probability"),
        ("INPUTS", "/data/inputs-7.csv"),
        ("THREADS", "64"),
        ("RELEASE", "1.26.4"),
    ],
)
def test_the_names_of_an_audit_are_not_hidden(name: str, value: str) -> None:
    redactor = Redactor()
    learn_record(record(**{name: value}), redactor)
    assert redactor.scrub(f"about {value} and") == f"about {value} and"


@pytest.mark.parametrize(
    ("name", "value"),
    [("INNOCENT", "k3y-0f-n0thing"), ("DB_PASSWORD", "credit-2026-01"), ("NAME", "correct horse battery")],
)
def test_what_may_be_a_secret_is_hidden(name: str, value: str) -> None:
    redactor = Redactor()
    learn_record(record(**{name: value}), redactor)
    assert redactor.scrub(f"about {value} and") == f"about {redactor.digest(value)} and"


def test_numbers_under_the_name_of_a_password_are_hidden_and_counts_are_not() -> None:
    redactor = Redactor()
    values = hidden_record(record(), redactor).parameters.values
    assert values == {
        "password": redactor.digest("12345678"),
        "pin": redactor.digest("4711471147"),
        "max_tokens": 12345678,
        "token": redactor.digest("87654321"),
    }
    secrets = ("87654321", "c0mmand-t0ken")
    assert redactor.scrub(" ".join(secrets)) == " ".join(map(redactor.digest, secrets))


def test_different_secrets_stay_different_where_they_are_shown() -> None:
    redactor = Redactor()
    a, b = (hidden_record(record(API_KEY=value), redactor) for value in ("f1rst-secret", "sec0nd-secret"))
    assert a.environment.variables["API_KEY"] != b.environment.variables["API_KEY"]


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("Server=db;Password=Conn3ct!on;User=y", "Conn3ct!on"),
        ("host=db user=y password='Conn3ct!on'", "Conn3ct!on"),
        ("AccountName=x;ApiKey=Conn3ct!on==", "Conn3ct!on=="),
    ],
)
def test_the_password_of_a_connection_string_is_hidden_whatever_its_name(text: str, password: str) -> None:
    for with_text in (replace(record(), parameters=Parameters(values={"conn": [text]})), in_command(text)):
        redactor = Redactor()
        learn_record(with_text, redactor)
        assert redactor.scrub(text) == text.replace(password, redactor.digest(password))


def test_the_password_in_a_build_argument_is_hidden_in_the_log_of_the_build() -> None:
    index = "https://user:p4ssw0rd-x@example.org/simple"
    environment = Environment(dockerfile="Dockerfile", build_args={"PIP_INDEX_URL": index, "GREETING": "hello"})
    redactor = Redactor()
    learn_record(replace(record(), environment=environment), redactor)
    assert "p4ssw0rd-x" not in redactor.scrub(f"Step 3/4 : RUN pip install --index-url {index}")
    assert redactor.scrub("hello") == "hello"


def in_command(word: str) -> Record:
    return replace(record(), predict=Predict(command=("python3", "predict.py", "--db", word)))


def test_what_is_counted_in_a_parameter_is_no_password() -> None:
    redactor = Redactor()
    text = "tokenizer=bert-base-uncased;max_tokens=4096;key=customer"
    learn_record(replace(record(), parameters=Parameters(values={"options": text})), redactor)
    assert redactor.scrub(text) == text


def test_the_secrets_of_a_parameter_file_are_hidden_and_its_plain_words_are_not() -> None:
    plain = {"tokenizer": "bert-base-uncased", "key": "customer_id", "session": "training", "max_tokens": 12345678}
    secrets = {"db": {"password": "s3cret-of-db"}, "token": ["tok3n-of-api"], "url": "https://u:p4ssw0rd-x@h/"}
    values = plain | secrets
    for built in (BuiltParameters(values), BuiltParameters({"secrets.yaml": values}, per_file=True)):
        redactor = Redactor()
        learn_parameters(built, redactor)
        shown = " ".join(map(str, plain.values()))
        assert redactor.scrub(shown) == shown
        for secret in ("s3cret-of-db", "tok3n-of-api", "p4ssw0rd-x"):
            assert redactor.scrub(f"a {secret}") == f"a {redactor.digest(secret)}"
