"""Whether a path that somebody gives can be that of a file."""

from __future__ import annotations

from pathlib import Path

from dlrun.errors import SpecError

LONGEST_SHOWN = 80
"""Characters of a wrong path."""


def usable(path: Path) -> Path:
    """The same path, where a file can have it; also a run keeps it as text.

    Raises:
        SpecError: it is too long, has a NUL, or is not UTF-8.
    """
    try:
        str(path).encode()
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # the command says what it needs
        return path
    except UnicodeEncodeError:
        why = "it is not UTF-8 text"
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
    else:
        return path
    shown = str(path) if len(str(path)) <= LONGEST_SHOWN else f"{str(path)[:LONGEST_SHOWN]}…"
    raise SpecError(f"{shown} cannot be the path of a file: {why}")
