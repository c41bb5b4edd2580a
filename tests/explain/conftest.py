"""The fixture from which audits of several modules start."""

from __future__ import annotations

from tests.audit.project import warm_cache as warm_cache
