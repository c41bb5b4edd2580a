"""Run × Run to findings: one file for each area, and rooms for rows, columns, noise, truth and slices."""
