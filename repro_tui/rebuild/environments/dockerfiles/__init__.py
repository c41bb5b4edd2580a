"""Dockerfiles: read as data, their base images, and the builders that build them."""
