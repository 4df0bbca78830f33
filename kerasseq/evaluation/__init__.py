"""Scores with intervals, plots and the scoreboard."""
