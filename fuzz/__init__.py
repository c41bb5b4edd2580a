"""Coverage-guided fuzzing of everything that reads or writes what others made: `make fuzz SECONDS=60`."""
