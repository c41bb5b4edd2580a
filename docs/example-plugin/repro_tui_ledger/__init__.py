"""Deployments from a ledger: what a package of your own adds to repro-tui."""
