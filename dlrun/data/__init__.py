"""The rows: load, split, fit the preprocessing, prepare, augment."""
