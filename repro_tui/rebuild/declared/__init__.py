"""What a record and its commit declare, read as data without building anything: a file for each part of it."""
