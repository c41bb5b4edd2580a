"""How git may authenticate at a remote repository. No secret is written, and none stands in a command line.

Credentials of a URL reach git by way of GIT_ASKPASS: a program of ours that answers from its environment, and only for
the host of that URL, so that a redirect does not carry them elsewhere. Without such credentials git has `~/.netrc`, the
user's own GIT_ASKPASS, which that program asks, and the credential helper that the user's configuration of this program
names. No helper of any git configuration is run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from repro_tui.formats.config import FILE_NAME, load_config
from repro_tui.support.paths import config_root
from repro_tui.support.urls import split_url

_ASKPASS = """\
#!/bin/sh
case "$1" in
  *"//$REPRO_TUI_GIT_HOST': " | *"@$REPRO_TUI_GIT_HOST': ") ;;
  *) exit 1 ;;
esac
case "$1" in
  Username*) answer=$REPRO_TUI_GIT_USER ;;
  *) answer=$REPRO_TUI_GIT_PASSWORD ;;
esac
if [ -z "$answer" ] && [ -n "$REPRO_TUI_GIT_NEXT" ]; then exec "$REPRO_TUI_GIT_NEXT" "$1"; fi
printf '%s\\n' "$answer"
"""


@dataclass(frozen=True, slots=True)
class Access:
    """What a remote repository is asked with: the user and password of its URL, for one host.

    `ask` false keeps the user's GIT_ASKPASS from git: it may answer for any host, and this host is one that a
    repository's own files name.
    """

    host: str = ""
    user: str = ""
    password: str = ""
    ask: bool = True

    def variables(self, folder: Path) -> dict[str, str]:
        """The variables that git needs for it; the program of ours is laid into `folder`."""
        asking = os.environ.get("GIT_ASKPASS", "") if self.ask else ""
        helper = load_config().credential_helper if self.host and not self.user else ""
        named = {"GIT_CONFIG_KEY_0": "credential.helper", "GIT_CONFIG_VALUE_0": helper, "GIT_CONFIG_COUNT": "1"}
        variables = named if helper else {}
        if self.host and (self.user or asking):
            own = {"GIT_ASKPASS": str(_program(folder)), "REPRO_TUI_GIT_NEXT": asking}
            parts = {"HOST": self.host, "USER": self.user, "PASSWORD": self.password}
            variables |= own | {f"REPRO_TUI_GIT_{name}": value for name, value in parts.items()}
        return variables

    def at(self, url: str) -> Access:
        """The access to another URL that the repository's own files name: the same host's, else none of its secrets.

        A URL without encryption gets none either: anybody on the way could read them.
        """
        parts = split_url(url)
        host = parts.netloc.rpartition("@")[2]
        return self if host == self.host and parts.scheme == "https" else Access(host, ask=False)


def ways(host: str) -> str:
    """The three ways in which the user can give credentials."""
    return (
        f"add {host or 'its host'} to ~/.netrc, set GIT_ASKPASS, or name a helper as git.credential_helper in "
        f"{config_root() / FILE_NAME}"
    )


def _program(folder: Path) -> Path:
    program = folder / "askpass"
    if not program.is_file() or program.read_text("ascii") != _ASKPASS:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"askpass.{os.getpid()}"
        temporary.write_text(_ASKPASS, "ascii")
        temporary.chmod(0o700)
        temporary.replace(program)
    return program
