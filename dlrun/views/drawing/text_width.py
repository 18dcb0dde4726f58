"""The width of text, without a font: the largest among common sans-serif fonts."""

from __future__ import annotations

_CLASSES = {
    0.30: "'Iijl",
    0.35: " ,./:;\\|·",
    0.40: "()-[]ft",
    0.45: "!r",
    0.50: '"*J`',
    0.55: "csz",
    0.60: "?L_kvxy",
    0.65: "$0123456789FTabdeghnopqu{}",
    0.70: "ABEKPSVXYZ",
    0.75: "CNRU",
    0.80: "&DGHOQ",
    0.85: "#+<=>^w~×↑",
    0.90: "M",
}
_WIDTHS = {character: width for width, characters in _CLASSES.items() for character in characters}
_OTHER, _BOLD = 1.05, 1.13


def text_width(text: str, size: float, bold: bool = False) -> float:
    """At most this many units for a text of this size; Helvetica, Arial and DejaVu Sans were measured."""
    return sum(_WIDTHS.get(character, _OTHER) for character in text) * size * (_BOLD if bold else 1.0)
