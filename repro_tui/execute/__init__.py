"""Runs a workspace on its inputs: all execution of audited code happens here, inside a sandbox."""
