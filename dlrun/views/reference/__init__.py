"""The language described, for pages of text and as a JSON Schema."""
