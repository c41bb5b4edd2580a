"""Deployments that are Docker containers and images."""
