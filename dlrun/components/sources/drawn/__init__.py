"""Points drawn at random, for experiments: the seed alone decides which."""
