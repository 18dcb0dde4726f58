"""The git commit of a folder, read from git's files: git would run programs that the config of a repository names."""

from __future__ import annotations

import re
from pathlib import Path

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
REF = re.compile(r"refs/(?!.*\.\.)[^\x00-\x20\x7f\\:*?~^\[]+")
MAX_LINKS = 5
"""How many refs may lead to each other."""
MAX_BYTES = 16 << 20


def git_commit(folder: Path) -> dict[str, str]:
    """The tag with the commit that is checked out in a folder; empty outside a repository."""
    try:
        place = folder.resolve()
        for parent in (place, *place.parents):
            if (found := _repository(parent / ".git")) is not None:
                commit = _commit(found)
                return {"git.commit": commit} if commit else {}
    except (OSError, ValueError, RuntimeError):
        pass
    return {}


def _repository(path: Path) -> Path | None:
    """The folder with a repository's HEAD; in a worktree and a submodule `.git` is a file that names it."""
    if path.is_file():
        kind, _, place = _text(path).partition(":")
        return path.parent / place.strip() if kind == "gitdir" else None
    return path if (path / "HEAD").is_file() else None


def _commit(repository: Path) -> str:
    """The commit of HEAD; '' where there is none yet."""
    common = repository
    if (repository / "commondir").is_file():  # a worktree has its own HEAD, and the branches of the main repository
        common = repository / _text(repository / "commondir").strip()
    content = _text(repository / "HEAD").strip()
    for _ in range(MAX_LINKS):
        if COMMIT.fullmatch(content):
            return content
        ref = content.removeprefix("ref:").strip()
        if not content.startswith("ref:") or not REF.fullmatch(ref):
            return ""
        own = next((place / ref for place in (repository, common) if (place / ref).is_file()), None)
        content = _text(own).strip() if own is not None else _packed(common / "packed-refs", ref)
    return ""


def _packed(path: Path, ref: str) -> str:
    if path.is_file():
        for line in _text(path).splitlines():
            commit, _, name = line.partition(" ")
            if name == ref:
                return commit
    return ""


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_BYTES).decode("utf-8", errors="replace")
