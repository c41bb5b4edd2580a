"""Files as data: tables, documents, lock files, SIF images, DVC's and W&B's files, and the published shapes (`wire`).

Whatever nobody has checked is read in a child process with limits (`child`). Nothing read here is ever executed.
"""
