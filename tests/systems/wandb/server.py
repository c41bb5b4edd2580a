"""A server on loopback that answers the GraphQL requests of W&B's real client: one run, its files and its artifact."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "c4n4ry5ecret7f3a" * 3  # as long as W&B requires
PROJECT = {"id": "p1", "internalId": "1", "name": "credit", "entity": {"name": "acme"}}
SEQUENCE = {"__typename": "ArtifactSequence", "name": "model", "project": PROJECT}
LAST = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}


def base64_md5(raw: bytes) -> str:
    return b64encode(hashlib.md5(raw).digest()).decode()


@dataclass
class WandbServer:
    """The server's content: `files` of the runs, `contents` of the artifact, `served` what it returns in their place.

    `runs` are the configurations of the runs by their id; `asked` are the names of the requests, `headers` the
    credentials that came with them.
    """

    files: dict[str, bytes]
    contents: dict[str, bytes]
    runs: dict[str, dict[str, Any]] = field(default_factory=lambda: {"abc123": {}})
    summary: dict[str, Any] = field(default_factory=dict)
    commit: str = "1" * 40
    state: str = "finished"
    version: int = 3
    served: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    hang: bool = False
    asked: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)

    @property
    def manifest(self) -> dict[str, Any]:
        entries = {
            name: {"digest": base64_md5(raw), "size": len(raw), "birthArtifactID": "art1"}
            for name, raw in self.contents.items()
        }
        policy = {"storagePolicy": "wandb-storage-policy-v1", "storagePolicyConfig": {"storageLayout": "V2"}}
        return {"version": 1, **policy, "contents": entries}

    @property
    def digest(self) -> str:
        lines = (f"{name}:{base64_md5(raw)}\n" for name, raw in sorted(self.contents.items()))
        return hashlib.md5(b"wandb-artifact-manifest-v1\n" + "".join(lines).encode()).hexdigest()

    def answer(self, name: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        """The data for one request; None if this server does not know it."""
        viewer = {"id": "u", "entity": "acme", "username": "ada", "email": "", "flags": "{}", "teams": {"edges": []}}
        artifact = self._artifact()
        membership = {"__typename": "ArtifactCollectionMembership", "id": "m", "versionIndex": self.version}
        membership |= {"artifactCollection": SEQUENCE, "artifact": artifact, "aliases": []}
        membership |= {"createdAt": "2026-11-25T09:00:00Z"}
        name_of_run = variables.get("name") or variables.get("run")
        known = name_of_run in self.runs or name_of_run == f"model:v{self.version}"
        answers: dict[str, Any] = {
            "Viewer": {"viewer": viewer},
            "GetDefaultEntity": {"viewer": viewer},
            "ServerFeaturesQuery": {"serverInfo": {"features": []}},
            "Run": {"project": {"internalId": "1", "run": self._run(str(name_of_run)) if known else None}},
            "RunFiles": {"project": {"internalId": "1", "run": self._files()}},
            "RunInputArtifacts": {"project": {"run": {"artifacts": _page([])}}},
            "RunOutputArtifacts": {"project": {"run": {"artifacts": _page([artifact])}}},
            "ArtifactMembershipByName": {"project": {"artifactCollectionMembership": membership if known else None}},
            "FetchArtifactManifest": {"artifact": artifact},
            "GetArtifactMembershipFileUrls": {
                "project": {"artifactCollection": SEQUENCE | {"artifactMembership": self._urls()}}
            },
        }
        return answers.get(name)

    def _run(self, name: str) -> dict[str, Any]:
        values = {"_wandb": {}} | self.runs.get(name, {})
        config = {key: {"value": value} for key, value in values.items()}
        return {
            "id": "R1",
            "name": name,
            "displayName": "ridge",
            "state": self.state,
            "projectId": "1",
            "commit": self.commit,
            "config": json.dumps(config),
            "summaryMetrics": json.dumps(self.summary),
            "createdAt": "2026-11-25T09:00:00Z",
            "heartbeatAt": "2026-11-25T09:01:00Z",
            "systemMetrics": "{}",
            "tags": [],
            "user": {"name": "ada", "username": "ada"},
            "readOnly": False,
            "historyLineCount": 3,
        }

    def _files(self) -> dict[str, Any]:
        nodes = [
            {
                "id": name,
                "name": name,
                "sizeBytes": str(len(raw)),
                "md5": base64_md5(raw),
                "mimetype": "",
                "url": f"{self.url}/files/{name}",
                "directUrl": f"{self.url}/files/{name}",
                "updatedAt": None,
            }
            for name, raw in self.files.items()
        ]
        return {"fileCount": len(nodes), "files": _page(nodes)}

    def _artifact(self) -> dict[str, Any]:
        manifest = {"file": {"directUrl": f"{self.url}/manifest"}}
        return {
            "__typename": "Artifact",
            "id": "art1",
            "artifactSequence": SEQUENCE,
            "versionIndex": self.version,
            "artifactType": {"name": "model"},
            "metadata": "{}",
            "tags": [],
            "state": "COMMITTED",
            "aliases": [],
            "digest": self.digest,
            "size": "15",
            "commitHash": "c",
            "fileCount": len(self.contents),
            "createdAt": "2026-11-25T09:00:00Z",
            "currentManifest": manifest,
            "ttlDurationSeconds": -2,
            "ttlIsInherited": False,
            "description": None,
            "historyStep": None,
            "updatedAt": None,
        }

    def _urls(self) -> dict[str, Any]:
        nodes = [
            {"__typename": "File", "name": name, "directUrl": f"{self.url}/objects/{hashlib.md5(raw).hexdigest()}"}
            for name, raw in self.contents.items()
        ]
        return {"__typename": "ArtifactCollectionMembership", "files": _page(nodes)}

    def content(self, path: str) -> bytes | None:
        """The response to a GET: a file of the run, the manifest, or a file of the artifact by its md5."""
        if path == "/manifest":
            return json.dumps(self.manifest).encode()
        if path.startswith("/files/"):
            return self.files.get(path.removeprefix("/files/"))
        for name, raw in self.contents.items():
            if hashlib.md5(raw).hexdigest() in path:
                return self.served.get(name, raw)
        return None


def _page(nodes: list[Any]) -> dict[str, Any]:
    return {"totalCount": len(nodes), "pageInfo": LAST, "edges": [{"node": node, "cursor": None} for node in nodes]}


@contextlib.contextmanager
def serving(server: WandbServer) -> Iterator[WandbServer]:
    """Runs the server on a free port until the block ends."""

    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            if server.hang:
                released.wait()
            if self.path != "/graphql":
                return self._reply(b"{}")
            server.headers.append(self.headers.get("authorization", ""))
            body = json.loads(raw)
            operation = re.search(r"\b(?:query|mutation)\s+(\w+)", body["query"])
            name = operation.group(1) if operation else "?"
            server.asked.append(name)
            data = server.answer(name, body.get("variables") or {})
            if data is None:
                return self._reply(json.dumps({"errors": [{"message": f"unknown request {name}"}]}).encode())
            return self._reply(json.dumps({"data": data}).encode())

        def do_GET(self) -> None:
            server.asked.append(self.path)
            raw = server.content(self.path)
            self._reply(raw or b"", 200 if raw is not None else 404)

        def _reply(self, raw: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *arguments: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        released.set()
        http.shutdown()
        http.server_close()
        thread.join()
