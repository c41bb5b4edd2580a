"""The screens: one file for each, with its own style sheet."""
