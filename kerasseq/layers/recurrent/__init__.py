"""Recurrent layers, their stacks and the builders of both."""
