"""Before training: new specs, checked specs, tables, pictures, the language."""
