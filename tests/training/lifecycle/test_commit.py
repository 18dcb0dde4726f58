"""The commit of a spec's folder is that of git, and nothing is run to find it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dlrun.training.lifecycle.commit import git_commit


def git(folder: Path, *arguments: str) -> str:
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(
        ["git", *who, "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **own},
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "feature/a")
    return folder


def commit(folder: Path) -> str:
    git(folder, "commit", "-q", "--allow-empty", "-m", "a")
    return git(folder, "rev-parse", "HEAD")


def test_the_commit_is_that_of_git(repository: Path, tmp_path: Path) -> None:
    assert git_commit(tmp_path) == git_commit(repository) == {}
    inner = repository / "inner"
    inner.mkdir()
    first = commit(repository)
    assert git_commit(repository) == git_commit(inner) == {"git.commit": first}
    second = commit(repository)
    assert git_commit(repository) == {"git.commit": second}
    git(repository, "pack-refs", "--all")
    assert git_commit(repository) == {"git.commit": second}
    git(repository, "worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"), first)
    assert git_commit(tmp_path / "tree") == {"git.commit": first}
    git(repository, "checkout", "-q", "--detach", first)
    assert git_commit(repository) == {"git.commit": first}


def test_nothing_that_a_repository_names_is_run(repository: Path, tmp_path: Path, monkeypatch) -> None:
    (repository / "file").write_text("a")
    (repository / ".gitattributes").write_text("* filter=evil")
    known = commit(repository)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'planted'}\n")
    program.chmod(0o755)
    for key in ("core.fsmonitor", "core.hooksPath", "filter.evil.clean", "core.sshCommand", "core.pager"):
        git(repository, "config", key, str(program))
    monkeypatch.setattr(subprocess, "Popen", None)
    assert git_commit(repository) == {"git.commit": known}
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("head", ["ref: refs/../../../secret", "ref: refs/heads/a", "", "x" * 40, "ref: /etc/passwd"])
def test_a_head_that_leads_elsewhere_has_no_commit(repository: Path, head: str) -> None:
    (repository / ".git" / "HEAD").write_text(head)
    (repository / ".git" / "refs" / "heads" / "a").write_text("ref: refs/heads/a")
    assert git_commit(repository) == {}
