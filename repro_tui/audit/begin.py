"""Plans an audit from its references while its engine gets ready, and begins it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.gate import terms_of, with_gate
from repro_tui.audit.launch import waiting_engine
from repro_tui.audit.plan import plan, plan_verification
from repro_tui.audit.redacted_output import redacted_errors
from repro_tui.model.overrides import Overrides
from repro_tui.model.request import Settings
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from repro_tui.support.paths import cache_root
from repro_tui.support.user_secrets import learn_accounts


def begin(
    a: str, b: str, settings: Settings, overrides: Overrides, *, given: Collection[str] = (), baseline: str = ""
) -> AuditFolder:
    """Plans the audit of A against B and starts it. Raises Refused with every mistake of both sides at once.

    `given` are the names of the settings that go before those of the policy file (audit.gate.GIVEN), `baseline` is the
    earlier report beside which only what is new or worse gates: a file, an audit's folder or its id ("": none).
    """
    with waiting_engine() as engine:
        terms = terms_of((a, b), Path.cwd(), given, baseline)
        settings = with_gate(settings, terms.policy.gate, given)
        with planning(settings) as context:
            request = plan(a, b, settings, overrides, context, terms)
        return engine.begin(request)


def begin_verification(
    reference: str, settings: Settings, overrides: Overrides, *, given: Collection[str] = ()
) -> AuditFolder:
    """Plans the verification of a record against its own outputs and starts it. Raises Refused."""
    with waiting_engine() as engine:
        terms = terms_of((reference,), Path.cwd(), given, "")
        settings = with_gate(settings, terms.policy.gate, given)
        with planning(settings) as context:
            request = plan_verification(reference, settings, overrides, context, terms)
        return engine.begin(request)


def mistakes_in(reference: str, settings: Settings) -> list[str]:
    """The mistakes of one reference and its record alone: why an audit with it was refused. [] where it is sound."""
    from repro_tui.model.errors import Refused, ReproError
    from repro_tui.sources.resolve import load_record

    try:
        with planning(settings) as context:
            load_record(reference, context)
    except Refused as error:
        return [str(mistake) for mistake in error.mistakes]
    except ReproError as error:
        return [str(error)]
    return []


@contextmanager
def planning(settings: Settings, here: Path | None = None) -> Iterator[Context]:
    """The context of a command that reads references; what is raised inside has lost the user's secrets."""
    context = Context(cache=Cache(cache_root()), settings=settings, here=here or Path.cwd())
    learn_accounts(context.redactor)
    with redacted_errors(context.redactor):
        yield context
