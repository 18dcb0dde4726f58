"""What a shell offers for an argument when Tab is pressed: quick, and silent where something cannot be read."""

from __future__ import annotations

from pathlib import Path

import typer


def specs(incomplete: str) -> list[str]:
    """The YAML files, and the folders that may have some."""
    folder, _, begun = incomplete.rpartition("/")
    start = Path(f"{folder}/") if "/" in incomplete else Path()
    prefix = f"{folder}/" if "/" in incomplete else ""
    offered = []
    try:
        for path in start.iterdir():
            if path.name.startswith(begun) and (begun or not path.name.startswith(".")):
                if path.is_dir():
                    offered.append(f"{prefix}{path.name}/")
                elif path.suffix in (".yaml", ".yml"):
                    offered.append(f"{prefix}{path.name}")
    except (OSError, ValueError):
        return []
    return sorted(offered)


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """The runs in the folder that `--runs` names, the newest first, and `last`; after a `/` the parts of a run, and
    after `best:` the metrics and then the experiments."""
    from dlrun.runs.find import BEST, LAST, WITHIN, metrics_of, summaries
    from dlrun.runs.folder import STARTED, parts_of

    folder = Path(context.params.get("runs") or "runs")
    if incomplete.startswith(BEST):
        known, _ = summaries(folder)
        metric, within, _ = incomplete.partition(WITHIN)
        if within:
            offered = [f"{metric}{WITHIN}{name}" for name in sorted({one.info.experiment for one in known})]
        else:
            offered = [f"{BEST}{name}" for name in metrics_of(known)]
        return [text for text in offered if text.startswith(incomplete)]
    name, slash, _ = incomplete.rpartition("/")
    if slash:
        return [text for part in parts_of(folder / name) if (text := f"{name}/{part.name}").startswith(incomplete)]
    try:
        found = [path.name for path in folder.iterdir() if (path / STARTED).is_file()]
    except (OSError, ValueError):
        return []
    return [name for name in (LAST, *sorted(found, reverse=True)) if found and name.startswith(incomplete)]


def runs_or_specs(context: typer.Context, incomplete: str) -> list[str]:
    """The runs, then the YAML files."""
    return [*runs(context, incomplete), *specs(incomplete)]


def names(incomplete: str) -> list[str]:
    """The families, the kinds of all of them, the rooms of layers, and the sections."""
    from dlrun.language.kinds import families, find, kinds
    from dlrun.language.settings_schema import sections

    known = {*families(), *sections(), *(kind for family in families() for kind in kinds(family))}
    known |= {find("layers", kind).room for kind in kinds("layers")} - {""}
    return sorted(name for name in known if name.startswith(incomplete))
