"""Findings to an exit status: which differences are accepted or known, and whether one is left that gates.

It reads no file and runs nothing: policy, baseline and areas come in, the same areas with their marks go out.
"""
