"""A terminal reproducibility auditor for machine-learning deployments."""

__version__ = "0.1.0"
