"""Every form in which programs print a secret, made here by the standard library, is found and named."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import pytest
import tomli_w
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from repro_tui.support.redact import Redactor, is_ordinary, secrets_in
from repro_tui.support.text import show
from tests.conftest import EXAMPLES

SECRET = "c4n4ry/+S3c'r3t?&=\"<v\\a>lué"
ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": json.dumps,
    "JSON in UTF-8": lambda it: json.dumps([it], ensure_ascii=False),
    "JSON in JSON": lambda it: json.dumps(json.dumps({"key": it})),
    "JSON of Go": lambda it: json.dumps(it).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
    "JSON in upper case": lambda it: json.dumps(it).replace("\\u00e9", "\\u00E9"),
    "JSON of PHP": lambda it: json.dumps(it).replace("/", "\\/"),
    "repr": repr,
    "repr in repr": lambda it: repr({"key": it}),
    "ascii": ascii,
    "bytes": lambda it: repr(it.encode()),
    "URL": lambda it: quote(it, safe=""),
    "URL in lower case": lambda it: re.sub("%..", lambda match: match.group().lower(), quote(it, safe="")),
    "path": quote,
    "form": quote_plus,
    "URL in a URL": lambda it: quote(quote(it, safe=""), safe=""),
    "encodeURIComponent": lambda it: quote(it, safe="!'()*"),
    "shell": shlex.quote,
    "shell in double quotes": lambda it: '"' + it.replace("\\", "\\\\").replace('"', '\\"') + '"',
    "base64": lambda it: base64.b64encode(it.encode()).decode(),
    "base64 for URLs": lambda it: base64.urlsafe_b64encode(it.encode()).decode(),
    "base64 after one byte": lambda it: base64.b64encode(b":" + it.encode()).decode(),
    "base64 after two": lambda it: base64.b64encode(b"u:" + it.encode() + b" and more").decode(),
    "base64 of user and password": lambda it: base64.b64encode(f"someone:{it}".encode()).decode(),
    "base64 for URLs after two": lambda it: base64.urlsafe_b64encode(b"u:" + it.encode() + b"?>").decode(),
    "base64 with its newline": lambda it: base64.b64encode(it.encode() + b"\n").decode(),
    "base64 in a URL": lambda it: quote(base64.b64encode(it.encode()).decode(), safe=""),
    "base32": lambda it: base64.b32encode(it.encode()).decode(),
    "hex": lambda it: it.encode().hex(),
    "hex in upper case": lambda it: it.encode().hex().upper(),
    "hex with colons": lambda it: it.encode().hex(":"),
    "hex escapes": lambda it: "".join(f"\\x{byte:02x}" for byte in it.encode()),
    "unicode escapes": lambda it: "".join(f"\\u{ord(character):04x}" for character in it),
    "HTML": html.escape,
    "HTML by number": lambda it: "".join(f"&#{ord(character)};" for character in it),
    "HTML by hex number": lambda it: "".join(f"&#x{ord(character):x};" for character in it),
    "XML": escape,
    "an attribute of XML": quoteattr,
    "YAML": lambda it: yaml.safe_dump({"key": it}, width=1000),
    "YAML in double quotes": lambda it: yaml.safe_dump(it, default_style='"', width=1000),
    "YAML in single quotes": lambda it: yaml.safe_dump(it, default_style="'", width=1000, allow_unicode=True),
    "TOML": lambda it: tomli_w.dumps({"key": it}),
    "SQL": lambda it: it.replace("'", "''"),
    "CSV": lambda it: it.replace('"', '""'),
    "Latin-1 read as UTF-8": lambda it: it.encode("latin-1").decode("utf-8", "replace"),
    "reversed": lambda it: it[::-1],
    "shown": show,
}

NOT_OF_ALL = ("base32", "shell in double quotes", "Latin-1 read as UTF-8")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_secret_is_found_in_every_form(encoding: str) -> None:
    redactor = Redactor()
    redactor.learn(SECRET)
    form = ENCODINGS[encoding](SECRET)
    scrubbed = redactor.scrub(f"before {form} after")
    assert redactor.digest(SECRET) in scrubbed
    assert scrubbed.startswith("before ")
    assert scrubbed.endswith(" after")
    kept = scrubbed.removeprefix("before ").removesuffix(" after").replace(redactor.digest(SECRET), "")
    assert len(kept) < 40, kept
    assert "c4n4ry" not in kept


@pytest.mark.parametrize("secret", ["パスワードは秘密です", "éèêëéèêë"])
def test_a_text_of_another_encoding_is_not_taken_for_a_secret(secret: str) -> None:
    redactor = Redactor()
    redactor.learn(secret)
    for text in ("?" * len(secret), "\ufffd" * len(secret)):
        assert redactor.scrub(text) == text


@given(st.text(min_size=8, max_size=60), st.sampled_from(sorted(ENCODINGS)), st.text(max_size=8), st.text(max_size=8))
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_secret_is_found(secret: str, encoding: str, before: str, after: str) -> None:
    secret = f"k3y{secret}".replace("\ud800", "").encode("utf-8", "ignore").decode().strip()
    if len("".join(secret.split())) < 8 or not secret.isprintable() or encoding in NOT_OF_ALL:
        return
    redactor = Redactor()
    redactor.learn(secret)
    assert redactor.digest(secret) in redactor.scrub(f"{before} {ENCODINGS[encoding](secret)} {after}")


def test_two_forms_of_one_secret_do_not_look_equal() -> None:
    redactor = Redactor()
    redactor.learn(SECRET)
    forms = ("plain", "base64", "hex", "URL", "HTML", "JSON", "reversed", "base32")
    shown = {redactor.scrub(ENCODINGS[name](SECRET).strip('"')) for name in forms}
    assert len(shown) == len(forms)


def test_each_line_of_a_key_is_hidden_and_its_frame_is_not() -> None:
    lines = [base64.b64encode(bytes(range(number, number + 48))).decode() for number in range(3)]
    redactor = Redactor()
    redactor.learn("\n".join(("-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----")) + "\n")
    for line in lines:
        assert redactor.scrub(f"| {line}") == f"| {redactor.digest(line)}"
    assert redactor.scrub("-----BEGIN RSA PRIVATE KEY-----") == "-----BEGIN RSA PRIVATE KEY-----"


@pytest.mark.parametrize("length", range(6, len(SECRET) + 1))
def test_what_a_cut_leaves_of_a_secret_is_hidden(length: int) -> None:
    redactor = Redactor()
    redactor.learn(SECRET)
    cut = show("x" * 50 + SECRET + "y" * 50, 50 + length)
    assert SECRET[:6] not in redactor.scrub(cut)
    assert SECRET[-length:] not in redactor.scrub(f"start… {SECRET}".replace(f"… {SECRET}", f"…{SECRET[-length:]} end"))


@pytest.mark.parametrize("value", ["true", "12345", "1", "password", "production", "localhost", "0.5", "yes"])
def test_what_is_short_or_common_hides_nothing(value: str) -> None:
    redactor = Redactor()
    redactor.learn_setting("API_KEY", value if value in ("password", "localhost") else value[:7])
    redactor.learn_setting("STAGE", value)
    text = f"the result is {value} of 12345 in production at localhost: password true"
    assert redactor.scrub(text) == text


@pytest.mark.parametrize(
    "value", ["production", "1.26.4", "64", "0.00001", "/app/models/credit-2026.json", "/usr/lib:", "GPU"]
)
def test_ordinary_values_of_settings_are_not_searched_for(value: str) -> None:
    assert is_ordinary(value.removesuffix(":"))


@pytest.mark.parametrize("value", ["hunter2hunter2", "AKIAIOSFODNN7EXAMPLE", "correct horse battery", "p@ssw0rd!"])
def test_values_that_may_be_secrets_are(value: str) -> None:
    assert not is_ordinary(value)


@pytest.mark.parametrize(
    ("value", "inside"),
    [
        (
            "https://ada:s3cret%2Fpw@host/x?sig=abc%2Bdef123&page=2",
            {"s3cret/pw", "s3cret%2Fpw", "ada:s3cret/pw", "abc+def123"},
        ),
        ("https://gh-t0ken-123@host/x.git", {"gh-t0ken-123"}),
        ("Server=h;User Id=u;Password=s3cr3tpass;", {"s3cr3tpass"}),
        ('{"type": "service_account", "private_key": "line1\\nl1ne2", "id": 7}', {"line1\nl1ne2"}),
        ("nothing here", set()),
    ],
)
def test_the_secrets_inside_a_value(value: str, inside: set[str]) -> None:
    assert inside <= set(secrets_in(value))
