"""Runs git through GitPython: with fixed argument lists, a minimal environment and only our own configuration."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro_tui.clients.git.access import Access
from repro_tui.model.errors import Inconclusive
from repro_tui.support.cancel import CancelToken
from repro_tui.support.plain import write_atomically
from repro_tui.support.process import end_group, marked, tied
from repro_tui.support.redact import strip_urls
from repro_tui.support.text import show

if TYPE_CHECKING:
    from git.cmd import Git

TIMEOUT_S = 3600.0
NO_GIT = ("git is not installed", "install git 2.30 or later, and check that it is on PATH")
# The user's variables that a git process may see; no others reach git.
_KEPT = frozenset(
    "PATH TMPDIR LANGUAGE LC_ALL SSH_AUTH_SOCK SSL_CERT_FILE SSL_CERT_DIR GIT_SSL_CAINFO CURL_CA_BUNDLE "
    "http_proxy https_proxy no_proxy all_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY".split()
)
_FIXED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "file:https:ssh",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
}
# `directory = *`: git only serves from a foreign repository here (upload-pack), and never works in one.
# The fsck exceptions are old, harmless flaws of well-known repositories.
_CONFIGURATION = b"""\
[safe]
\tdirectory = *
\tbareRepository = explicit
[transfer]
\tfsckObjects = true
[fetch "fsck"]
\tzeroPaddedFilemode = warn
\tmissingSpaceBeforeDate = warn
\tbadTimezone = warn
\tmissingEmail = warn
\tmissingNameBeforeEmail = warn
\tmissingSpaceBeforeEmail = warn
[core]
\thooksPath = /dev/null
\tfsmonitor = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[protocol]
\tversion = 2
[http]
\tlowSpeedLimit = 1000
\tlowSpeedTime = 60
[submodule]
\trecurse = false
[fetch]
\trecurseSubmodules = false
"""


_REASON = re.compile(r"^(ssh: |Host key verification|remote: (fatal|error|ERROR): )|Permission denied \(")


@dataclass(frozen=True, slots=True)
class GitResult:
    """The exit status and output of a git process."""

    exit_code: int
    output: bytes
    errors: str

    @property
    def reason(self) -> str:
        """What ssh or the server wrote, else git's first fatal or error message, else its first line; safe to show."""
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        reasons = [line for line in lines if _REASON.search(line)]  # of ssh or the server, which git does not repeat
        messages = reasons or [line for line in lines if line.startswith(("fatal:", "error:"))] or lines
        return show(strip_urls(messages[0]), 300) if messages else f"git ended with status {self.exit_code}"


@dataclass(frozen=True, slots=True)
class GitProcess:
    """Runs git processes; their only configuration is a file in `folder` (inside the cache)."""

    folder: Path
    cancel: CancelToken

    def run(
        self,
        *arguments: str,
        git_dir: Path | None = None,
        access: Access | None = None,
        content: bytes = b"",
        variables: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> GitResult:
        """Runs git to its end, with `content` as its standard input; the caller judges its exit status.

        `access` is given where a remote repository is asked. Raises Cancelled, and Inconclusive if git is not installed
        or takes longer than `timeout_s` seconds.
        """
        started = self.started(
            *arguments, git_dir=git_dir, access=access, stdin=bool(content), variables=variables or {}
        )
        with started as process:
            began, waiting = time.monotonic(), content or None
            while True:
                try:
                    output, errors = process.communicate(waiting, timeout=0.1)
                    break
                except subprocess.TimeoutExpired:
                    waiting = None
                    self.cancel.check()
                    if time.monotonic() - began > timeout_s:
                        raise _late(arguments[0], timeout_s) from None
        return GitResult(process.returncode, output, errors.decode("utf-8", "replace"))

    @contextmanager
    def started(
        self,
        *arguments: str,
        git_dir: Path | None = None,
        access: Access | None = None,
        stdin: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A git process in its own session, with its pipes; on leaving the block, it is ended where it still runs."""
        place = [f"--git-dir={git_dir}"] if git_dir else []
        environment = marked(self._environment(access) | dict(variables or {}))
        wrapper: Any = _git().execute(
            [*tied(), *_without(environment, access), "git", *place, *arguments],
            as_process=True,
            istream=subprocess.PIPE if stdin else None,
            env=environment,
            start_new_session=True,
        )
        process: subprocess.Popen[bytes] = wrapper.proc
        try:
            yield process
        finally:
            if process.poll() is None:
                end_group(process)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def _environment(self, access: Access | None) -> dict[str, str]:
        file = self.folder / "configuration"
        if not file.is_file() or file.read_bytes() != _CONFIGURATION:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(file, _CONFIGURATION)
        environment = {**_FIXED, "GIT_CONFIG_GLOBAL": str(file)}
        environment |= {"HOME": os.devnull} if access is None else access.variables(self.folder)
        if "SSL_CERT_FILE" in os.environ and "GIT_SSL_CAINFO" not in os.environ:
            environment["GIT_SSL_CAINFO"] = os.environ["SSL_CERT_FILE"]
        return environment


def _git() -> Git:
    if shutil.which("git") is None or shutil.which("env") is None:
        raise Inconclusive(*NO_GIT)
    try:
        from git.cmd import Git
    except ImportError as error:
        raise Inconclusive(*NO_GIT) from error
    return Git(os.sep)


def _late(command: str, timeout_s: float) -> Inconclusive:
    return Inconclusive(
        f"git {command} took longer than {timeout_s:.0f} s",
        "check the connection to the repository, or record a local copy",
    )


def _without(environment: Mapping[str, str], access: Access | None) -> list[str]:
    """`env -u` for every other variable of the user: GitPython always passes on its own copy of the environment."""
    kept = {*_KEPT, *environment} | (set() if access is None else {"HOME", "USER", "LOGNAME"})
    return ["env", *(part for name in sorted(os.environ) if name not in kept for part in ("-u", name))]
