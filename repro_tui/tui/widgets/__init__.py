"""Widgets that do not depend on where their content comes from."""
