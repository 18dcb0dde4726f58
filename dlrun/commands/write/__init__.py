"""Before training: write specs, check them, show the network and the language."""
