"""Which row of B answers which row of A: keys, order and pairing, before any value is looked at.

Streams matched rows in bounded memory, and brings columns that runs have in other types to one.
"""
