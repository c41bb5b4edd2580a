from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from repro_tui.support.redact import Redactor, hide_words, is_secret_name, strip_url, strip_urls
from tests.work import calls

CANARY = "c4n4ry/+S3cr3t?&=value"


def test_equal_values_have_equal_digests_under_one_key_and_no_other() -> None:
    redactor, second = Redactor(), Redactor()
    assert redactor.digest(CANARY) == redactor.digest(CANARY) != redactor.digest(CANARY + "x")
    assert redactor.digest(CANARY) != second.digest(CANARY)
    assert Redactor(b"k").digest(CANARY) == Redactor(b"k").digest(CANARY)
    assert CANARY not in redactor.digest(CANARY)


@pytest.mark.parametrize(
    "form",
    [
        CANARY,
        quote(CANARY, safe=""),
        quote(CANARY),
        base64.b64encode(CANARY.encode()).decode(),
        base64.urlsafe_b64encode(CANARY.encode()).decode(),
    ],
    ids=["plain", "quoted", "quoted path", "base64", "base64 for URLs"],
)
def test_a_learnt_value_is_found_in_every_form(form: str) -> None:
    redactor = Redactor()
    redactor.learn(CANARY)
    scrubbed = redactor.scrub(f"before {form} after")
    assert form not in scrubbed
    assert redactor.digest(CANARY) in scrubbed
    assert scrubbed.startswith("before ")
    assert scrubbed.rstrip("=").endswith(" after")


def test_a_value_that_is_too_short_is_not_learnt() -> None:
    redactor = Redactor()
    redactor.learn("1")
    assert redactor.scrub("1 of 100") == "1 of 100"


def test_a_value_with_a_surrogate_can_be_learnt() -> None:
    redactor = Redactor()
    redactor.learn("secret\ud800value")
    assert "secret" not in redactor.scrub("x secret\ud800value")


def test_a_megabyte_is_scrubbed_with_no_more_work_than_a_line() -> None:
    redactor = Redactor()
    for number in range(20):
        redactor.learn(f"{CANARY}{number}")
    text = "x" * 999_000 + CANARY + "7"
    assert CANARY not in redactor.scrub(text)
    line, megabyte = calls(redactor.scrub, text[998_900:]), calls(redactor.scrub, text)
    assert megabyte <= line


def test_variables_are_shown_by_allow_list() -> None:
    redactor = Redactor()
    assert redactor.variable("TZ", "UTC") == "UTC"
    assert redactor.variable("MODEL_PATH", "/srv/7") == redactor.digest("/srv/7")
    assert redactor.variable("PATH", "https://ada:pw@example.org/x?token=1") == "https://example.org/x"


def test_values_are_hidden_by_their_names_at_any_depth() -> None:
    redactor = Redactor()
    hidden = redactor.value(
        "", {"threshold": 0.5, "db": {"password": CANARY, "tokens": [CANARY], "url": "s3://k:s@b/x?y=1"}}
    )
    assert hidden == {
        "threshold": 0.5,
        "db": {"password": redactor.digest(CANARY), "tokens": [redactor.digest(CANARY)], "url": "s3://b/x"},
    }


def test_numbers_under_a_secret_name_are_no_secrets() -> None:
    assert Redactor().value("", {"max_tokens": 512, "token": None, "auth": False}) == {
        "max_tokens": 512,
        "token": None,
        "auth": False,
    }


@pytest.mark.parametrize(
    "name",
    [
        "PASSWORD",
        "db_pass",
        "api-key",
        "APIKEY",
        "AWS_SECRET_ACCESS_KEY",
        "auth",
        "Authorization",
        "SAS",
        "session_id",
        "pat",
    ],
)
def test_names_that_speak_of_a_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["threshold", "learning_rate", "seed", "keys_seen", "path", "n_layers", ""])
def test_names_that_do_not(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://ada:pw@example.org:8443/a/b?token=x#y", "https://example.org:8443/a/b"),
        ("ssh://git@example.org/x.git", "ssh://example.org/x.git"),
        ("https://[half", "(an invalid URL)"),
        ("s3://bucket/key", "s3://bucket/key"),
    ],
)
def test_a_url_loses_its_credentials(url: str, stripped: str) -> None:
    assert strip_url(url) == stripped


def test_urls_inside_a_text_lose_theirs() -> None:
    text = "cloned https://ada:pw@example.org/x.git and 'https://b@c.org/?q=1'"
    assert strip_urls(text) == "cloned https://example.org/x.git and 'https://c.org/'"


PINS = [
    *(
        "pin",
        "PIN",
        "pin_code",
        "PIN_CODE",
        "pinCode",
        "pincode",
        "card_pin",
        "cardPin",
        "userPIN",
        "sim.pin2",
        "door-pin",
    ),
    *("PIN_NUMBER", "puk", "otp", "OTP_CODE", "cvv", "card.cvc", "HSM_PIN", "pkcs11.pin"),
]
# Of PyTorch, Numba, package managers and physics, and other words with these letters.
NO_PINS = [
    *(
        "pin_memory",
        "PIN_MEMORY",
        "pinned",
        "pin_memory_device",
        "pinMemory",
        "dataloader.pin_memory",
        "offload.pin_memory",
    ),
    *(
        "spin",
        "opinion",
        "is_pinned",
        "pin_threads",
        "pinning",
        "n_spins",
        "pins",
        "hairpin",
        "PINECONE_INDEX",
        "shipping",
    ),
    *("mapping", "pin_requirements", "spin_up", "pinterest_board", "raspin", "lupin"),
]


@pytest.mark.parametrize("name", PINS)
@pytest.mark.parametrize("value", [4711, "4711", "047 11", "123-456", 4711471147])
def test_digits_under_the_name_of_a_pin_are_hidden(name: str, value: int | str) -> None:
    redactor = Redactor()
    hidden = redactor.digest(str(value))
    assert redactor.value(name, value) == hidden
    assert redactor.value("", {"outer": [{name: {"value": value}}]}) == {"outer": [{name: {"value": hidden}}]}
    assert redactor.variable(name, str(value)) == hidden
    assert list(hide_words(["x", f"--{name}", str(value), f"{name}={value}"])) == [
        "x",
        f"--{name}",
        "(hidden)",
        f"{name}=(hidden)",
    ]


@pytest.mark.parametrize("name", NO_PINS)
@pytest.mark.parametrize("value", [4711, "4711", "047 11", True, 1])
def test_names_that_hold_the_letters_of_a_pin_are_shown(name: str, value: int | str | bool) -> None:
    assert Redactor().value(name, value) == value
    assert Redactor().variable(name, "4711") == "4711"


@pytest.mark.parametrize("value", ["3.11", "cpu0", "true", "1.26.4", "first", 4, 17, True, None, "9f2c1ab"])
def test_a_pin_that_is_no_digits_is_a_version_a_processor_or_a_contact(value: str | int | None) -> None:
    redactor = Redactor()
    assert redactor.value("pin", value) == value
    assert list(hide_words(["--pin", str(value), f"pin={value}"])) == ["--pin", str(value), f"pin={value}"]
