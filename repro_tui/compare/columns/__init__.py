"""What two columns of outputs say of each other: one file a kind, all fed with the same batches of matched rows.

Tolerances are in `tolerance`, what a column is in `kinds`; a new kind is a new file and a line in `choose`.
"""
