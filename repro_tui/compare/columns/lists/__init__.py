"""Columns of lists: vectors of probabilities, embeddings and tensors, rankings."""
