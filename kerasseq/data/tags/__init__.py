"""Tagged sentences: reading, schemes of tags, words with offsets, vocabularies."""
