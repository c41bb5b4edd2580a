"""The credentials that the user's own tools keep on this machine, so that they can be hidden wherever they turn up.

Only what is needed to recognise them is kept, in memory. Files are read as text: what their tools accept (INI, TOML,
YAML, JSON, URLs) has its secrets after a name that says so, or inside a URL.
"""

from __future__ import annotations

import base64
import contextlib
import json
import netrc
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from repro_tui.support.paths import read_text
from repro_tui.support.redact import SAFE_VARIABLES, Redactor, is_ordinary, is_secret_name, secrets_in

LARGEST = 1 << 20
# Below the home folder; variables that name another place for some of them.
FILES = (
    *(
        ".git-credentials",
        ".config/git/credentials",
        ".docker/config.json",
        ".pypirc",
        ".condarc",
        ".kaggle/kaggle.json",
    ),
    *(".pip/pip.conf", ".config/pip/pip.conf", ".config/uv/uv.toml", ".local/share/uv/credentials/credentials.toml"),
    *(".aws/credentials", ".aws/config", ".mlflow/credentials", ".config/dvc/config", ".config/gh/hosts.yml"),
    *(".databrickscfg", ".config/wandb/settings", ".config/containers/auth.json"),
)
WHOLE_FILES = (".cache/huggingface/token", ".huggingface/token")
NAMED_BY = ("PIP_CONFIG_FILE", "UV_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "REGISTRY_AUTH_FILE")
_SETTING = re.compile(r"(?:^|[{,])[ \t]*[\"']?([\w.-]+)[\"']?[ \t]*[=:][ \t]*[\"']?([^\s\"',}]+)", re.MULTILINE)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE)


def learn_accounts(redactor: Redactor, environment: Mapping[str, str] | None = None) -> None:
    """Registers the credentials in the user's environment variables and in the files of git, pip, uv, Docker, AWS, …"""
    variables = os.environ if environment is None else environment
    for name, value in variables.items():
        if name not in SAFE_VARIABLES and is_secret_name(name) and not is_ordinary(value.replace("_", "")):
            redactor.learn(value)
        for url in _URL.findall(value):
            _learn_all(secrets_in(url), redactor)
    home = Path(variables.get("HOME", "/nonexistent"))
    named = [Path(variables[name]) for name in NAMED_BY if variables.get(name)]
    docker = [Path(variables["DOCKER_CONFIG"]) / "config.json"] if variables.get("DOCKER_CONFIG") else []
    for path in (*(home / name for name in FILES), *named, *docker, Path("/etc/pip.conf")):
        if path.is_file():
            _learn_all(_in_file(read_text(path, LARGEST)), redactor)
    for name in WHOLE_FILES:
        redactor.learn(read_text(home / name, LARGEST).strip())
    _learn_all(_in_netrc(Path(variables.get("NETRC") or home / ".netrc")), redactor)


def _learn_all(values: Iterator[str], redactor: Redactor) -> None:
    for value in values:
        redactor.learn(value)


def _in_file(text: str) -> Iterator[str]:
    for url in _URL.findall(text):
        yield from secrets_in(url)
    for name, value in _SETTING.findall(text):
        if is_secret_name(name) and not is_ordinary(value.replace("_", "")):
            yield value
    with contextlib.suppress(ValueError, RecursionError):
        yield from _of_registries(json.loads(text))


def _of_registries(document: object) -> Iterator[str]:
    """The logins of a Docker configuration, which are `user:password` in base64."""
    registries = document.get("auths") if isinstance(document, dict) else None
    for login in registries.values() if isinstance(registries, dict) else ():
        auth = login.get("auth") if isinstance(login, dict) else None
        if isinstance(auth, str):
            pair = base64.b64decode(auth, validate=False).decode("utf-8", "replace")
            yield pair
            yield pair.partition(":")[2]


def _in_netrc(path: Path) -> Iterator[str]:
    with contextlib.suppress(OSError, netrc.NetrcParseError, UnicodeDecodeError):
        for _, _, password in netrc.netrc(str(path)).hosts.values():
            yield password or ""
