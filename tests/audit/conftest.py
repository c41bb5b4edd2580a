"""Fixtures that audits of several modules start from."""

from __future__ import annotations

from tests.audit.project import warm_cache as warm_cache
