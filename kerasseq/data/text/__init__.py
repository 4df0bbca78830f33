"""Labelled texts: reading them, their n-grams, and examples for a model."""
