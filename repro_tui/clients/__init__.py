"""Other programs and services, as far as the project asks them: git, Docker, MLflow, W&B, HTTP servers.

Each runs in a process of its own or behind a client with limits of time and size. Nothing here knows what the answers
are for.
"""
