"""Two workspaces and their runs to findings, area by area."""
