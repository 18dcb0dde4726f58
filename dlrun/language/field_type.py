"""The types of the data's fields: a source says them, and a preprocessing step is made for some."""

from __future__ import annotations

from typing import Literal

FieldType = Literal["number", "text", "time", "image", "other"]
"""What a field's values are. Times are texts that `dlrun.language.times` reads; nothing can be made of `other`."""
