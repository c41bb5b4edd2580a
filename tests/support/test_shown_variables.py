"""Which variables show their values: what causes a drift, and nothing that could be a credential."""

from __future__ import annotations

import pytest

from repro_tui.support.redact import Redactor

SHOWN = {
    "SCALE": ("1", "-2.5", ".5", "1e-3", "007", "12", "0.30000000000000004"),
    "USE_CACHE": ("true", "False", "on", "no", ""),
    "DTYPE": ("float32", "bf16", "cuda:0", "cpu"),
    "STAGE": ("production", "pre-prod.eu", "Blue"),
    "MODEL_VERSION": ("v1.2", "1.26.4", "2026-03-01"),
    "TZ": ("Europe/Berlin",),
}
HIDDEN = {
    "SCALE": ("hunter2", "4111111111111111", "a" * 30, "/srv/model", "https://u:p@h/", "1\n2", "x y", "Zm9vYmFy=="),
    "DB_PASSWORD": ("12345678", "correct", "true"),
    "API_TOKEN": ("1", "production"),
    "PARTITION_KEY": ("id",),
    "DOOR_PIN": ("1234",),
    "DB_USER": ("ada",),
    "LOGIN": ("swordfish",),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in SHOWN.items() for value in values])
def test_what_cannot_be_a_credential_is_shown(name: str, value: str) -> None:
    assert Redactor().variable(name, value) == value


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in HIDDEN.items() for value in values])
def test_everything_else_is_hidden(name: str, value: str) -> None:
    redactor = Redactor()
    assert redactor.variable(name, value).startswith("hidden:")
    assert redactor.variable(name, value) == redactor.variable(name, value)


def test_a_pattern_shows_more_where_all_records_have_it_and_no_secret_by_accident() -> None:
    redactor = Redactor()
    redactor.add_patterns(("MODEL_*", "PARTITION_KEY"))
    assert redactor.variable("MODEL_PATH", "/srv/model-7") == "/srv/model-7"
    assert redactor.variable("MODEL_URL", "https://ada:pass@h/m?sig=x") == "https://h/m"
    assert redactor.variable("PARTITION_KEY", "customer id") == "customer id"
    assert redactor.variable("MODEL_TOKEN", "1234").startswith("hidden:")
    assert redactor.variable("OTHER", "/srv").startswith("hidden:")
    redactor.add_patterns(())  # of the other record
    assert redactor.variable("MODEL_PATH", "/srv/model-7").startswith("hidden:")
