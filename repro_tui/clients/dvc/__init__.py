"""Reads DVC's configuration and objects. DVC is not run, and nothing is written to its folders."""
