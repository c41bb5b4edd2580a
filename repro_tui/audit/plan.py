"""Plans an audit: from references to a request. Everything that can be refused is refused before anything runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TypeVar

from repro_tui.audit.gate import Terms, terms_of, with_gate, without_gate
from repro_tui.audit.nothing_runs import why_nothing_runs
from repro_tui.audit.redacted_output import redacted_errors
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.overrides import Overrides
from repro_tui.model.record import Record, Validation
from repro_tui.model.request import Request, Settings
from repro_tui.support.cache import Cache
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.isolation import try_early
from repro_tui.support.paths import cache_root
from repro_tui.support.user_secrets import learn_accounts
from repro_tui.version import __version__

T = TypeVar("T")


def plan(
    a: str, b: str, settings: Settings, overrides: Overrides, context: Context, terms: Terms | None = None
) -> Request:
    """The audit of A against B, complete. Raises Refused with every mistake of both sides at once.

    `settings` are final; `terms` is what the audit is judged by (None: by no policy).

    Whether a side can be run is not asked where nothing is run: without inputs, what is declared is compared.
    """
    try_early(settings)
    records = _both(
        lambda: _record(a, overrides.for_side("a"), context),
        lambda: _record(b, overrides.for_side("b"), context),
        context.cancel,
    )
    validated = _same_validation(*records)
    runs = why_nothing_runs(*validated) is None
    mistakes = [mistake for record in validated if runs for mistake in _unrunnable(record, settings, context)]
    if mistakes:
        raise Refused.all(list(dict.fromkeys(mistakes)))
    return _request(*validated, settings, overrides, context, terms)


def plan_verification(
    reference: str, settings: Settings, overrides: Overrides, context: Context, terms: Terms | None = None
) -> Request:
    """The verification of one record: A is its recorded outputs, B is rebuilt. Raises Refused with every mistake."""
    try_early(settings)
    record = _record(reference, overrides, context)
    mistakes = _unrunnable(record, settings, context)
    if mistakes:
        raise Refused.all(mistakes)
    a, b = (replace(record, name=f"{record.name} {word}") for word in ("recorded", "rebuilt"))
    return _request(a, b, settings, overrides, context, terms, verify=True)


def _request(
    a: Record,
    b: Record,
    settings: Settings,
    overrides: Overrides,
    context: Context,
    terms: Terms | None,
    verify: bool = False,
) -> Request:
    now = datetime.now(UTC)
    terms = terms or Terms()
    return Request(
        id=f"{now:%Y%m%dT%H%M%S}-{os.urandom(3).hex()}",
        a=a,
        b=b,
        settings=settings,
        started=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        version=__version__,
        here=str(context.here),
        overrides=overrides.given(),
        verify=verify,
        given=terms.given,
        policy_file=terms.policy.file,
        accepted=() if verify else terms.policy.accepted,
        baseline=terms.baseline,
    )


def plan_again(request: Request) -> Request:
    """The same audit, planned again from its references: what they name may have changed."""
    here = Path(request.here or Path.cwd())
    references = (request.b.reference,) if request.verify else (request.a.reference, request.b.reference)
    terms = terms_of(references, here, request.given, request.baseline)
    settings = with_gate(without_gate(request.settings, request.given), terms.policy.gate, request.given)
    context = Context(cache=Cache(cache_root()), settings=settings, here=here)
    overrides = Overrides.from_given(request.overrides)
    learn_accounts(context.redactor)
    with redacted_errors(context.redactor):
        if request.verify:
            return plan_verification(request.b.reference, settings, overrides, context, terms)
        return plan(request.a.reference, request.b.reference, settings, overrides, context, terms)


def _both(a: Callable[[], T], b: Callable[[], T], cancel: CancelToken) -> tuple[T, T]:
    """Reads both sides at the same time; raises Refused with the mistakes of both. An interrupt stops both."""
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(read) for read in (a, b)]
        try:
            wait(futures)
        except KeyboardInterrupt:
            cancel.cancel(signal.SIGINT)
            raise
    errors = [error for future in futures if (error := future.exception()) is not None]
    mistakes = [mistake for error in errors if isinstance(error, Refused) for mistake in error.mistakes]
    if mistakes:
        raise Refused.all(list(dict.fromkeys(mistakes)))
    if errors:
        raise errors[0]
    return futures[0].result(), futures[1].result()


def _record(reference: str, overrides: Overrides, context: Context) -> Record:
    from repro_tui.sources.overlay import lay_over
    from repro_tui.sources.resolve import load_record

    return lay_over(load_record(reference, context), overrides, context)


def _same_validation(a: Record, b: Record) -> tuple[Record, Record]:
    from repro_tui.sources.overlay import common_validation

    validation, warnings = common_validation(a, b)
    shared = _with_inputs_of(a, "B", validation), _with_inputs_of(b, "A", validation)
    return replace(shared[0], warnings=(*a.warnings, *warnings)), shared[1]


def _with_inputs_of(record: Record, giver: str, validation: Validation) -> Record:
    """A record with the validation of both sides; inputs that only the other side names are not missing any more."""
    shared = replace(record, validation=validation)
    if record.validation.inputs or not validation.inputs:
        return shared
    missing = tuple(item for item in record.missing if item.field != "validation.inputs")
    return replace(
        shared, missing=missing, provenance=record.provenance | {"validation.inputs": f"the record of {giver}"}
    )


def _unrunnable(record: Record, settings: Settings, context: Context) -> list[Mistake]:
    from repro_tui.execute.choose import check_runner, check_server
    from repro_tui.rebuild.environments.base import check_builder

    check_builder(record)
    kind = record.environment.kind
    if kind == "unrecorded" or (record.predict and record.predict.url):
        return []
    mistake = check_server(record.predict, kind) or check_runner(kind, settings)
    return [mistake] if mistake else _requirements_mistakes(record, context)


def _requirements_mistakes(record: Record, context: Context) -> list[Mistake]:
    name = record.environment.requirements
    if name is None or record.code is None:
        return []
    from repro_tui.clients.git import Repository
    from repro_tui.formats.requirements import read_requirements

    code = record.code
    try:
        repository = Repository.open(code.repository, context)
        repository.need(code.commit)

        def read(path: str) -> bytes:
            try:
                return repository.read(code.commit, str(PurePosixPath(code.subdirectory) / path))
            except Inconclusive as error:
                raise FileNotFoundError(path) from error

        return read_requirements(name, read).mistakes
    except (Inconclusive, FileNotFoundError):
        return []  # the rebuild reports what is missing: the side is inconclusive, the request is not wrong
