"""Which parts of the inputs the disagreement is in."""
