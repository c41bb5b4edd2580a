"""A subtree of the control groups for one engine, which systemd hands over to it.

A user's scopes end with the user's systemd, which ends when the user logs out: an audit would not survive the loss of
its SSH connection. So a user has a scope only where lingering is enabled.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from pathlib import Path

from repro_tui.support.process import query

_TRIAL_S = 10.0
_LINGERING = Path("/var/lib/systemd/linger")


def own_scope(name: str) -> list[str]:
    """The command prefix that starts a program in a scope of its own; [] where systemd does not run or refuses.

    Without it, a user's processes are in a group of the session, in which only root can make others.
    """
    unified = Path("/sys/fs/cgroup/cgroup.controllers")
    if not Path("/run/systemd/system").is_dir() or not unified.exists() or not _outlives_login():
        return []
    prefix = ["systemd-run", *([] if os.geteuid() == 0 else ["--user"]), "--scope", "--quiet", "--collect"]
    prefix += ["--property=Delegate=yes"]
    try:
        done = query([*prefix, "--", "true"], environment=dict(os.environ), timeout_s=_TRIAL_S)
    except (OSError, subprocess.TimeoutExpired):
        return []
    unit = re.sub(r"[^A-Za-z0-9]+", "-", name)
    return [*prefix, f"--unit=repro-tui-{unit}", "--"] if done.returncode == 0 else []


def _outlives_login() -> bool:
    if os.geteuid() == 0:
        return True
    try:
        return (_LINGERING / pwd.getpwuid(os.geteuid()).pw_name).exists()
    except KeyError:
        return False
