"""The options of a DVC remote as arguments of the fsspec client that reads its URL; what is not honoured is named."""

from __future__ import annotations

import configparser
import contextlib
import os
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from repro_tui.model.errors import Inconclusive
from repro_tui.support.regular import is_regular, read_regular

# They concern DVC's own work, or writing: reading the same object does not depend on them.
IRRELEVANT = frozenset(
    "acl checksum_jobs grant_full_control grant_read grant_read_acp grant_write_acp jobs listobjects "
    "max_sessions method no_traverse protected shared slow_link_warning sse sse_kms_key_id type verify".split()
)
TRUE = frozenset(("true", "yes", "on", "1"))
FALSE = frozenset(("false", "no", "off", "0"))
Arguments = dict[str, Any]


def client_arguments(protocol: str, options: Mapping[str, str]) -> tuple[Arguments, tuple[str, ...]]:
    """The arguments for the client of this protocol, and the names of the options that it cannot be given.

    Raises Inconclusive where a value is not of the option's type.
    """
    rules = _RULES.get(_FAMILY.get(protocol, protocol), {})
    arguments: Arguments = {}
    left_out = []
    for name, value in options.items():
        rule = rules.get(name)
        if rule is not None:
            _apply(rule, name, value, arguments)
        elif name not in IRRELEVANT and value.lower() not in FALSE:
            left_out.append(name)
    return _finished(_FAMILY.get(protocol, protocol), arguments, left_out), tuple(left_out)


def _apply(rule: tuple[str, Callable[[str], Any]], name: str, value: str, arguments: Arguments) -> None:
    place, convert = rule
    try:
        converted = convert(value)
    except ValueError as error:
        raise Inconclusive(f"the option {name} of a DVC remote is malformed", "correct it in .dvc/config") from error
    *outer, last = place.split(".")
    for key in outer:
        arguments = arguments.setdefault(key, {})
    arguments[last] = converted


def _flag(value: str) -> bool:
    if value.lower() not in TRUE | FALSE:
        raise ValueError(value)
    return value.lower() in TRUE


def _flag_or_path(value: str) -> bool | str:
    return _flag(value) if value.lower() in TRUE | FALSE else value


def _finished(family: str, arguments: Arguments, left_out: list[str]) -> Arguments:
    """The arguments in the form that the client takes, where that is not one for one."""
    if family == "http":
        return _http(arguments, left_out)
    if family == "gs" and arguments.pop("anonymous", False):
        arguments["token"] = "anon"  # noqa: S105 - the name of a mode
    if family == "ssh" and not arguments.pop("agent", True):
        arguments["agent_path"] = None
    if family == "azure":
        return {"anon": False, **_azure_account(), **arguments}
    return arguments


def _azure_account() -> Arguments:
    """The account that Azure's own command line is set up for, which DVC uses: its variables, or else its file."""
    folder = Path(os.environ.get("AZURE_CONFIG_DIR") or "~/.azure").expanduser()
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    if is_regular(folder / "config"):
        with contextlib.suppress(configparser.Error):
            parser.read_string(read_regular(folder / "config", most=1 << 20).decode("utf-8", "replace"))
    account: Arguments = {}
    for name, argument in _AZURE_ACCOUNT.items():
        value = os.environ.get(f"AZURE_STORAGE_{name.upper()}") or parser.get("storage", name, fallback="")
        if value:
            account[argument] = value
    return account


def _http(arguments: Arguments, left_out: list[str]) -> Arguments:
    """DVC's http options: `auth` basic with user and password, or custom with a header; certificates and timeouts."""
    import aiohttp

    given = arguments.pop("http", {})
    method, user, password = given.get("auth", ""), given.get("user"), given.get("password")
    client: Arguments = {"trust_env": True}
    if method == "basic" and user is not None and password is not None:
        pair = b64encode(f"{user}:{password}".encode()).decode()
        client["headers"] = {"Authorization": f"Basic {pair}"}
    elif method == "custom" and given.get("header") and password is not None:
        client["headers"] = {given["header"]: password}
    elif method:
        left_out.append(f"auth = {method}" if method not in ("basic", "custom") else f"auth = {method} (no password)")
    seconds = {key: given[key] for key in ("sock_connect", "sock_read") if key in given}
    if seconds:
        client["timeout"] = aiohttp.ClientTimeout(total=None, **seconds)
    if "verify" in given and given["verify"] is not True:
        arguments["ssl"] = _certificates(given["verify"]) if given["verify"] else False
    return arguments | {"client_kwargs": client}


def _certificates(file: str) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:
        raise Inconclusive("the ssl_verify of a DVC remote cannot be read", "name a file of certificates") from error


_FAMILY = {"https": "http", "s3a": "s3", "gcs": "gs", "sftp": "ssh", **dict.fromkeys(("az", "abfs", "abfss"), "azure")}
_AZURE_ACCOUNT = {
    "account": "account_name",
    "key": "account_key",
    "sas_token": "sas_token",
    "connection_string": "connection_string",
}
_SAME = ("account_key", "account_name", "client_id", "client_secret", "connection_string", "sas_token", "tenant_id")
_RULES: dict[str, dict[str, tuple[str, Callable[[str], Any]]]] = {
    "s3": {
        "endpointurl": ("endpoint_url", str),
        "profile": ("profile", str),
        "region": ("client_kwargs.region_name", str),
        "access_key_id": ("key", str),
        "secret_access_key": ("secret", str),
        "session_token": ("token", str),
        "allow_anonymous_login": ("anon", _flag),
        "use_ssl": ("use_ssl", _flag),
        "ssl_verify": ("client_kwargs.verify", _flag_or_path),
        "read_timeout": ("config_kwargs.read_timeout", float),
        "connect_timeout": ("config_kwargs.connect_timeout", float),
        "cache_regions": ("cache_regions", _flag),
        "sse_customer_algorithm": ("s3_additional_kwargs.SSECustomerAlgorithm", str),
        "sse_customer_key": ("s3_additional_kwargs.SSECustomerKey", str),
    },
    "gs": {
        "projectname": ("project", str),
        "credentialpath": ("token", str),
        "endpointurl": ("endpoint_url", str),
        "allow_anonymous_login": ("anonymous", _flag),
    },
    "azure": {
        **{name: (name, str) for name in _SAME},
        "allow_anonymous_login": ("anon", _flag),
        "timeout": ("timeout", int),
        "read_timeout": ("read_timeout", int),
        "connection_timeout": ("connection_timeout", int),
    },
    "http": {
        "auth": ("http.auth", str.lower),
        "user": ("http.user", str),
        "password": ("http.password", str),
        "custom_auth_header": ("http.header", str),
        "ssl_verify": ("http.verify", _flag_or_path),
        "connect_timeout": ("http.sock_connect", float),
        "read_timeout": ("http.sock_read", float),
    },
    "ssh": {
        "port": ("port", int),
        "user": ("username", str),
        "password": ("password", str),
        "keyfile": ("client_keys", lambda value: [value]),
        "passphrase": ("passphrase", str),
        "timeout": ("timeout", float),
        "gss_auth": ("gss_auth", _flag),
        "allow_agent": ("agent", _flag),
    },
    "file": {},
}
