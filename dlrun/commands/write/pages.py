"""The pages of `dlrun kinds`: all families, one family, or every setting of one kind."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from dlrun.commands import screen
from dlrun.errors import Problem, SpecError
from dlrun.language.kinds import families, find, kinds, singular, synonyms
from dlrun.language.messages import setting_names
from dlrun.language.settings_schema import sections
from dlrun.language.suggestions import suggest
from dlrun.views.reference.reference import (
    KindReference,
    SectionReference,
    SettingReference,
    all_kinds,
    describe_family,
    describe_kind,
    describe_section,
)

SHORTEST = 4
"""Letters of a word that is looked for in summaries."""


def show(name: str | None, as_json: bool) -> None:
    """Show everything that has a name; without a name, all families.

    Raises:
        SpecError: nothing has this name.
    """
    if name is None:
        _show_everything(as_json)
    elif (family := _family_called(name)) is not None:
        _show_family(family, as_json)
    elif name not in (*sections(), *kinds("layers")) and name in _rooms():
        _show_room(name, as_json)
    elif found := _named(name):
        _show_entries(found, as_json)
    elif (family := next((family for family in families() if _stem(family) == _stem(name)), None)) is not None:
        _show_family(family, as_json)
    elif (room := next((room for room in _rooms() if _stem(room) == _stem(name)), None)) is not None:
        _show_room(room, as_json)
    elif (problem := _unknown(name)).message != _nothing(name):
        raise SpecError([problem])
    elif about := _about(name):
        if as_json:
            screen.show_json({"found": [asdict(entry) for entry in about]})
        else:
            screen.heading(name, "What has this word in its name or its summary.")
            screen.listing([(f"{entry.family}.{entry.kind}", entry.summary) for entry in about])
    else:
        raise SpecError([problem])


def _rooms() -> dict[str, list[str]]:
    """The kinds of layers by what they do, such as `recurrent`."""
    rooms: dict[str, list[str]] = {}
    for kind in kinds("layers"):
        if room := find("layers", kind).room:
            rooms.setdefault(room, []).append(kind)
    return rooms


def _show_room(room: str, as_json: bool) -> None:
    entries = [describe_kind("layers", kind) for kind in _rooms()[room]]
    if as_json:
        screen.show_json({"family": "layers", "room": room, "kinds": [asdict(entry) for entry in entries]})
    else:
        screen.heading(room, "Layers.")
        screen.listing([(entry.kind, entry.summary) for entry in entries])


def _stem(word: str) -> str:
    """A word without its ending: `regulariz` of regularizers and of regularization."""
    return re.sub(r"(ations?|ions?|ional|ing|ers?|(?<!s)e?s)$", "", word)


def _about(word: str) -> list[KindReference]:
    """The kinds whose name or summary has a word, however it ends: `convolutional`, `sequences`."""
    stem = _stem(word.lower())
    if len(stem) < SHORTEST:
        return []
    beginning = re.compile(rf"(?<![a-z]){re.escape(stem)}", re.IGNORECASE)
    described = (describe_kind(family, kind) for family, kind in all_kinds())
    return [entry for entry in described if beginning.search(f"{entry.kind} {entry.summary}")]


def _show_everything(as_json: bool) -> None:
    described = [describe_family(family) for family in families()]
    named = [describe_section(section) for section in sections()]
    if as_json:
        listed = [
            {
                "family": f.family,
                "summary": f.summary,
                "kinds": [{"kind": k, "summary": s} for k, s in f.kinds],
            }
            for f in described
        ]
        screen.show_json(
            {"families": listed, "sections": [{"section": s.section, "summary": s.summary} for s in named]}
        )
        return
    for family in described:
        screen.heading(family.family, family.summary)
        screen.listing(family.kinds)
        screen.say()
    screen.heading("sections", "The sections of a spec.")
    screen.listing([(section.section, section.summary) for section in named])
    screen.say("\n`dlrun kinds NAME` shows a kind, a family or a section in full.")


def _show_family(family: str, as_json: bool) -> None:
    described = describe_family(family)
    if as_json:
        entries = [asdict(describe_kind(family, kind)) for kind, _ in described.kinds]
        screen.show_json({"family": family, "summary": described.summary, "kinds": entries})
        return
    screen.heading(family, described.summary)
    screen.listing(described.kinds)
    shared = {s.name: s for kind, _ in described.kinds for s in describe_kind(family, kind).common}
    _show_settings(tuple(shared.values()), "Settings that several share")
    screen.say("\n`dlrun kinds NAME` shows one in full.")


def _show_entries(entries: list[KindReference | SectionReference], as_json: bool) -> None:
    if as_json:
        screen.show_json({"found": [asdict(entry) for entry in entries]})
        return
    for number, entry in enumerate(entries):
        if number:
            screen.say()
        if isinstance(entry, KindReference):
            _show_kind(entry)
        else:
            screen.heading(entry.section, entry.summary)
            _show_settings(entry.settings, "Settings")


def _show_kind(entry: KindReference) -> None:
    screen.heading(entry.kind, singular(entry.family))
    screen.paragraph(entry.summary)
    if entry.description:
        screen.paragraph("\n" + entry.description)
    details = [
        (title, text)
        for title, text in (
            ("Shape", entry.shape),
            ("Raises", entry.raises),
            ("Reference", entry.reference),
            ("Example", entry.example),
        )
        if text
    ]
    if details:
        screen.say()
        screen.listing(details)
    _show_settings(entry.settings, "Settings")
    _show_settings(entry.common, f"Settings that {entry.family} share" if entry.settings else "Settings")


def _show_settings(settings: tuple[SettingReference, ...], title: str) -> None:
    if settings:
        screen.say()
        screen.heading(title)
        screen.listing([(s.name, s.help, _details(s)) for s in settings])


def _details(setting: SettingReference) -> str:
    details = [setting.type]
    if setting.required:
        details.append("required")
    elif setting.default is not None:
        details.append(f"default {setting.default}")
    if setting.main:
        details.append("may stand alone")
    return "; ".join(details)


def _family_called(name: str) -> str | None:
    """The family of this name, singular (`loss`) or plural, or the one that a section of this name takes."""
    for family in families():
        if name in (family, singular(family).split(" ", 1)[1]):
            return family
    return {"source": "sources", "tracking": "trackers", "init": "initializers"}.get(name)


def _named(name: str) -> list[KindReference | SectionReference]:
    """Everything that has this name."""
    family, dot, kind = name.rpartition(".")
    found: list[KindReference | SectionReference] = [
        describe_kind(of, known)
        for of, known in all_kinds()
        if known == kind and (not dot or of == _family_called(family))
    ]
    if name in sections():
        found.append(describe_section(name))
    return found


def _nothing(name: str) -> str:
    return f"there is no kind, family or section '{name}'"


def _unknown(name: str) -> Problem:
    message = _nothing(name)
    if owners := _owners(name):
        shown = ", ".join(owners[:6]) + (", …" if len(owners) > 6 else "")
        return Problem(f"{message}, but it is a setting of {shown}", hint=f"`dlrun kinds {owners[0]}`")
    ours: dict[str, Any] = {}
    for family in sorted(families(), key=lambda family: family == "layers"):
        ours |= synonyms(family)
    known = [
        *dict.fromkeys(kind for _, kind in all_kinds()),
        *families(),
        *sections(),
        *(room for room in _rooms() if room not in ours),
    ]
    meant = suggest(name.rpartition(".")[2], known, ours).partition(":")[0]
    if meant:
        return Problem(f"{message}; did you mean '{meant}'?", hint=f"`dlrun kinds {meant}`")
    return Problem(message, hint="`dlrun kinds` lists them")


def _owners(setting: str) -> list[str]:
    """The kinds and sections that have a setting of this name."""
    kinds = [f"{family}.{kind}" for family, kind in all_kinds() if setting in setting_names(find(family, kind))]
    return kinds + [section for section, cls in sections().items() if setting in setting_names(cls)]
