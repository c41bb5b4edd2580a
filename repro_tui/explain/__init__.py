"""Drift to causes: factors, hybrids of the two sides that are run, the game over them, and the search inside one."""
