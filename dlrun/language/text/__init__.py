"""From text to nodes: read, merge into what it extends, override, expand."""
