from __future__ import annotations

from dlrun.components.sources._text_source import TextSource


class Tsv(TextSource):
    """A table as text with a tab between two cells: otherwise the same as csv.

    Shape: (columns,), the features in the order of `features`, or of the file
    Reference: IANA, text/tab-separated-values, 1993.
    Example: tsv: wine.tsv
    """

    synonyms = ("tab", "tab_separated")

    def separator(self) -> str:
        return "\t"
