"""From text to nodes: read, lay over what is extended, override, expand."""
