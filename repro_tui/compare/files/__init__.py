"""Two versions of one file, opened as their difference: one file for each kind of content.

A new kind is a `FileKind` (base.py) in the list of kinds.py. Nothing here decides whether a file
changed: its hash does.
"""
