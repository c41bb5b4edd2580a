"""Reads what the files of a commit say of the deployment: candidates, the most likely first. Nothing is executed."""
