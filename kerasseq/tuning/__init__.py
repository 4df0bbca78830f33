"""Search for better settings of a recipe; see `kerasseq.tune`."""
