"""The Pythons of this machine: where they are, what they say of themselves, and when each was released."""
