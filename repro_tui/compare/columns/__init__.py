"""How two output columns are compared: one file per kind, all fed with the same batches of matched rows.

Tolerances are in `tolerance`, the inference of kinds in `kinds`; a new kind is a new file and a line in `choose`.
"""
