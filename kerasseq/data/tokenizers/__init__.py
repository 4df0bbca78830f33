"""Texts to rows of numbers and back."""
