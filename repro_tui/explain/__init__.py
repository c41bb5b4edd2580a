"""Drift to causes: hybrids of A and B, attribution over factors, and the search inside a guilty one."""
