"""The data model: frozen dataclasses that all other packages share. Nothing heavy is imported here."""
