"""Why a repository could not be read, from what git and ssh wrote, and what to do about that cause."""

from __future__ import annotations

import re

from repro_tui.clients.git.access import ways
from repro_tui.clients.git.location import is_partial, is_shallow
from repro_tui.support.urls import split_url

UNSHALLOW = "run git fetch --unshallow in that repository, or record the URL that it was cloned from"
REFETCH = "run git fetch --refetch --no-filter in that repository, or record the URL that it was cloned from"
_CAUSES = (
    (r"Permission denied \(|Too many authentication failures", "load a key that may read it into the agent (ssh-add)"),
    (r"Host key verification failed", "connect to that host once with ssh, and check and accept its key"),
    (r"[Cc]ould not resolve host|Connection (refused|timed out|reset)|Network is unreachable", "check the network"),
    (r"SSL certificate|server certificate", "set SSL_CERT_FILE to the certificates that its server is signed by"),
)
_NO_CREDENTIALS = re.compile(r"could not read (Username|Password)|Authentication failed|error: (401|403)")


def remedy(errors: str, location: str) -> str:
    """What to do about a repository that git could not read; `errors` is what it wrote to standard error."""
    if _NO_CREDENTIALS.search(errors):
        return ways(split_url(location).netloc.rpartition("@")[2])
    if is_partial(location):
        return REFETCH
    for pattern, action in _CAUSES:
        if re.search(pattern, errors):
            return action
    return "check that it exists, that you may read it, and that git can reach it without asking for a password"


def missing_commit(location: str) -> tuple[str, str]:
    """A note on a repository without the commit that it should have, and what to do."""
    if is_shallow(location):
        return ", which is a shallow clone", UNSHALLOW
    if is_partial(location):
        return ", which is a partial clone", REFETCH
    return "", "push or fetch the commit into that repository, or record the repository that has it"
