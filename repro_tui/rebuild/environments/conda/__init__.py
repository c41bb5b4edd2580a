"""Environments of conda packages: a builder, what it installs (plan), py-rattler's child process, and the pip part."""
