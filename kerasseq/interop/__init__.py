"""Models of Keras and PyTorch, taken in and given back."""
