"""Reference to record: one file a source, behind one small protocol."""
