"""Live endpoints, `http://…` and `https://…`: not rebuilt, only asked. What they run is not known, and is said so."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from repro_tui.clients.http import HttpQuestion, Job, Server, answer_of, ask_from_here, read_regular, server_of
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Missing, Predict, Protocol, Record
from repro_tui.support import grammar
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.redact import strip_url
from repro_tui.support.text import show

PROBE_S = 10.0
LONGEST = 4096
SAY = "say which protocol it speaks with --protocol mlflow or --protocol open-inference"
_MODEL = re.compile(r"(?P<base>.*)/v2/models/(?P<model>[^/]+)(?P<version>/versions/[^/]+)?(/infer)?/?")
_GAPS = {
    "code": "give it a record: build its image with a label of the commit, and audit that",
    "environment": "audit its image (docker:CONTAINER, image:REF), or record it at deployment",
    "parameters": "record them where the model is logged (MLflow, W&B) or beside its code",
    "data": "record the model's artifact and its hash where it is trained",
}


class Endpoint:
    """Reads the address of a live endpoint; it is asked when the audit runs."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of a URL. Raises Refused. Nothing is asked: what the URL does not say is found by `settled`."""
        mistake = grammar.endpoint(reference) if len(reference) <= LONGEST else "is too long for a URL"
        if mistake or not reference.isascii() or " " in reference:
            raise Refused(Mistake(_shown(reference), mistake or "is not a URL: percent-encode what is not ASCII"))
        parts = urlsplit(reference)
        try:
            name = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        except ValueError as error:
            raise Refused(Mistake(_shown(reference), "has a port that is none")) from error
        protocol, model = said_by(reference)
        where = f"the URL {strip_url(reference)}"
        told = {"predict.url": where} | ({"predict.protocol": f"{where}, its path"} if protocol else {})
        return Record(
            name=name,
            reference=reference,
            description=f"the live endpoint {strip_url(reference)}",
            predict=Predict(protocol=protocol, url=reference.partition("#")[0], model=model),
            provenance=told | {"description": where} | ({"predict.model": f"{where}, its path"} if model else {}),
            missing=live_gaps(),
        )


def live_gaps() -> tuple[Missing, ...]:
    """What a live endpoint does not tell."""
    return tuple(
        Missing(field, f"a live endpoint does not say which {field} it runs", do) for field, do in _GAPS.items()
    )


def said_by(url: str) -> tuple[Protocol | None, str]:
    """The protocol and the model that a URL's own path names."""
    path = urlsplit(url).path
    if path.rstrip("/").endswith("/invocations"):
        return "mlflow", ""
    found = _MODEL.fullmatch(path)
    if found:
        return "open-inference", unquote(found["model"]) + unquote(found["version"] or "")
    return None, ""


def settled(record: Record) -> Record:
    """The record with the protocol and the model that its URL does not say, as far as the server does.

    Raises Refused where it is not clear which protocol it speaks.
    """
    predict = record.predict
    if predict is None or not predict.url:
        return record
    told = dict(record.provenance)
    if predict.protocol is None:
        predict = replace(predict, protocol=_detected(predict.url))
        told["predict.protocol"] = f"asked of {strip_url(predict.url)}"
    if predict.protocol == "open-inference" and not predict.model:
        model = _only_model(predict.url)
        predict = replace(predict, model=model)
        told |= {"predict.model": f"the only model that {strip_url(predict.url)} lists"} if model else {}
    return replace(record, predict=predict, provenance=told)


def _detected(url: str) -> Protocol:
    """What the server speaks, where its own words for ready leave no doubt."""
    asks = [
        HttpQuestion(path, f"probe-{number}", path, method="GET", optional=True)
        for number, path in enumerate(("/v2/health/ready", "/ping", "/version"))
    ]
    for folder, statuses, failed in _asked(url, urlsplit(url).path.rstrip("/"), asks):
        if failed:
            raise Refused(Mistake(_shown(url), f"cannot be asked what it speaks ({failed}): {SAY}"))
        inference, ping, version = (status == 200 for status in statuses)
        if inference and not ping:
            return "open-inference"
        if ping and version and not inference and not _is_page(folder / "probe-2"):
            return "mlflow"
        words = "seems to speak both protocols" if inference else "does not say what it speaks"
        raise Refused(Mistake(_shown(url), f"{words}: {SAY}"))
    raise AssertionError("it is asked once")


def _only_model(url: str) -> str:
    """The one model that a server lists; "" where it lists none, or several: then the run says so."""
    prefix = f"{urlsplit(url).path.rstrip('/')}/".partition("/v2/")[0].rstrip("/")
    ask = HttpQuestion("/v2/models", "models", "/v2/models", method="GET", optional=True)
    for folder, statuses, failed in _asked(url, prefix, [ask]):
        listed = answer_of(folder, "models") if not failed and statuses == (200,) else None
        models = listed.get("models") if isinstance(listed, dict) else None
        if isinstance(models, list) and len(models) == 1 and isinstance(models[0], str):
            return models[0]
    return ""


def _asked(url: str, prefix: str, asks: list[HttpQuestion]) -> Iterator[tuple[Path, tuple[int, ...], str]]:
    """The answers to a few questions, in a folder that is gone afterwards; and why there are none."""
    server: Server = server_of(url, prefix)
    with tempfile.TemporaryDirectory(prefix="repro-tui-") as name:
        job = Job(server, tuple(asks), timeout_s=PROBE_S / 2, attempts=1)
        try:
            asked = ask_from_here(job, Path(name), CancelToken(), PROBE_S)
        except Inconclusive as error:
            yield Path(name), (), error.what
            return
        silent = not any(asked.statuses) and (asked.silence or "it does not answer")
        yield Path(name), asked.statuses, show(asked.failed or silent or "", 200)


def _is_page(path: Path) -> bool:
    """Whether an answer is a page for people: a site that answers everything with 200."""
    try:
        return read_regular(path, 1 << 20).lstrip()[:1] in (b"<", b"")
    except (OSError, ValueError):
        return True


def _shown(reference: str) -> str:
    return show(strip_url(reference), 200)
