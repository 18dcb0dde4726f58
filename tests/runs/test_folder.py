"""A run's folder is written whole or not at all."""

import os
from pathlib import Path

import pytest
import torch

from dlrun.errors import RunError
from dlrun.runs.folder import make_folder, write_tensors, write_text


def test_runs_of_one_second_get_folders_of_their_own(tmp_path: Path) -> None:
    folders = {make_folder(tmp_path / "runs", "digits") for _ in range(5)}
    assert len(folders) == 5
    assert all(folder.is_dir() and folder.name.startswith("digits-") for folder in folders)


def test_a_runs_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(RunError, match="cannot make a folder"):
        make_folder(tmp_path / "runs", "digits")


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunError, match="No space left on device"):
        write_text(file, "new")
    monkeypatch.undo()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_tensors_in_a_folder_that_is_gone_are_reported(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot write"):
        write_tensors(tmp_path / "gone" / "w.safetensors", {"w": torch.zeros(2)}, {})


def test_a_path_that_is_no_text_is_one_error_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot write resolved.yaml: a path in it is not UTF-8 text: 'path: /a/"):
        write_text(tmp_path / "resolved.yaml", "path: /a/\udcff.csv")
    assert not list(tmp_path.iterdir())
