"""Noise or drift: what the runs of one side do by themselves, and whether the two sides differ by more.

`verdict` has the rule, `exchange` the statistics that it rests on, the other files what is measured of the runs.
"""
