"""Layers that forecast a series from a window of its past."""
