"""W&B's client in a child process, with the user's own variables and a time limit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from repro_tui.clients.answers import WandbAnswer
from repro_tui.clients.client_child import ClientChild, must_answer, standing_folder
from repro_tui.support.context import Context
from repro_tui.support.paths import import_root
from repro_tui.support.redact import strip_url
from repro_tui.support.text import show

TIMEOUT_S = 120.0
FETCH_TIMEOUT_S = 3600.0
DEFAULT_URL = "https://api.wandb.ai"
DO = "check WANDB_BASE_URL and WANDB_API_KEY (or run wandb login), and that you have read access"


def ask_wandb(command: str, subject: str, folder: Path, context: Context) -> WandbAnswer:
    """The answer of clients.wandb_child to a command (`describe` or `fetch`).

    Raises Inconclusive if W&B does not answer or reports an error.
    """
    context.redactor.learn(os.environ.get("WANDB_API_KEY", ""))
    client = ClientChild(f"W&B at {server()}", DO, FETCH_TIMEOUT_S if command == "fetch" else TIMEOUT_S)
    if address := _address():
        must_answer(address, "WANDB_BASE_URL", client)
    with standing_folder(context) as standing:
        arguments = ("repro_tui.clients.wandb_child", command, subject, str(folder))
        return cast(WandbAnswer, client.answer(arguments, _environment(standing), standing, context))


def server() -> str:
    """The server, safe to show."""
    return show(strip_url(os.environ.get("WANDB_BASE_URL") or DEFAULT_URL), 200)


def _address() -> str:
    """The server that the client certainly uses; "" if its settings file or a proxy may decide otherwise."""
    own_proxy = any(name.startswith("WANDB") and "PROX" in name for name in os.environ)
    return "" if own_proxy else os.environ.get("WANDB_BASE_URL", "")


def _environment(standing: Path) -> dict[str, str]:
    """The user's own variables, which name server and key, with every folder that W&B writes to redirected."""
    folders = {f"WANDB_{name}": str(standing) for name in ("DIR", "CACHE_DIR", "DATA_DIR")}
    return {name: value for name, value in os.environ.items() if not name.startswith("WANDB_RUN")} | {
        **folders,
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "WANDB_CONSOLE": "off",
        "TMPDIR": str(standing),
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(import_root()),
        "PYTHONWARNINGS": "ignore",
    }
