"""Readers of files: tables, documents, lock files, SIF images, DVC and W&B files, and the schemas (`wire`).

Untrusted tables are read in a child process with limits (`child`). Nothing that is read here is ever executed.
"""
