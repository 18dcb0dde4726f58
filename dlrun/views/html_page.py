"""What all pages share: each stands alone, with no script, no style and no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from dlrun.errors import visible
from dlrun.views.grid import Grid

LIGHT = ("#2f6199", "#a8443a", "#467a2a", "#a86a12", "#6b4a9e", "#2c7a62", "#9c3b6e", "#5b6472", "#8a7a1c", "#1c7a8a")
DARK = ("#7fb0e6", "#e58a80", "#93c775", "#e0a754", "#b79be8", "#72c7ab", "#e08ab8", "#a2aab6", "#d1c05a", "#66c3d3")
"""Of classes and curves, in order, on a light and on a dark page."""
STYLE = f"""
:root {{ color-scheme: light dark; --ink: #1d2430; --soft: #5b6472; --line: #d8dce2; --back: #ffffff;
  {" ".join(f"--colour-{number}: {colour};" for number, colour in enumerate(LIGHT))} }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e6e8ec; --soft: #a2aab6; --line: #3a424e; --back: #14181f;
    {" ".join(f"--colour-{number}: {colour};" for number, colour in enumerate(DARK))} }}
}}
body {{ font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); margin: 2rem auto;
  max-width: 70rem; padding: 0 1.5rem; }}
h1 {{ font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }} h2 {{ font-size: 1.1rem; margin: 2.2rem 0 .6rem; }}
p {{ color: var(--soft); margin: .3rem 0; overflow-wrap: anywhere; }}
@media (max-width: 40rem) {{ body {{ margin: 1rem auto; padding: 0 1rem; }} }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .25rem .8rem .25rem 0; text-align: left; border-bottom: 1px solid var(--line);
  white-space: nowrap; }}
th {{ color: var(--soft); font-weight: 600; }} .right {{ text-align: right; }}
.key {{ display: inline-block; margin-right: .6rem; }}
svg {{ display: block; }} .bar {{ fill: var(--colour-0); }} .axis {{ stroke: var(--line); }}
svg text {{ font: 12px system-ui, sans-serif; fill: var(--soft); }}
"""
MOST_LINES = 24
"""Lines of a table that is open at first."""


def page(title: str, parts: Iterable[str], style: str = "") -> str:
    """A whole page, HTML.

    Args:
        title: a text.
        parts: HTML.
        style: CSS beside that of every page.
    """
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html(title)}</title><style>{STYLE}{style}</style></head><body>",
            f"<h1>{html(title)}</h1>",
            *parts,
            "</body></html>\n",
        ]
    )


def html(text: str) -> str:
    """A text as HTML."""
    return escape(visible(text))


def colour(number: int) -> str:
    """The colour of a class or a curve, for CSS and SVG; of more than ten the first ones come again."""
    return f"var(--colour-{number % len(LIGHT)})"


def legend(names: Iterable[str]) -> str:
    """What has which colour, as HTML."""
    return " ".join(
        f'<span class="key"><span style="color:{colour(number)}">●</span> {html(name)}</span>'
        for number, name in enumerate(names)
    )


def table(grid: Grid, pictures: Sequence[str] = ()) -> str:
    """A table with its title, as HTML; `pictures` are the cells of one more column, HTML."""
    sides = ["right" if column in grid.right else "left" for column in grid.columns]

    def cells(tag: str, texts: Sequence[str]) -> str:
        return "".join(f'<{tag} class="{side}">{html(t)}</{tag}>' for t, side in zip(texts, sides, strict=True))

    head = cells("th", grid.columns)
    lines = [
        f"<tr>{cells('td', row)}{f'<td>{pictures[number]}</td>' if pictures else ''}</tr>"
        for number, row in enumerate(grid.rows)
    ]
    beside = "<th></th>" if pictures else ""
    below = f"<p>{html(grid.below)}</p>" if grid.below else ""
    whole = f"<table><tr>{head}{beside}</tr>{''.join(lines)}</table>" if grid.columns else ""
    wide = f'<div class="wide">{whole}</div>'
    if len(lines) > MOST_LINES:
        wide = f"<details><summary>{len(lines):,} lines</summary>{wide}</details>"
    return f"<h2>{html(grid.title)}</h2>{wide}{below}"
