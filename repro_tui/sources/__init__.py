"""Reads references into records. One file (or folder) per source, all behind the protocol in `base.py`."""
