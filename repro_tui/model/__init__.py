"""The nouns: frozen dataclasses that every other folder speaks in. Nothing heavy is imported here."""
