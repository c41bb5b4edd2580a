"""Run × Run to findings: one file an area, and rooms for rows, columns, noise, truth and slices."""
