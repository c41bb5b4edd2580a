"""A real SSH server on loopback, with a host key and a user's key of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import need
from tests.ports import closed_port

SSHD = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")


@dataclass(frozen=True)
class SshServer:
    """How a server on this machine is reached."""

    port: int
    key: Path
    host_key: Path

    @property
    def url(self) -> str:
        """The URL of its root."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    @property
    def known_host(self) -> str:
        """Its line of a known_hosts file."""
        return f"[127.0.0.1]:{self.port} {self.host_key.with_suffix('.pub').read_text()}"

    def run(self, folder: Path, command: list[str], *options: str) -> subprocess.Popen[bytes]:
        """The client, with its command on the other side in that folder."""
        names = [name for name in os.environ if name.startswith(("REPRO_TUI_", "PYTHON"))]
        variables = [f"{name}={os.environ[name]}" for name in names]
        remote = f"cd {shlex.quote(str(folder))} && exec env TERM=xterm {shlex.join([*variables, *command])}"
        common = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        client = ["ssh", "-F", "none", *common, *options, "-i", str(self.key), "-p", str(self.port)]
        return subprocess.Popen(
            [*client, f"{getpass.getuser()}@127.0.0.1", remote],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def client_in(self, folder: Path) -> str:
        """A PATH on which `ssh` is the real client, with this server's keys instead of the user's own configuration."""
        folder.mkdir()
        (folder / "known_hosts").write_text(self.known_host)
        options = f"IdentityFile {self.key}\nIdentitiesOnly yes\nUserKnownHostsFile {folder / 'known_hosts'}\n"
        (folder / "config").write_text(options)
        (folder / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder / "config"} "$@"\n')
        (folder / "ssh").chmod(0o700)
        return f"{folder}:{os.environ['PATH']}"


@contextlib.contextmanager
def ssh_server(folder: Path, variable: str = "") -> Iterator[SshServer]:
    """A server whose files are in `folder`, and which serves SFTP too; `variable` is `NAME=value` for its programs."""
    need("sshd", SSHD is not None and os.geteuid() == 0, "openssh-server is not installed, or this is not root")
    Path("/run/sshd").mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    with closed_port() as port:
        pass  # the server binds it in a moment
    options = {
        "ListenAddress": "127.0.0.1",
        "Port": str(port),
        "HostKey": str(folder / "host"),
        "AuthorizedKeysFile": str(folder / "user.pub"),
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
        "Subsystem": "sftp internal-sftp",
    }
    options |= {"SetEnv": variable} if variable else {}
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    command = [str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        assert b"listening" in server.stderr.readline()
        yield SshServer(port, folder / "user", folder / "host")
        server.terminate()
