"""Numbers, lists and tables as people read them."""
