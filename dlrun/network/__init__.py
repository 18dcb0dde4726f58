"""The torch network of a plan: building it, joining it to its preprocessing, writing it to files and loading it."""
