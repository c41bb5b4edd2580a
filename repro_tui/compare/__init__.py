"""Run × Run to findings: one file for each area, and subpackages for rows, columns, noise, truth and slices."""
