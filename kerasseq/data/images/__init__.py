"""Images and their captions: reading, matching and feature files."""
