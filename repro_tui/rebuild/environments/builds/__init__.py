"""Builds of wheels, from source distributions and from projects of a commit: always in a sandbox."""
