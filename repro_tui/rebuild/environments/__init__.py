"""A recorded environment as one that runs: Python packages from lock files, images by digest, Dockerfiles, SIF images.

What an environment holds is read from it as data; nothing of it is executed to list it.
"""
