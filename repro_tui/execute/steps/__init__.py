"""Predict steps: the working folder, what is executed in it, and where its output is taken from."""
