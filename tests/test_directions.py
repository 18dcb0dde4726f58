"""Imports go downwards only: a room imports from the rooms below it, and no two modules import each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from places import ROOT

ROOMS = (
    *("errors", "shapes", "runs", "stored", "cache", "language", "safetensors_header", "torch_header"),
    *("modules", "components", "plan", "checks", "views", "data", "network", "tracking", "training", "trained"),
    *("exported", "served", "commands"),
)
"""From the bottom to the top."""
ALLOWED = {"runs": {"errors"}}
"""Rooms that may import from fewer rooms than all below them."""
APART = {
    *(("training", "tracking"), ("training", "commands"), ("components", "components")),
    *((room, "runs") for room in ("language", "modules", "components", "plan", "views")),
}
"""Pairs (importing, imported) that are forbidden though the order would allow them; a family never imports another."""
FACE = ("__init__", "__main__", "api")
"""Modules at the top that stand above all rooms."""


def modules() -> dict[str, ast.Module]:
    """Every module of dlrun by its dotted name without `dlrun.`, parsed."""
    found = {}
    for path in sorted((ROOT / "dlrun").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT / "dlrun").with_suffix("").parts)
        found[name.removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


MODULES = modules()


def imported(name: str) -> Iterator[str]:
    """The modules of dlrun that a module imports, at its top or inside functions, for types only or not."""
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            if node.module == "dlrun":
                yield from (alias.name for alias in node.names if alias.name in MODULES)
            elif node.module and node.module.startswith("dlrun."):
                base = node.module.removeprefix("dlrun.")
                below = [f"{base}.{alias.name}" for alias in node.names]
                yield from (one for one in below if one in MODULES)
                if any(one not in MODULES for one in below):
                    yield base
        elif isinstance(node, ast.Import):
            yield from (a.name.removeprefix("dlrun.") for a in node.names if a.name.startswith("dlrun."))


IMPORTS = {name: sorted(set(imported(name))) for name in MODULES}


def room_of(name: str) -> str:
    return name.partition(".")[0]


def is_upward(name: str, other: str) -> bool:
    """Whether an import leads to a room that may not be imported from there."""
    room, target = room_of(name), room_of(other)
    if room == target == "components":  # components/FAMILY imports only its own family
        return name.split(".")[1] != other.split(".")[1]
    if room == target or room in FACE:
        return False
    return (
        ROOMS.index(target) > ROOMS.index(room) or target not in ALLOWED.get(room, {target}) or (room, target) in APART
    )


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_from_rooms_below_it(name: str) -> None:
    assert [other for other in IMPORTS[name] if is_upward(name, other)] == []


def test_every_module_is_in_a_room() -> None:
    assert {room_of(name) for name in MODULES} - {*ROOMS, *FACE} == set()


def test_no_modules_import_each_other() -> None:
    state: dict[str, int] = {}
    cycles = []

    def visit(name: str, trail: list[str]) -> None:
        if state.get(name) == 1:
            cycles.append([*trail[trail.index(name) :], name])
        if name in state:
            return
        state[name] = 1
        for other in IMPORTS[name]:
            visit(other, [*trail, name])
        state[name] = 2

    for name in MODULES:
        visit(name, [])
    assert cycles == []
