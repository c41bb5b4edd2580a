"""The grammars of the values in references and records: each check returns what is wrong as text, or None.

The text continues a sentence that begins with the value's name: "is not a full commit id: expected …".
"""

from __future__ import annotations

import ast
import posixpath
import re
import warnings
from collections.abc import Collection, Mapping
from datetime import datetime
from keyword import iskeyword
from typing import Protocol
from urllib.parse import urlsplit

from repro_tui.support.paths import is_inside
from repro_tui.support.text import quote

# The grammar of distribution/reference: [domain[:port]/]path[:tag][@digest], or an image's own id.
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?/)?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"{_DOMAIN}{_COMPONENT}(?:/{_COMPONENT})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?P<digest>@sha256:[0-9a-f]{{64}})?"
)
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SCP = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9_.-]*:[^:\s-][^\s:]*")
_CONTAINER_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z_0-9]*)\}")
_LONGEST_CALL = 2000
_DEEPEST_CALL = 40  # brackets, signs and dots: far below what the parser's stack bears
_NEVER_MOUNTED = ("proc", "sys", "dev", "repro")
TRANSPORTS = ("https", "ssh", "file")
PLACEHOLDERS = ("inputs", "output", "params", "data", "seed", "batch_size")


def image(reference: str) -> str | None:
    """Checks an image reference. What violates the registry's grammar never reaches the engine."""
    if _IMAGE_ID.fullmatch(reference) or (len(reference) <= 512 and _IMAGE.fullmatch(reference)):
        return None
    return "is not an image reference: expected NAME@sha256:DIGEST (64 hex digits), NAME:TAG or an image's sha256: id"


def image_by_content(reference: str) -> str | None:
    """Checks an image reference that must name content and not a moving tag."""
    return image(reference) or (None if has_digest(reference) else "is a tag, which can move: expected @sha256:DIGEST")


def has_digest(reference: str) -> bool:
    """Whether an image reference names content and not a moving tag."""
    return bool(_IMAGE_ID.fullmatch(reference)) or "@sha256:" in reference


def container_user(text: str) -> str | None:
    """Checks the user that a step runs as in a container."""
    return (
        None if _CONTAINER_USER.fullmatch(text) else "is not a user: expected auto, or USER[:GROUP] by name or number"
    )


def commit(text: str) -> str | None:
    """Checks a full commit id."""
    return None if _COMMIT.fullmatch(text) else "is not a full commit id: expected 40 or 64 hex digits"


class VectorRule(Protocol):
    """The rule of a column that may belong to a vector."""

    @property
    def vector(self) -> str | None:
        """The name of its vector."""
        ...

    @property
    def kind(self) -> str | None:
        """Its declared kind."""
        ...

    @property
    def threshold(self) -> float | None:
        """Its threshold."""
        ...


def vectors(columns: Mapping[str, VectorRule], taken: Collection[str | None]) -> list[str]:
    """Checks the vectors that the rules of columns declare; returns all mistakes.

    `taken` are the names of columns, which a vector must not have.
    """
    members: dict[str, list[str]] = {}
    mistakes = []
    for name, rule in columns.items():
        if rule.vector is None:
            continue
        members.setdefault(rule.vector, []).append(name)
        if rule.kind not in (None, "probability", "value"):
            mistakes.append(f"columns.{name} is a {rule.kind} in the vector {rule.vector}: expected numbers")
        if rule.threshold is not None:
            mistakes.append(
                f"columns.{name} has a threshold, but the most likely class decides for the vector {rule.vector}"
            )
    for vector, names in members.items():
        if not vector.strip() or vector in taken:
            mistakes.append(f"columns.{names[0]}.vector is {quote(vector)}: expected a name that no column has")
        if len(names) == 1:
            mistakes.append(f"columns.{names[0]} is the only column of the vector {vector}: expected two or more")
    return mistakes


def parameter_files(file: str | None, files: Collection[str], values: Mapping[str, object]) -> list[str]:
    """Checks parameters that are in several files, and the recorded values of each; returns all mistakes."""
    if not files:
        return []
    mistakes = ["has file and files: expected only one of them"] if file else []
    plain = {name: posixpath.normpath(name) for name in files}
    mistakes += [f"files has {quote(name)}: expected {quote(path)}" for name, path in plain.items() if path != name]
    if len(set(files)) != len(files):
        mistakes.append("files has the same file twice: expected different files")
    mistakes += parameter_values(files, values)
    return mistakes


def parameter_values(files: Collection[str], values: Mapping[str, object]) -> list[str]:
    """Checks that the values of parameters in several files are tables by the file's name; returns all mistakes."""
    mistakes = []
    for name, table in values.items():
        if name not in files:
            mistakes.append(f"values has {quote(name)}, which is not one of the files: expected {', '.join(files)}")
        elif not isinstance(table, dict):
            mistakes.append(f"values of {quote(name)} is not a table: expected names and values")
    return mistakes


def repository(location: str) -> str | None:
    """Checks the path or URL of a git repository."""
    if not location or location.startswith("-") or _CONTROL.search(location):
        return "is not the path or URL of a repository"
    if "::" in location.partition("/")[0]:
        return "uses a transport helper, which could execute a program: expected a path, https, ssh or file URL"
    if "://" in location:
        try:
            parts = urlsplit(location)
        except ValueError:
            return "is not a valid URL"
        if parts.scheme not in TRANSPORTS:
            return f"uses {parts.scheme}: expected one of {', '.join(TRANSPORTS)}"
        if (parts.hostname or "").startswith("-"):
            return "has a host name that begins with a dash"
    return None


def is_remote(location: str) -> bool:
    """Whether a repository is given as a URL or as git's HOST:PATH, rather than as a path."""
    return "://" in location or bool(_SCP.fullmatch(location))


def endpoint(url: str) -> str | None:
    """Checks the URL of a live endpoint; "" is allowed."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return "is not a valid URL"
    if parts.scheme not in ("http", "https") or not parts.hostname or _CONTROL.search(url):
        return "is not the URL of an endpoint: expected http:// or https:// and a host"
    return None


def moment(text: str) -> str | None:
    """Checks a date and time with a UTC offset (RFC 3339)."""
    try:
        if datetime.fromisoformat(text).tzinfo is not None:
            return None
    except ValueError:
        pass
    return "is not a date and time with a UTC offset: expected, for example, 2026-03-01T00:00:00Z"


def relative_path(path: str) -> str | None:
    """Checks that a path stays below its root."""
    if _CONTROL.search(path):
        return "contains a control character"
    return None if is_inside(path) else "leaves its folder: expected a relative path without .."


def data_path(path: str) -> str | None:
    """Checks where the code expects data: below its own folder, or at an absolute path inside an image."""
    if not path.startswith("/"):
        return relative_path(path)
    parts = path.split("/")[1:]
    if _CONTROL.search(path) or len(path) > 4096 or any(part in ("", ".", "..") for part in parts):
        return "is not a plain absolute path: expected one such as /models/credit"
    return f"is below /{parts[0]}, where nothing can be mounted" if parts[0] in _NEVER_MOUNTED else None


def variable(name: str) -> str | None:
    """Checks the name of an environment variable."""
    return None if _VARIABLE.fullmatch(name) else "is not a valid name for an environment variable"


def hex_digest(text: str, digits: int) -> str | None:
    """Checks a digest in lower-case hexadecimal."""
    return None if re.fullmatch(rf"[0-9a-f]{{{digits}}}", text) else f"is not a digest: expected {digits} hex digits"


def callable_reference(text: str) -> str | None:
    """Checks the function of a predict step; "" is allowed.

    It is such as `m:f`, `m:Class.method` or `m:Class("x", n=1).method`. The arguments of a class are literals: nothing
    else of the text is ever evaluated.
    """
    module, mark, path = text.partition(":")
    is_module = all(part.isidentifier() and not iskeyword(part) for part in module.split("."))
    if not text or (mark and is_module and _is_callable_path(path)):
        return None
    return 'is not a function: expected package.module:function, or package.module:Class("literal").method'


def _is_callable_path(path: str) -> bool:
    """Whether a path is names joined by dots, each called with literals at most; the last is not called."""
    if len(path) > _LONGEST_CALL or any(path.count(mark) > _DEEPEST_CALL for mark in "([{-+.") or "\n" in path:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            node = ast.parse(path, mode="eval").body
    except (SyntaxError, ValueError):
        return False
    is_whole = (node.col_offset, node.end_col_offset) == (0, len(path.encode("utf-8", "surrogatepass")))
    return is_whole and not isinstance(node, ast.Call) and _is_chain(node)


def _is_chain(node: ast.expr) -> bool:
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Call):
            values = [*node.args, *(item.value for item in node.keywords)]
            if not all(item.arg for item in node.keywords) or not all(map(_is_literal, values)):
                return False
            node = node.func
        elif isinstance(node, ast.Attribute):
            node = node.value
        else:
            return False
    return True


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def names_output(command: Collection[str]) -> bool:
    """Whether a command's arguments say where to write the output."""
    return any("{output}" in word or "REPRO_OUTPUT" in word for word in command)


def placeholders(word: str) -> list[str]:
    """The unknown placeholders in one word of a command."""
    return [m.group() for m in _PLACEHOLDER.finditer(word) if m.group(1) and m.group(1) not in PLACEHOLDERS]
