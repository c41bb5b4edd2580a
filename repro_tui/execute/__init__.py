"""Workspace and inputs to run: every execution of audited code happens here, inside a sandbox."""
