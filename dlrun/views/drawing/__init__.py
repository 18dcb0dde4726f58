"""The network as a picture: Plan -> Picture -> SVG, PNG, Mermaid or DOT. No torch, and a layout of its own."""
