"""The terminal interface: it reads an audit's folder and nothing else."""
