"""The network as a picture: Plan -> Picture -> SVG, PNG, Mermaid or DOT. No torch, and no engine but our own."""
