"""Tokenizers: texts to rows of token numbers and back."""
