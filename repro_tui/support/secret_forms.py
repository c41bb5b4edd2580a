"""The forms that a secret takes when programs print it: quoted, escaped and encoded.

A secret is learnt as a whole and line by line, because logs are lines (a PEM key is one). Base64 depends on what is
encoded before it, so the characters that only depend on the secret are learnt for each of the three alignments: they
are in `Basic …` of `user:password`, whatever the user is. For `abcdefghi` these are `YWJjZGVmZ2hp`, `FiY2RlZmdoa` (with
one byte before) and `hYmNkZWZnaG` (with two).
"""

from __future__ import annotations

import contextlib
import html
import json
import re
import shlex
from base64 import b32encode, b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from repro_tui.support.text import clean_line

SHORTEST_SECRET = 8  # characters: shorter values match in ordinary text
PART, LONGEST_ENCODED = 1024, 64 << 10  # characters
WRAPS = (64, 76)  # characters of a line of base64: PEM, MIME
_SAFE = ("", "/", "!'()*", "!*'()~", "/:", ";,/?:@&=+$!*'()#~", "!#$%&'()*+,/:;=?@[]~")  # quote, browsers, clients
_NOT_FOR_SHELL = re.compile(r"([^\w@%+=:,./-])", re.ASCII)
_ESCAPE = re.compile(r"\\u[0-9a-f]{4}")
_HTML, DEL = "\"&'+<>`", 0x7F
_BOUNDARY = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")
_IN_DOUBLE_QUOTES = re.compile(r'([\\"$`!])')


def forms_of(value: str) -> dict[str, str]:
    """Every form of a secret that is long enough to be searched for, with the name of its encoding ("": plain)."""
    forms: dict[str, str] = {}
    for piece in _pieces(value):
        for form, encoding in _forms(piece, plain=len(value) > LONGEST_ENCODED):
            if len(form) >= SHORTEST_SECRET:
                forms.setdefault(form, encoding)
    return forms


def _pieces(value: str) -> list[str]:
    """The value and its lines; what is too long to be encoded in every way in parts."""
    pieces = [value, value.strip(), *(line.strip() for line in value.splitlines())]
    parts = [piece[start : start + PART] for piece in pieces for start in range(0, len(piece), PART)]
    return [part for part in dict.fromkeys(parts) if len(part) >= SHORTEST_SECRET and not _BOUNDARY.fullmatch(part)]


def _forms(piece: str, *, plain: bool) -> Iterator[tuple[str, str]]:
    yield piece, ""
    if plain:
        return
    raw = piece.encode("utf-8", "surrogatepass")
    yield from ((form, "quoted") for form in _misread(piece))
    for form in (clean_line(piece), *_quoted(piece), *_shell(piece)):
        yield form, "quoted"
    for form in _percent(raw):
        yield form, "URL-encoded"
    for form in _markup(piece):
        yield form, "escaped"
    for form in _hex(raw):
        yield form, "hex"
    for form in _base64(raw):
        yield form, "base64"
    yield b32encode(raw).decode("ascii").rstrip("="), "base32"
    yield piece[::-1], "reversed"


def _misread(piece: str) -> Iterator[str]:
    """As it stands in a log that is read as UTF-8, where a program printed it in Latin-1 or cp1252."""
    for coding in ("latin-1", "cp1252"):
        with contextlib.suppress(UnicodeEncodeError):
            form = piece.encode(coding).decode("utf-8", "replace")
            if len(form.replace("\ufffd", "")) >= SHORTEST_SECRET // 2:  # else it is any text of other bytes
                yield form


def _quoted(piece: str) -> Iterator[str]:
    """As in literals of programs, documents and tables."""
    yield from _json(piece)
    yield from _python(piece)
    yield piece.replace("'", "''")  # YAML, SQL
    yield piece.replace('"', '""')  # CSV
    for digits in ("04x", "04X"):
        yield "".join(f"\\u{ord(it):{digits}}" if ord(it) < 1 << 16 else f"\\U{ord(it):08x}" for it in piece)
    yield "".join(f"\\U{ord(it):08x}" for it in piece)
    yield "".join(f"\\u{{{ord(it):x}}}" for it in piece)


def _json(piece: str) -> Iterator[str]:
    """As in JSON, also inside JSON text, as Python, PHP, Go and .NET write it, in TOML, and in YAML."""
    for ascii_only in (True, False):
        literal = json.dumps(piece, ensure_ascii=ascii_only)[1:-1]
        yield literal
        yield literal.replace("/", "\\/")
        yield json.dumps(literal, ensure_ascii=ascii_only)[1:-1]
        yield literal.replace("'", "\\'")
        yield _ESCAPE.sub(lambda match: match.group().upper().replace("U", "u"), literal)
        yield "".join(f"\\u{ord(it):04x}" if it in "<>&" else it for it in literal)
    escaped = piece.replace("\\", "\\\\")
    yield "".join(f"\\u{ord(it):04X}" if it in _HTML or ord(it) > DEL else it for it in escaped)
    yield "".join(f"\\x{ord(it):02X}" if DEL < ord(it) < 1 << 8 else it for it in literal)


def _python(piece: str) -> Iterator[str]:
    """As `repr` and `ascii` write it, in either quotes, also as bytes and inside JSON text."""
    for literal in (repr(piece), ascii(piece), repr(piece.encode("utf-8", "surrogatepass"))[1:]):
        inner = literal[1:-1]
        yield inner
        yield inner.replace('"', '\\"')
        yield inner.replace("\\'", "'").replace("'", "\\'")
        yield json.dumps(inner)[1:-1]


def _shell(piece: str) -> Iterator[str]:
    yield shlex.quote(piece).strip("'")
    yield piece.replace("'", "'\\''")
    yield _IN_DOUBLE_QUOTES.sub(r"\\\1", piece)
    yield _NOT_FOR_SHELL.sub(r"\\\1", piece)


def _percent(raw: bytes) -> Iterator[str]:
    for form in (*(quote(raw, safe=safe) for safe in _SAFE), quote_plus(raw), quote(quote(raw, safe=""), safe="")):
        yield form
        yield re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), form)
    yield "".join(f"%{byte:02X}" for byte in raw)
    yield "".join(f"%{byte:02x}" for byte in raw)


def _markup(piece: str) -> Iterator[str]:
    yield html.escape(piece, quote=False)
    for double in ("&quot;", "&#34;", "&#x22;"):
        for single in ("&#x27;", "&#39;", "&apos;", "'"):
            yield html.escape(piece, quote=False).replace('"', double).replace("'", single)
    yield "".join(f"&#{ord(it)};" for it in piece)
    yield "".join(f"&#x{ord(it):x};" for it in piece)
    yield "".join(f"&#x{ord(it):X};" for it in piece)
    yield piece.encode("ascii", "xmlcharrefreplace").decode() if piece.isprintable() else piece


def _hex(raw: bytes) -> Iterator[str]:
    for digits in (raw.hex(), raw.hex().upper()):
        pairs = [digits[start : start + 2] for start in range(0, len(digits), 2)]
        for separator in ("", " ", ":", "-", "\\x", ", 0x", ",0x", "_"):
            yield separator.join(pairs)


def _base64(raw: bytes) -> Iterator[str]:
    for before in range(3):
        encoded = b64encode(b"\0" * before + raw).decode("ascii")
        first, end = -(-8 * before // 6), 8 * (before + len(raw)) // 6
        yield from _alphabets(encoded[first:end])
    for ending in (b"", b"\n"):
        encoded = b64encode(raw + ending).decode("ascii").rstrip("=")
        for width in WRAPS:
            if len(encoded) > width:
                for start in range(0, len(encoded), width):
                    yield from _alphabets(encoded[start : start + width])


def _alphabets(encoded: str) -> Iterator[str]:
    yield encoded
    yield encoded.replace("+", "-").replace("/", "_")
    yield quote(encoded, safe="")
    yield encoded.replace("/", "\\/")
