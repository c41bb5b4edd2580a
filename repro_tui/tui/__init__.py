"""The terminal interface: it reads the folder of an audit, and nothing else of it."""
