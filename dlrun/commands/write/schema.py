"""`dlrun schema`: the language as a JSON Schema, for editors and for programs that write specs."""

from __future__ import annotations

from dlrun.commands import screen


def schema() -> None:
    """Print the JSON Schema of a spec, for an editor.

    `dlrun schema > dlrun.schema.json` writes it to a file.
    """
    from dlrun.views.reference.json_schema import language_schema

    screen.show_json(language_schema())
