"""The colours of the styles, in every format."""

from __future__ import annotations

from dlrun.views.drawing.captions import Style

COLOURS: dict[Style, tuple[str, str]] = {
    "ends": ("#f4f5f7", "#5b6472"),
    "linear": ("#d7e6f7", "#2f6199"),
    "norm": ("#dcf1ea", "#2c7a62"),
    "activation": ("#fdebcb", "#a86a12"),
    "pool": ("#f9d9d5", "#a8443a"),
    "merge": ("#e6dcf5", "#6b4a9e"),
    "recurrent": ("#d6eccb", "#467a2a"),
    "attention": ("#f8d8e8", "#9c3b6e"),
    "noise": ("#e9e9ec", "#6d6d78"),
    "shape": ("#eeeeea", "#6f6f60"),
    "group": ("#dfe5ec", "#46566a"),
}
"""Each style's filling and line."""
