"""How good the answers of a trained network are on some rows: the figures, their tables, and a page."""
