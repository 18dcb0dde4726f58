"""Write docs/reference.md and docs/schema.json from the package: ``python docs/make_reference.py``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from dlrun.language.kinds import families, kinds
from dlrun.language.settings_schema import sections
from dlrun.views.reference.json_schema import language_schema
from dlrun.views.reference.reference import (
    KindReference,
    SettingReference,
    describe_family,
    describe_kind,
    describe_section,
)

FOLDER = Path(__file__).parent


def reference_text() -> str:
    """The reference page."""
    parts = [
        "# Reference",
        "All that a spec can name, made from the package by `python docs/make_reference.py`. The same is at "
        "hand as `dlrun kinds` and `dlrun kinds NAME`; [language.md](language.md) says how it fits together.",
        "\n".join(f"- [{name}](#{name}): {', '.join(f'`{kind}`' for kind in kinds(name))}" for name in families()),
        "## Sections",
        *(text for section in sections() for text in _section(section)),
        *(text for family in families() for text in _family(family)),
    ]
    return "\n\n".join(parts) + "\n"


def schema_text() -> str:
    """The JSON Schema of the language."""
    return json.dumps(language_schema(), indent=2, ensure_ascii=False) + "\n"


def _section(name: str) -> list[str]:
    said = describe_section(name)
    return [f"### `{name}`", said.summary, _table(said.settings)]


def _family(name: str) -> list[str]:
    said = describe_family(name)
    entries = [describe_kind(name, kind) for kind in kinds(name)]
    parts = [f"## {name}", said.summary]
    if shared := {setting.name: setting for entry in entries for setting in entry.common}:
        parts += ["Settings that several share:", _table(shared.values())]
    return parts + [text for entry in entries for text in _kind(entry)]


def _kind(entry: KindReference) -> list[str]:
    parts = [f"### `{entry.kind}`", entry.summary, entry.description]
    if entry.settings:
        parts.append(_table(entry.settings))
    if entry.common:
        parts.append("Also " + ", ".join(f"`{setting.name}`" for setting in entry.common) + ".")
    facts = (("Shape", _code(entry.shape)), ("Raises", entry.raises), ("From", entry.reference))
    parts.append("\n".join(f"- {title}: {text}" for title, text in facts if text and text != "none."))
    if entry.example:
        parts.append(f"```yaml\n{entry.example}\n```")
    return [part for part in parts if part]


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`" if text else ""


def _table(settings: Iterable[SettingReference]) -> str:
    rows = ["| setting | takes | default | |", "| --- | --- | --- | --- |"]
    for setting in settings:
        name = f"**`{setting.name}`**" if setting.required else f"`{setting.name}`"
        default = "required" if setting.required else f"`{setting.default}`" if setting.default is not None else ""
        helps = setting.help + (" May stand alone." if setting.main else "")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in (name, setting.type, default, helps)) + " |")
    return "\n".join(rows)


def main() -> None:
    """Write both files."""
    (FOLDER / "reference.md").write_text(reference_text(), "utf-8")
    (FOLDER / "schema.json").write_text(schema_text(), "utf-8")


if __name__ == "__main__":
    main()
