"""The types of the data's fields: a source says them, and a preprocessing step is made for some."""

from __future__ import annotations

from typing import Literal

FieldType = Literal["number", "text", "image", "other"]
"""What a field's values are; `other` is what nothing can be made of."""
