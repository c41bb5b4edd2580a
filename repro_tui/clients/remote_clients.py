"""The client of each kind of URL, where fsspec's own choice does not do.

- `azure://` is DVC's name of what fsspec calls `az://`.
- `ssh://` and `sftp://` are read by sshfs. fsspec's own client, of paramiko, accepts any host key, and sshfs does so
  too unless it is asked to read `~/.ssh/known_hosts`: a stranger on the way could ask for a password.
- gcsfs asks about a bucket by gRPC, which a server at an endpoint of its own may not speak: it would wait for a minute,
  and write to standard error. Its plain client is used there.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from repro_tui.support.urls import split_url

CONNECT_S = 60.0
_NAMES = {"azure": "az"}
# A server of ssh drops connections that are begun while too many others are not authenticated yet.
_CONNECTING = threading.Lock()


def client_of(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The fsspec file system of a URL, made with these options of its client, and the path in it.

    Raises ImportError where its package is not installed, ValueError for a scheme that is not known, and whatever the
    client raises.
    """
    import fsspec

    scheme, mark, rest = url.partition("://")
    if scheme in ("ssh", "sftp"):
        return _over_ssh(url, options)
    if scheme in ("gs", "gcs") and options.get("endpoint_url"):
        client = importlib.import_module("gcsfs.core").GCSFileSystem
        return client(**options), client._strip_protocol(url)
    return fsspec.core.url_to_fs(f"{_NAMES.get(scheme, scheme)}{mark}{rest}", **options)  # type: ignore[no-any-return]


def _over_ssh(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The user's ~/.ssh/config, agent, keys and known_hosts are used as ssh uses them."""
    client, parts = importlib.import_module("sshfs").SSHFileSystem, split_url(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    of_url = {"username": user, "password": password, "port": parts.port}
    named = {name: value for name, value in of_url.items() if value}
    with _CONNECTING:
        system = client(_host(parts.netloc), **{"known_hosts": (), "timeout": CONNECT_S, **named, **options})
    return system, parts.path


def _host(netloc: str) -> str:
    """The host as it is written: the names of ~/.ssh/config are case-sensitive."""
    host = netloc.rpartition("@")[2]
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
