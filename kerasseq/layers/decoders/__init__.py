"""Decoders: from a context and the tokens so far to the token that follows."""
