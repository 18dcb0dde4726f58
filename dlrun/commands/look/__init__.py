"""Look at runs and compare them."""
