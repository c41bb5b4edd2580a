"""The one pipeline: plan, engine, folder and journal, sequential repeats."""
