"""What a spec can name: a folder a family, a file a kind."""
