"""A terminal reproducibility auditor for machine-learning deployments.

For notebooks and scripts, `compare` compares two tables of predictions, `explain` finds which of many differences
change the answer of a function, `audit` audits two deployments, and `open_audit` opens an audit: see `repro_tui.api`.
"""

# The packages of these names are imported first, so that the functions of the same names can replace them here.
import repro_tui.audit
import repro_tui.compare
import repro_tui.explain  # noqa: F401
from repro_tui.api import audit, compare, explain, open_audit
from repro_tui.model.errors import Cancelled, Inconclusive, Refused, ReproError
from repro_tui.version import __version__

__all__ = [
    "Cancelled",
    "Inconclusive",
    "Refused",
    "ReproError",
    "__version__",
    "audit",
    "compare",
    "explain",
    "open_audit",
]
