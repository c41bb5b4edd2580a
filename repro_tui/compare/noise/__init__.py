"""Noise or drift: how far the runs of one side differ, and whether the two sides differ by more.

`verdict` applies the rule, `exchange` has the statistics behind it, and the other files measure the runs, column by
column.
"""
