"""The batch API of a repository that is reached by ssh: `git-lfs-authenticate` on its host names it.

That is how hosting services serve Git LFS to who has a key and no password: the program answers a JSON object with the
URL (`href`) and the headers to ask it with, which hold for some minutes. The user's own ssh asks it, as for the clone.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from repro_tui.support.process import run
from repro_tui.support.redact import strip_urls
from repro_tui.support.text import show
from repro_tui.support.urls import split_url

TIMEOUT_S = 60.0
_SCP = re.compile(r"(?P<host>[^/:]+):(?P<path>[^:].*)")
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "TMPDIR")


@dataclass(frozen=True, slots=True)
class LfsEndpoint:
    """The URL of a batch API, and the headers that it wants; both may hold secrets."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def authenticate(location: str, context: Context) -> LfsEndpoint | None:
    """The batch API of a repository; None where its location is not one of ssh.

    Raises Inconclusive with the reason, where the host does not name one that is encrypted.
    """
    target = _target(location)
    if target is None:
        return None
    arguments, path = target
    command = ["ssh", "-o", "BatchMode=yes", *arguments, f"git-lfs-authenticate {shlex.quote(path)} download"]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    done = run(command, environment=environment, cancel=context.cancel, timeout_s=TIMEOUT_S)
    if done.exit_code:
        lines = [line for line in done.text.splitlines() if line.strip()]
        reason = show(strip_urls(lines[-1]), 200) if lines else f"it ended with status {done.exit_code}"
        raise Inconclusive(f"git-lfs-authenticate on the repository's host failed: {reason}", "")
    return _endpoint(done.text, context)


def _target(location: str) -> tuple[list[str], str] | None:
    """The arguments of ssh that name the host, and the repository's path there."""
    if location.startswith("ssh://"):
        parts = split_url(location)
        user = f"{parts.username}@" if parts.username else ""
        port = ["-p", str(parts.port)] if parts.port else []
        return ([*port, "--", f"{user}{parts.hostname}"], parts.path) if parts.hostname else None
    match = None if "://" in location or location.startswith(("/", "-")) else _SCP.fullmatch(location)
    return (["--", match["host"]], match["path"]) if match else None


def _endpoint(answer: str, context: Context) -> LfsEndpoint:
    """What the program answered; its standard error may have lines before and after it."""
    try:
        described = json.loads(answer[answer.index("{") : answer.rindex("}") + 1])
        url = str(described["href"]).rstrip("/")
        headers = {str(name): str(value) for name, value in (described.get("header") or {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Inconclusive("the answer of git-lfs-authenticate on the repository's host is malformed", "") from error
    for value in headers.values():
        context.redactor.learn(value)
        context.redactor.learn(value.rpartition(" ")[2])
    if not url.startswith("https://"):
        raise Inconclusive("git-lfs-authenticate on the repository's host names a server without encryption", "")
    return LfsEndpoint(url, headers)
