"""Data that is made on the spot, for trying the recipes."""
