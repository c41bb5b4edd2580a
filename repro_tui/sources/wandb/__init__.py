"""Deployments that W&B's runs record, offline and on a server."""
