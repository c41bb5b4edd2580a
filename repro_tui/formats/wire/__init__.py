"""The files that come from outside: their shape, their mistakes and their published schemas."""
