"""Fixtures that audits of several modules start from."""

from __future__ import annotations

from tests.audit.project import warm_cache as warm_cache
from tests.audit.shifted_clock import clock as clock
from tests.audit.shifted_clock import library as library
