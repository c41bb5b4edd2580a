"""Dockerfiles read as data: what needs BuildKit, and which images a build starts from."""

from __future__ import annotations

import pytest

from repro_tui.rebuild.environments.dockerfiles.bases import base_names, held_to
from repro_tui.rebuild.environments.dockerfiles.parse import expand, parse_dockerfile
from repro_tui.rebuild.environments.dockerfiles.with_buildkit import _has_lost_engine, secret_arguments

MODERN = """\
# syntax=docker/dockerfile:1.7
# escape=`

ARG VERSION=3.11
ARG BASE=python:${VERSION}-slim
FROM --platform=$BUILDPLATFORM golang:1.22 AS tools
RUN --mount=type=cache,target=/root/.cache `
    # a comment within
    --mount=type=bind,from=busybox:1,target=/b go build
FROM ${BASE} AS Base
ARG TARGETARCH
RUN <<EOF
FROM not:an-instruction
EOF
COPY --chmod=0600 --link a /a
COPY --from=tools /a /b
FROM unused:1 AS extra
FROM base
COPY --from=nginx:1.27 /x /x
COPY <<one <<"two" /etc/
1
one
2
two
"""


def test_what_needs_buildkit_is_named_with_its_line() -> None:
    needs = [(need.line, need.text, need.since) for need in parse_dockerfile(MODERN).needs()]
    assert needs == [
        (1, "# syntax=docker/dockerfile:1.7", "1.0"),
        (6, "FROM --platform=$BUILDPLATFORM", "1.0"),
        (7, "RUN --mount", "1.2"),
        (12, "RUN <<EOF", "1.4"),
        (15, "COPY --chmod", "1.2"),
        (15, "COPY --link", "1.4"),
        (20, "COPY <<one", "1.4"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nRUN echo $((1<<EOF))\n",
        "FROM a\nRUN cat <<<word\nword\n",
        "FROM a\n# RUN --mount=type=cache x\nRUN echo --mount=x\n",
        "FROM a\nRUN a \\\n\n  # comment\n  && b\nCOPY --chown=1:1 --from=a x y\nARG TARGETARCH\n",
        "FROM a\n# syntax=docker/dockerfile:1\n",
        "",
    ],
)
def test_what_the_classic_builder_builds_needs_nothing(text: str) -> None:
    assert parse_dockerfile(text).needs() == []


def test_the_images_that_a_build_starts_from() -> None:
    document = parse_dockerfile(MODERN)
    needed = {"busybox:1": 6, "python:3.11-slim": 10, "nginx:1.27": 18}
    assert base_names(document, {}, "", all_stages=False) == needed
    assert base_names(document, {"VERSION": "3.12"}, "base", all_stages=False) == {
        "busybox:1": 6,
        "python:3.12-slim": 10,
    }
    assert set(base_names(document, {}, "", all_stages=True)) == {*needed, "unused:1"}
    assert base_names(parse_dockerfile("ARG X\nFROM $X\nFROM scratch\n"), {}, "0", all_stages=False) == {}


def test_a_tag_is_held_to_what_was_recorded() -> None:
    text = "ARG V=1\nFROM \\\n  app:$V AS first\r\nFROM first\nFROM other:1\n"
    document = parse_dockerfile(text)
    recorded = {"app:1": "app@sha256:" + "a" * 64, "other:1": "sha256:" + "b" * 64}
    assert held_to(text, document, recorded, {}) == text.replace("app:$V", recorded["app:1"])
    assert held_to(text, document, {}, {}) == text


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$A", "1"),
        ("${A}-x", "1-x"),
        ("${B:-2}", "2"),
        ("${A:+3}", "3"),
        ("${B:+3}", ""),
        ("${B-}", ""),
        ("$B", None),
        ('"a:$A"', "a:1"),
        (r"\$A", "$A"),
    ],
)
def test_variables_in_the_name_of_an_image(text: str, expanded: str | None) -> None:
    assert expand(text, {"A": "1"}) == expanded


def test_secret_build_arguments_are_in_no_command_line_and_the_client_does_not_obey_them() -> None:
    index = "https://user:p4ssw0rd@example.org/simple"
    hidden = {"ITS_TOKEN": "x", "PIP_INDEX_URL": index, "DATABASE": "Server=x;Password=p4ssw0rd", "UV_INDEX": index}
    shown = {"GREETING": "hello", "MIRROR": "https://example.org/simple", "VERSION": "1.2.3"}
    obeyed = dict.fromkeys(
        ("LD_PRELOAD", "http_proxy", "HTTPS_PROXY", "DOCKER_AUTH_CONFIG", "BUILDX_CONFIG", "PATH", "SSL_CERT_FILE"),
        index,
    )
    assert secret_arguments(hidden | shown | obeyed) == hidden


@pytest.mark.parametrize(
    ("output", "lost"),
    [
        ("#4 1.2 pip: [Errno 111] Connection refused\n#4 ERROR: exit code: 1\n", False),
        (
            "------\n > [2/2] RUN pip install x:\n#4 1.2 Connection refused\n0.3 connection reset\n------\nexit 1\n",
            False,
        ),
        ("failed to solve: failed to do request: Head https://h/v2/: dial tcp: connect: connection refused\n", False),
        ("#4 1.2 ok\nerror during connect: Post http://docker/build: connection reset by peer\n", True),
        ("failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF\n", True),
        ("------\n > x:\n------\nCannot connect to the Docker daemon at unix:///x. Is it running?\n", True),
    ],
)
def test_only_the_client_says_that_the_engine_is_lost(output: str, lost: bool) -> None:
    assert _has_lost_engine(output) is lost
