"""Formatting of numbers and tables for people to read."""
