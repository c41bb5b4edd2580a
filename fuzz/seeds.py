"""The seed corpus: for each target, small valid inputs, from which a fuzzer goes on."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuzz import targets
from repro_tui.formats.value_files import FORMATS
from repro_tui.formats.wandb_log import HEADER
from repro_tui.support.plain import dumps

ROOT = Path(__file__).parents[1]
POETRY = ROOT / "tests" / "formats" / "locks" / "poetry-1.8"
COMMIT, DIGEST = "9f2c" * 10, "a3" * 32

RECORD = f"""\
schema = 1
[validation]
inputs = "inputs.csv"
key = ["id"]
[validation.columns.score]
kind = "probability"
atol = 1e-6
[deployments.prod]
description = "what serves customers"
[deployments.prod.code]
repository = "https://example.org/a.git"
commit = "{COMMIT}"
[deployments.prod.environment]
image = "127.0.0.1:5000/credit@sha256:{DIGEST}"
variables = {{ TZ = "UTC" }}
[deployments.prod.parameters]
file = "params.yaml"
values = {{ model = {{ threshold = 0.5 }} }}
[[deployments.prod.data]]
path = "data/model.json"
source = "dvc"
[deployments.prod.predict]
command = ["python", "predict.py", "{{inputs}}", "{{output}}"]
"""
RECORD_YAML = """\
schema: 1
deployments:
  a:
    environment: {lock: uv.lock, python: "3.11"}
    predict: {call: "pkg.mod:Model('x').predict"}
"""
REFERENCES = (
    *("prod", "repro.toml#prod", "git:HEAD~1", "dvc:v1#stage:out.csv", "runs:/0a1b2c", "models:/m/1", "models:/m@prod"),
    *("wandb:a/b/c", "docker:web", f"image:a/b:1@sha256:{DIGEST}", "sif:a.sif", "http://u:p@h:80/x?y=z#f", "./prod"),
    *("https://u:p@example.org/a.git", "ssh://git@h:22/a", "git@h:a/b.git", "file:///a", "ext::sh -c x", "-x"),
    *(f"sha256:{DIGEST}", "localhost:5000/a_b/c--d:tag", COMMIT, "2026-03-01T00:00:00Z", 'p.m:C("x", [1]).f'),
    *("{inputs} {{x}} {seed}", "a/../b", "/data/x", "http://[::1", "user:group"),
)
REQUIREMENTS = """\
# comment
six==1.16.0 --hash=sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254
numpy>=1.26,<3; python_version >= "3.9" \\
    --hash=sha256:aa
-r other.txt
-c other.txt
--index-url https://u:p@example.org/simple
own @ file:///home/ada/dist/own-1.2-py3-none-any.whl
-e ./here
pkg[extra] ~= 1.0
"""
UV = """\
version = 1
revision = 3
requires-python = ">=3.9"
[[package]]
name = "app"
version = "1"
source = { editable = "." }
dependencies = [{ name = "a", marker = "os_name == 'posix'" }]
[package.optional-dependencies]
fast = [{ name = "a", extra = ["x"] }]
[package.dev-dependencies]
dev = [{ name = "a" }]
[[package]]
name = "a"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://h/a-1.0-py3-none-any.whl", hash = "sha256:aa" }]
"""
PYLOCK = """\
lock-version = "1.0"
extras = ["x"]
environments = ["sys_platform == 'linux'"]
[[packages]]
name = "a"
version = "1"
marker = "'x' in extras"
wheels = [{ name = "a-1-py3-none-any.whl", hashes = { sha256 = "aa" } }]
[[packages]]
name = "b"
directory = { path = "." }
"""
PDM = """\
[metadata]
groups = ["default"]
strategy = ["inherit_metadata"]
lock_version = "4.5.0"
[[metadata.targets]]
requires_python = ">=3.8"
[[package]]
name = "six"
version = "1.16.0"
groups = ["default"]
dependencies = ["b>=1; os_name == 'posix'"]
files = [{ file = "a", hash = "sha256:aa" }]
[[package]]
name = "b"
version = "2"
requires_python = ">=3.8"
files = [{ hash = "sha256:aa" }]
"""
PIPFILE = {
    "_meta": {"sources": [{"name": "pypi", "url": "https://pypi.org/simple"}], "requires": {"python_version": "3.11"}},
    "default": {"a": {"version": "==1", "hashes": ["sha256:aa"], "markers": "os_name == 'posix'", "index": "pypi"}},
    "develop": {"b": {"path": ".", "editable": True}},
}
CONDA = "name: x\nchannels: [c, defaults]\ndependencies:\n  - python=3.10\n  - c::numpy>=1\n  - pip:\n    - a==1\n"
CONDA_LOCK = """\
version: 1
metadata:
  content_hash: {linux-64: aa}
  channels: [{url: conda-forge, used_env_vars: []}]
  platforms: [linux-64]
package:
- {name: a, version: "1", manager: conda, platform: linux-64, url: "https://h/a-1-0.conda", hash: {md5: aa}}
"""
PIXI = """\
version: 6
environments:
  default: {channels: [{url: "https://h/c/"}], packages: {linux-64: [{conda: "https://h/a-1-0.conda"}]}}
packages:
- {conda: "https://h/a-1-0.conda", sha256: aa}
"""
EXPLICIT = "@EXPLICIT\nhttps://h/linux-64/a-1-0.conda#sha256:" + DIGEST + "\nhttps://h/b.tar.bz2#" + "a" * 32 + "\n"
PYPROJECT = """\
[project]
name = "a"
dependencies = ["six>=1"]
requires-python = ">=3.9"
optional-dependencies = { x = ["b"] }
[dependency-groups]
dev = ["c", { include-group = "e" }]
e = ["d"]
[tool.poetry.group.g.dependencies]
h = { version = "^1", extras = ["y"] }
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
"""
SETUP_CFG = "[metadata]\nname = a\n[options]\ninstall_requires =\n  six\n  b; os_name == 'posix'\n"
SETUP_PY = "from setuptools import setup\nN = ['six']\nsetup(name='a', install_requires=N + ['b'], extras_require={})\n"
DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG BASE=python:3.11
FROM --platform=$TARGETPLATFORM ${BASE:-x} AS build
RUN --mount=type=cache,target=/x pip install \\
  # a comment
  six
COPY <<EOF /a
text
EOF
FROM build
COPY --from=build /a /b
"""
DVC_FILE = "outs:\n- md5: 0123456789abcdef0123456789abcdef\n  path: data.csv\n  size: 3\ndeps:\n- path: a\n"
DVC_FILE += "  repo: {url: https://h/r, rev_lock: " + COMMIT + "}\n"
DVC_LOCK = "schema: '2.0'\nstages:\n  s@1:\n    cmd: python x.py\n    deps:\n    - {path: x.py, md5: aa}\n"
DVC_LOCK += "    outs:\n    - {path: data.csv, md5: bb, hash: md5}\n"
DVC_CONFIG = "[core]\n    remote = r\n['remote \"r\"']\n    url = remote://base/x\n    password = s\n"
DVC_CONFIG += "['remote \"base\"']\n    url = https://u:p@h/store  # why\n[cache]\n    dir = /c\n"
MLMODEL = """\
flavors:
  python_function: {loader_module: mlflow.sklearn, python_version: 3.11.7, env: {conda: conda.yaml}}
signature:
  inputs: '[{"type": "double", "name": "x"}]'
  params: '[{"name": "t", "type": "float", "default": 0.5, "shape": null}]'
"""
SPREADSHEET = 'id,x,text\r\n007,1e-320,"a ""b"""\r\n008,,=1+1\r\n'
JSON_LINES = '{"id": 1, "x": [1, 2.5, null], "d": {"a": "b"}}\n{"id": 12345678901234567890, "x": [], "t": "é"}\n'
EVENTS = (
    {"kind": "step", "seconds": 0.1, "side": "a", "step": "code", "status": "started", "text": "", "detail": {}},
    {"kind": "area", "detail": {"area": "code", "verdict": "same"}},
    {"kind": "end", "text": "why", "detail": {"exit_status": 3, "verdict": "not-comparable"}},
)


def _parquet(**options: object) -> bytes:
    columns = {"id": ["a", "b"], "x": [1.5, None], "l": [[1, 2], None], "d": [{"a": 1}, None], "b": [b"\0", b""]}
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def _npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, a=np.arange(3), b=np.ones((2, 2), "f4"))
    return out.getvalue()


def _pickles() -> list[bytes]:
    """Values of every protocol, arrays and objects among them, and what joblib writes."""
    import joblib

    value = {"a": [1, 2.5, "x", b"y", None, {3}], "n": np.arange(3.0), "o": Path("x"), "big": 10**30}
    joblib_file = io.BytesIO()
    joblib.dump({"w": np.arange(3.0), "names": np.array(["x", None], dtype=object)}, joblib_file)
    return [*(pickle.dumps(value, protocol) for protocol in range(6)), joblib_file.getvalue()]


def _field(number: int, value: bytes | int) -> bytes:
    """A field of protobuf whose number and size are below 128, or its number below 2,048."""
    wire = 2 if isinstance(value, bytes) else 0
    key = number << 3 | wire
    head = bytes([key]) if key < 128 else bytes([key & 127 | 128, key >> 7])
    return head + (bytes([len(value)]) + value if isinstance(value, bytes) else bytes([value]))


def wandb_messages() -> list[bytes]:
    """A run with its configuration, summary, environment, an artifact, and its end."""
    update = _field(1, _field(2, b"nested") + _field(2, b"deep") + _field(16, b'{"value": 1.5}'))
    git = _field(1, b"https://u:p@h/r") + _field(2, COMMIT.encode())
    run = _field(1, b"id") + _field(2, b"me") + _field(3, b"p") + _field(4, update) + _field(21, git)
    entry = _field(1, b"w.json") + _field(2, b"digest") + _field(4, 3)
    artifact = _field(4, b"model") + _field(5, b"m") + _field(6, b"aa") + _field(12, _field(4, entry))
    environment = _field(2, b"3.11.7") + _field(6, b"t.py") + _field(9, git)
    messages = ((17, run), (5, update), (3, update), (8, artifact), (26, environment), (18, _field(1, 1)))
    return [_field(number, message) for number, message in messages]


def wandb_file() -> bytes:
    """These records as a log."""
    chunks = (struct.pack("<IHB", zlib.crc32(b"\x01" + raw), len(raw), 1) + raw for raw in wandb_messages())
    return HEADER + b"".join(chunks)


def sif_image() -> bytes:
    """A SIF image with a definition, labels, and an (empty) root file system."""
    metadata = {"data": {"attributes": {"labels": {"a": "b"}, "environment": {"90": 'export A="b"\nB=$C\n'}}}}
    parts = [
        (0x4001, b"def", b"bootstrap: docker\nfrom: debian\n", 0, 0),
        (0x4004, b"root", b"hsqs", 1, 2),
        (0x4006, b"inspect-metadata.json", json.dumps(metadata).encode(), 0, 0),
        (0x4006, b"oci-config.json", json.dumps({"Env": ["A=b", "x"]}).encode(), 0, 0),
    ]
    start = 128 + 585 * len(parts)
    descriptors, bodies, offset = b"", b"", start
    for kind, name, body, system, partition in parts:
        packed = struct.pack("<i?12xqq40x128sii", kind, True, offset, len(body), name, system, partition)
        descriptors += packed.ljust(585, b"\0")
        bodies += body
        offset += len(body)
    header = b"#!/usr/bin/env run-singularity\n".ljust(32, b"\0") + b"SIF_MAGIC\0" + b"01\0"
    return header.ljust(88, b"\0") + struct.pack("<2q", len(parts), 128).ljust(40, b"\0") + descriptors + bodies


def _report() -> bytes:
    from tests.report.sample import rich_report

    return dumps(rich_report()).encode("ascii")


HOSTILE = (
    "[/red]",
    "\x1b]52;c;x\x07",
    "\x9b31m",
    "a\u202eb\u200b",
    "::error::x\r\n",
    "<script>",
    "]]><!--",
    "=1+1",
    "e\u0301",
)

TEXTS: Mapping[str, tuple[str, ...]] = {
    "record": (RECORD, RECORD_YAML, json.dumps({"schema": 1, "deployments": {"a": {"data": []}}})),
    "configuration": ('theme = "x"\nkeys = { quit = ["q"] }\n[limits]\nmemory = "4GiB"\ncpus = 2\n',),
    "references": REFERENCES,
    "requirements": (REQUIREMENTS,),
    "lock-uv": (UV,),
    "lock-pylock": (PYLOCK,),
    "lock-poetry": ((POETRY / "poetry.lock").read_text("utf-8"),),
    "lock-pdm": (PDM,),
    "lock-pipenv": (json.dumps(PIPFILE),),
    "conda": (CONDA, CONDA_LOCK, PIXI, EXPLICIT),
    "project": (PYPROJECT, SETUP_CFG, SETUP_PY),
    "dockerfile": (DOCKERFILE,),
    "dvc": (DVC_FILE, DVC_LOCK),
    "dvc-configuration": (DVC_CONFIG,),
    "mlmodel": (MLMODEL, CONDA, REQUIREMENTS),
    "csv": (SPREADSHEET, "0.5\n1\n", JSON_LINES, "[[1]]"),
    "json-lines": (JSON_LINES,),
    "values": ('{"a": {"b": [1]}}', "- 1\n- x: y\n"),
    "opened-document": (
        '{"a": {"b": [1, 2.5, null]}, "s": "x"}',
        "- 1\n- x: &a [y, 2]\n- *a\n",
        "[a]\nb = 1.5\nc = 2020-01-01\n",
    ),
    "opened-notebook": ('{"cells": [{"cell_type": "code", "source": ["x = 1\\n"], "outputs": [1]}], "nbformat": 4}',),
    "parameters": ("a: &x {b: 1}\nc: *x\n", '{"password": "s", "u": "https://u:p@h"}', "[a]\nb = 1.5\n"),
    "journal": ("".join(json.dumps(event) + "\n" for event in EVENTS),),
    "show": HOSTILE,
    "redactor": ("s3cr3t-w0rd\nthe url https://u:s3cr3t-w0rd@h/", "aaaaaa\naaaa"),
    "writers": HOSTILE,
    "csv-writer": ("\n".join(HOSTILE) + "\nname",),
}


def seeds() -> dict[str, list[bytes]]:
    """The seeds of every target."""
    binary = {
        "wandb-log": [wandb_file()],
        "wandb-records": [b"\xff\xff".join(wandb_messages())],
        "sif": [sif_image()],
        "parquet": [_parquet(), _parquet(compression="none", use_dictionary=False)],
        "npy": [_npy(np.arange(4.0)), _npy(np.ones((2, 3), "f4", order="F")), _npy(np.zeros(2, "i4,f8"))],
        "values": [_npz(), FORMATS[".safetensors"].write(FORMATS[".npz"].read(_npz()))],
        "opened-arrays": [
            _npz(),
            FORMATS[".safetensors"].write(FORMATS[".npz"].read(_npz())),
            _npy(np.ones((2, 3), "f4")),
        ],
        "opened-pickle": _pickles(),
        "opened-ubjson": [b"{L\0\0\0\0\0\0\0\1a[$d#L\0\0\0\0\0\0\0\1\0\0\0\0U\1b[SU\1xT]U\1c{}}"],
        "opened-compressed": [
            compress(b'{"a": 1}') for compress in (gzip.compress, zlib.compress, bz2.compress, lzma.compress)
        ],
        "report": [_report()],
    }
    texts = {name: [text.encode("utf-8", "surrogateescape") for text in seed] for name, seed in TEXTS.items()}
    return {name: [*texts.get(name, []), *binary.get(name, [])] for name in targets.TARGETS}


def write_seeds(corpus: Path) -> None:
    """Writes the seeds into a folder for each target."""
    for name, contents in seeds().items():
        folder = corpus / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(contents):
            (folder / f"seed-{number}").write_bytes(content)
