"""The schemas of files that users write, and the checks against them."""
