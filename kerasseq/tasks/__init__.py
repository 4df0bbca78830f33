"""What recipes do: one package per task, on a base that knows none of them."""
