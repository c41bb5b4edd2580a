"""Which row of B belongs to which row of A: keys, order and pairing, before any value is compared.

Streams matched rows in bounded memory, and converts columns that runs store in different types to a common type.
"""
