"""Finding runs, and comparing them."""
