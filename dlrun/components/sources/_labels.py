"""Shared by the sources: checks of the classes."""

from __future__ import annotations

from dlrun.components.sources import SourceError
from dlrun.language.suggestions import shorten
from dlrun.language.target_kind import TargetKind


def need_labels(labels: tuple[str, ...], wants: TargetKind, what: str, at: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels, if there are as many as the loss needs: two for `binary`, otherwise two or more.

    Raises:
        SourceError: `what` has another number of classes.
    """
    if wants == "binary" and len(labels) != 2:
        hint = "use `cross_entropy`, which takes any number of classes" if len(labels) > 2 else ""
        raise SourceError(f"{what} has {_counted(labels)}; a binary target needs 2", at, hint)
    if len(labels) < 2:
        raise SourceError(f"{what} has {_counted(labels)}; at least 2 are needed", at)
    return labels


def _counted(labels: tuple[str, ...]) -> str:
    return f"{len(labels)} class" + ("" if len(labels) == 1 else "es") + f", {shorten(labels)}"
