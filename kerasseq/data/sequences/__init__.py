"""Sequences of numbers with labels: sensors, skeletons, rows of images, features of sound."""
