"""One file a screen, each with its own styles."""
