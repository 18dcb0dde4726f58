"""Views of a plan and of the language: tables, comparisons, pictures, the reference, the JSON schema."""
