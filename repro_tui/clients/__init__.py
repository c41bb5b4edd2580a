"""Clients of other programs and services: git, Docker, MLflow, W&B and HTTP servers.

Each runs in a child process or behind a client with time and size limits. Nothing here knows what the responses are
used for.
"""
