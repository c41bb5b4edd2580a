"""Rebuilds a record into a workspace: code, environment, parameters and data, each from the record alone."""
