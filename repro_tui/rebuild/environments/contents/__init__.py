"""What is in an environment or an image, read from its files as data: packages, programs, users and access."""
