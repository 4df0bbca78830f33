"""Metrics with bootstrap intervals, plots, and the table of scores."""
