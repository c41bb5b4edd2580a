"""Live endpoints, `http://…` and `https://…`.

An endpoint is queried and not rebuilt: which code, environment, parameters and data it runs is unknown, and the record
says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from repro_tui.clients.http import HttpQuestion, Job, Server, answer_of, ask_from_here, server_of
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Missing, Predict, Protocol, Record
from repro_tui.support import grammar
from repro_tui.support.cache import Cache
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.paths import cache_root
from repro_tui.support.redact import strip_url
from repro_tui.support.regular import read_regular
from repro_tui.support.text import show

PROBE_S = 10.0
LONGEST = 4096
CHOOSE_PROTOCOL = "pass --protocol mlflow or --protocol open-inference"
_MODEL = re.compile(r"(?P<base>.*)/v2/models/(?P<model>[^/]+)(?P<version>/versions/[^/]+)?(/infer)?/?")
_GAPS = {
    "code": "label its image with the commit when it is built, and audit the image",
    "environment": "audit its image (docker:CONTAINER, image:REF), or record it when it is deployed",
    "parameters": "record them where the model is logged (MLflow, W&B) or next to its code",
    "data": "record the model's artifact and its hash when it is trained",
}


class Endpoint:
    """Reads the URL of a live endpoint. The endpoint itself is first queried when the audit runs."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record of a URL. Raises Refused.

        Nothing is sent to the server: `settled` later asks for the protocol and the model if the URL names neither.
        """
        problem = grammar.endpoint(reference) if len(reference) <= LONGEST else f"is longer than {LONGEST:,} characters"
        if problem or not reference.isascii() or " " in reference:
            raise Refused(
                Mistake(
                    _shown(reference), problem or "is not a valid URL: percent-encode spaces and non-ASCII characters"
                )
            )
        parts = urlsplit(reference)
        try:
            name = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        except ValueError as error:
            raise Refused(
                Mistake(_shown(reference), "has an invalid port: expected a number from 0 to 65535")
            ) from error
        protocol, model = named_in_url(reference)
        where = f"the URL {strip_url(reference)}"
        provenance = {"predict.url": where} | ({"predict.protocol": f"{where}, its path"} if protocol else {})
        return Record(
            name=name,
            reference=reference,
            description=f"the live endpoint {strip_url(reference)}",
            predict=Predict(protocol=protocol, url=reference.partition("#")[0], model=model),
            provenance=provenance | {"description": where} | ({"predict.model": f"{where}, its path"} if model else {}),
            missing=live_gaps(),
        )


def live_gaps() -> tuple[Missing, ...]:
    """The fields that a live endpoint does not report, each with how to have it recorded."""
    return tuple(
        Missing(field, f"a live endpoint does not report which {field} it runs", do) for field, do in _GAPS.items()
    )


def named_in_url(url: str) -> tuple[Protocol | None, str]:
    """The protocol and the model that the path of a URL names; None and "" where it names none."""
    path = urlsplit(url).path
    if path.rstrip("/").endswith("/invocations"):
        return "mlflow", ""
    match = _MODEL.fullmatch(path)
    if match:
        return "open-inference", unquote(match["model"]) + unquote(match["version"] or "")
    return None, ""


def settled(record: Record) -> Record:
    """The record of a live endpoint, completed with the protocol and the model that the server reports.

    A record without a URL, or with both, is returned unchanged. Raises Refused where the server cannot be reached,
    or its answers do not identify the protocol.
    """
    predict = record.predict
    if predict is None or not predict.url:
        return record
    provenance = dict(record.provenance)
    if predict.protocol is None:
        predict = replace(predict, protocol=_detect_protocol(predict.url))
        provenance["predict.protocol"] = f"detected from the answers of {strip_url(predict.url)}"
    if predict.protocol == "open-inference" and not predict.model:
        model = _only_model(predict.url)
        predict = replace(predict, model=model)
        provenance |= {"predict.model": f"the only model that {strip_url(predict.url)} lists"} if model else {}
    return replace(record, predict=predict, provenance=provenance)


def _detect_protocol(url: str) -> Protocol:
    """The protocol of the server, identified by which readiness paths answer with status 200."""
    questions = [
        HttpQuestion(path, f"probe-{number}", path, method="GET", optional=True)
        for number, path in enumerate(("/v2/health/ready", "/ping", "/version"))
    ]
    for folder, statuses, failure in _ask(url, urlsplit(url).path.rstrip("/"), questions):
        if failure:
            raise Refused(
                Mistake(
                    _shown(url),
                    f"does not answer ({failure}): check that the server is running, or {CHOOSE_PROTOCOL}",
                )
            )
        inference, ping, version = (status == 200 for status in statuses)
        if inference and not ping:
            return "open-inference"
        if ping and version and not inference and not _is_page(folder / "probe-2"):
            return "mlflow"
        problem = "answers as both protocols" if inference else "answers as neither protocol"
        raise Refused(Mistake(_shown(url), f"{problem}: {CHOOSE_PROTOCOL}"))
    raise AssertionError("_ask yields exactly once")


def _only_model(url: str) -> str:
    """The only model that a server lists; "" where it lists none or several, which the run then reports."""
    prefix = f"{urlsplit(url).path.rstrip('/')}/".partition("/v2/")[0].rstrip("/")
    question = HttpQuestion("/v2/models", "models", "/v2/models", method="GET", optional=True)
    for folder, statuses, failure in _ask(url, prefix, [question]):
        listed = answer_of(folder, "models") if not failure and statuses == (200,) else None
        models = listed.get("models") if isinstance(listed, dict) else None
        if isinstance(models, list) and len(models) == 1 and isinstance(models[0], str):
            return models[0]
    return ""


def _ask(url: str, prefix: str, questions: list[HttpQuestion]) -> Iterator[tuple[Path, tuple[int, ...], str]]:
    """Asks a few questions, and yields once: the folder of the answers, their statuses, and why none arrived.

    The reason is "" where an answer arrived. The folder is removed afterwards.
    """
    server: Server = server_of(url, prefix)
    cache = Cache(cache_root())
    with cache.temporary_folder() as folder:
        job = Job(server, tuple(questions), timeout_s=PROBE_S / 2, attempts=1)
        try:
            conversation = ask_from_here(job, folder, CancelToken(), PROBE_S)
        except Inconclusive as error:
            yield folder, (), error.what
            return
        silence = not any(conversation.statuses) and (conversation.silence or "it does not answer")
        yield folder, conversation.statuses, show(conversation.failed or silence or "", 200)


def _is_page(path: Path) -> bool:
    """Whether an answer is HTML or empty: some sites answer every path with a page and status 200."""
    try:
        return read_regular(path, most=1 << 20, links=False).lstrip()[:1] in (b"<", b"")
    except (OSError, ValueError):
        return True


def _shown(reference: str) -> str:
    return show(strip_url(reference), 200)
