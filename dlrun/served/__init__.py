"""A trained run behind an address: requests with rows, answered with what `dlrun predict` says of them."""
