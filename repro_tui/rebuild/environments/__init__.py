"""Rebuilds recorded environments: lock and requirements files, images, Dockerfiles and SIF images.

The contents of an environment are read as data; nothing in it is executed to list them.
"""
