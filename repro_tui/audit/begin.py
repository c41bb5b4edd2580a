"""Plans an audit from its references and starts its engine."""

from __future__ import annotations

from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.launch import start
from repro_tui.audit.plan import plan, plan_verification
from repro_tui.model.overrides import Overrides
from repro_tui.model.request import Settings
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from repro_tui.support.paths import cache_root


def begin(a: str, b: str, settings: Settings, overrides: Overrides) -> AuditFolder:
    """Plans the audit of A against B and starts it. Raises Refused with every mistake of both sides at once."""
    context = Context(cache=Cache(cache_root()), settings=settings)
    return start(plan(a, b, settings, overrides, context))


def begin_verification(reference: str, settings: Settings, overrides: Overrides) -> AuditFolder:
    """Plans the verification of a record against its own outputs and starts it. Raises Refused."""
    context = Context(cache=Cache(cache_root()), settings=settings)
    return start(plan_verification(reference, settings, overrides, context))
