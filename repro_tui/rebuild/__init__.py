"""Record to workspace: code, environment, parameters and data, each rebuilt from the record alone."""
