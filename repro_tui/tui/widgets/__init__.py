"""Widgets that know nothing of where their content comes from."""
