"""Models that read sequences, as models of one step whose state comes in and goes out."""
