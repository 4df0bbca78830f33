"""Layers that make forecasts of windows."""
