"""From a drift to its causes: factors, hybrids of the two sides, the game over them, and the search inside a factor."""
