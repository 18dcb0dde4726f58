"""SVG text -> PNG, by resvg, which is imported only here."""

from __future__ import annotations

from dlrun.errors import Problem, SpecError

ZOOM = 2.0
MAX_PIXELS = 100_000_000


def png(svg: str, width: float, height: float) -> bytes:
    """The picture at two dots a unit, or fewer where it would be too large.

    Raises:
        SpecError: resvg is not installed.
    """
    try:
        import resvg_py
    except ImportError:
        hint = "pip install 'dlrun[draw]', or draw an SVG, which needs no package"
        raise SpecError([Problem("a PNG needs the package resvg_py, which is not installed", hint=hint)]) from None
    zoom = min(ZOOM, (MAX_PIXELS / max(width * height, 1.0)) ** 0.5)
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=zoom))
