"""Tasks: one package for each, on a base that knows none of them."""
