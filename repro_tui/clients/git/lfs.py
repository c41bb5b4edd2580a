"""Git LFS objects: from our cache, the repository's own store, or the server of its batch API; each is verified.

A pointer names an object by its sha256 and size. It is looked for in

1. our cache;
2. `lfs/objects` of a repository on this machine (a path, or a file URL);
3. the server at `lfs.url` of the commit's .lfsconfig, else at `info/lfs` below the repository's https URL, or the one
   that `git-lfs-authenticate` names on the host of a repository that is reached by ssh.

`git-lfs` is not run. The repository's user and password are only used for its own host, `~/.netrc` and a helper of the
user's configuration for the host that they name, and none of them without encryption.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from repro_tui.clients.git.lfs_ssh import LfsEndpoint, authenticate
from repro_tui.clients.git.location import local_git_dir, without_credentials
from repro_tui.clients.git.tree import LARGEST_POINTER
from repro_tui.model.errors import Inconclusive
from repro_tui.support.cache import Stored
from repro_tui.support.redact import strip_url, strip_urls
from repro_tui.support.regular import is_regular, open_regular
from repro_tui.support.text import show
from repro_tui.support.urls import split_url

if TYPE_CHECKING:
    from requests import PreparedRequest

    from repro_tui.clients.git.repository import Repository

TIMEOUT_S = 60.0
BATCH = 100
MEDIA = "application/vnd.git-lfs+json"
_POINTER = re.compile(
    r"version https://git-lfs\.github\.com/spec/v1\n(?P<extra>(?:ext-[^\n]*\n)*)"
    r"oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>[0-9]{1,18})\n?"
)


@dataclass(frozen=True, slots=True)
class Pointer:
    """A file that Git LFS keeps elsewhere: its path in the commit, its sha256 and its size in bytes."""

    path: str
    oid: str
    size: int


def parse_pointer(path: str, content: bytes) -> Pointer:
    """The pointer in a file. Raises Inconclusive where it is malformed, or needs an extension's program."""
    match = _POINTER.fullmatch(content[:LARGEST_POINTER].decode("ascii", "replace"))
    if match is None or match["extra"]:
        problem = "uses an extension, whose program is not run" if match else "is malformed"
        raise Inconclusive(
            f"{show(path, 200)} is a Git LFS pointer that {problem}",
            "record the file as data with its own source and sha256, or commit it itself",
        )
    return Pointer(path, match["oid"], int(match["size"]))


@dataclass(slots=True)
class LfsStore:
    """The LFS objects of one commit of a repository."""

    repository: Repository
    commit: str

    def fetch(self, pointers: list[Pointer]) -> dict[str, Stored]:
        """The objects of these pointers, by path. Raises Inconclusive that names every one that cannot be had."""
        stored: dict[str, Stored] = {}
        for pointer in pointers:
            if kept := self._kept(pointer):
                stored[pointer.path] = kept
        absent = [pointer for pointer in pointers if pointer.path not in stored]
        reasons: dict[str, str] = {}
        if absent and (endpoint := self._endpoint(reasons)):
            for at in range(0, len(absent), BATCH):
                stored |= _Batch(self.repository, endpoint, reasons).fetch(absent[at : at + BATCH])
        if missing := [pointer for pointer in absent if pointer.path not in stored]:
            raise self._missing(missing, reasons)
        return stored

    def _kept(self, pointer: Pointer) -> Stored | None:
        context = self.repository.context
        if stored := context.cache.find_object(sha256=pointer.oid):
            return stored
        folder = local_git_dir(self.repository.location)
        file = folder / "lfs" / "objects" / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid if folder else None
        if file is None or not is_regular(file):
            return None
        with open_regular(file) as stream:
            return _verified(context.cache.add_object(stream, context.cancel, limit=pointer.size), pointer)

    def _endpoint(self, reasons: dict[str, str]) -> LfsEndpoint | None:
        """The batch API; None where there is none that can be asked, and the reason where there is one."""
        settings = self.repository.settings(self.commit, ".lfsconfig")
        url = settings.get("lfs.url") or settings.get("remote.origin.lfsurl") or ""
        if url.startswith(("http://", "https://")):
            return LfsEndpoint(url.rstrip("/"))
        location = self.repository.location
        if url:
            reasons[""] = f"lfs.url of .lfsconfig is {show(strip_url(url), 200)}, which is neither http nor https"
            return None
        if location.startswith("https://"):
            return LfsEndpoint(location.rstrip("/").removesuffix(".git") + ".git/info/lfs")
        try:
            return authenticate(location, self.repository.context)
        except Inconclusive as error:
            reasons[""] = error.what
            return None

    def _missing(self, missing: list[Pointer], reasons: dict[str, str]) -> Inconclusive:
        first = missing[0]
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        reason = reasons.get(first.path) or reasons.get("") or "no store that can be reached has it"
        local = local_git_dir(self.repository.location)
        place = f"in {self.repository.name}" if local else "in a clone of it, and record the clone's path"
        return Inconclusive(
            f"{show(first.path, 200)}{more} of commit {self.commit[:12]} is in Git LFS (oid sha256:{first.oid}) "
            f"and was not fetched: {reason}",
            f"run git lfs fetch origin {self.commit} {place}",
        )


def _verified(stored: Stored, pointer: Pointer) -> Stored:
    if stored.sha256 != pointer.oid or stored.size != pointer.size:
        raise Inconclusive(
            f"the Git LFS object of {show(pointer.path, 200)} is damaged: recorded sha256 {pointer.oid}, "
            f"fetched sha256 {stored.sha256}",
            "run git lfs fsck in that repository, and git lfs fetch",
        )
    return stored


def _netrc(url: str, headers: Mapping[str, str]) -> Callable[[PreparedRequest], PreparedRequest] | None:
    """None, with which requests reads ~/.netrc; what keeps it from that without encryption, or with a header of ours.

    requests would put what ~/.netrc says of the host in the place of the header.
    """
    named = any(name.lower() == "authorization" for name in headers)
    return None if url.startswith("https://") and not named else lambda request: request


class _Batch:
    """One request for up to BATCH objects, and their downloads; `reasons` collects why an object was not fetched."""

    def __init__(self, repository: Repository, endpoint: LfsEndpoint, reasons: dict[str, str]) -> None:
        import requests

        plain, own = without_credentials(endpoint.url)
        self.headers = dict(endpoint.headers)
        self.repository, self.url, self.reasons = repository, plain, reasons
        self.access = own if own.user else repository.access.at(plain)
        self.session = requests.Session()
        # With each request: a session's own setting gives way to REQUESTS_CA_BUNDLE.
        certificates = [os.environ[name] for name in ("GIT_SSL_CAINFO", "SSL_CERT_FILE") if os.environ.get(name)]
        self.verify: str | bool = certificates[0] if certificates else True

    def fetch(self, pointers: list[Pointer]) -> dict[str, Stored]:
        """The objects that the server has, by path."""
        import requests
        import urllib3

        stored: dict[str, Stored] = {}
        broken = (requests.RequestException, urllib3.exceptions.HTTPError)
        try:
            actions = self._actions(pointers)
            for pointer in pointers:
                if pointer.oid in actions:
                    stored[pointer.path] = self._download(pointer, actions[pointer.oid])
                else:
                    self.reasons.setdefault(pointer.path, f"{strip_url(self.url)} does not have it")
        except (*broken, ValueError, KeyError, TypeError, AttributeError) as error:
            self.reasons[""] = f"{strip_url(self.url)}: {show(strip_urls(str(error)), 200)}"
        return stored

    def _actions(self, pointers: list[Pointer]) -> dict[str, dict[str, Any]]:
        """The download of each object that the server has, by oid."""
        objects = [{"oid": pointer.oid, "size": pointer.size} for pointer in pointers]
        asked = {"operation": "download", "transfers": ["basic"], "hash_algo": "sha256", "objects": objects}
        for user, password in self._credentials():
            answer = self.session.post(
                f"{self.url}/objects/batch",
                json=asked,
                headers={**self.headers, "Accept": MEDIA, "Content-Type": MEDIA},
                auth=(user, password) if user else _netrc(self.url, self.headers),
                timeout=TIMEOUT_S,
                verify=self.verify,
            )
            if answer.status_code not in (401, 403):
                break
        answer.raise_for_status()
        return {item["oid"]: item["actions"]["download"] for item in answer.json()["objects"] if "actions" in item}

    def _credentials(self) -> Iterator[tuple[str, str]]:
        """What to ask with, in order: the URL's own or ~/.netrc, then what the user's helper or GIT_ASKPASS answers."""
        yield self.access.user, self.access.password
        if not self.access.user and not self.headers and self.url.startswith("https://"):
            described = f"url={self.url}\n\n".encode()
            filled = self.repository.ask("credential", "fill", content=described).output.decode("utf-8", "replace")
            answers = dict(line.split("=", 1) for line in filled.splitlines() if "=" in line)
            if answers.get("password"):
                self.repository.context.redactor.learn(answers["password"])
                yield answers.get("username", ""), answers["password"]

    def _download(self, pointer: Pointer, action: dict[str, Any]) -> Stored:
        context, href = self.repository.context, str(action["href"])
        headers = {str(name): str(value) for name, value in (action.get("header") or {}).items()}
        own = split_url(href)[:2] == split_url(self.url)[:2] and "Authorization" not in headers
        headers = {**self.headers, **headers} if own else headers
        auth = (self.access.user, self.access.password) if own and self.access.user else _netrc(href, headers)
        asked = self.session.get(href, headers=headers, auth=auth, stream=True, timeout=TIMEOUT_S, verify=self.verify)
        with asked as answer:
            answer.raise_for_status()
            answer.raw.decode_content = True
            stream = cast(BinaryIO, answer.raw)
            return _verified(context.cache.add_object(stream, context.cancel, limit=pointer.size), pointer)
