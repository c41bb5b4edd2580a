"""A report to the formats that people and programs read."""
