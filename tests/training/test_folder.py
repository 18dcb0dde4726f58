"""A run's folder is written whole or not at all."""

from pathlib import Path

import pytest
import torch

from dlrun.errors import RunError
from dlrun.tracking import Record
from dlrun.training.folder import make_folder, write_tensors, write_text
from dlrun.training.journal import Journal, read_journal


def test_runs_of_one_second_get_folders_of_their_own(tmp_path: Path) -> None:
    folders = {make_folder(tmp_path / "runs", "digits") for _ in range(5)}
    assert len(folders) == 5
    assert all(folder.is_dir() and folder.name.startswith("digits-") for folder in folders)


def test_a_runs_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(RunError, match="cannot make a folder"):
        make_folder(tmp_path / "runs", "digits")


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RunError, match="No space left on device"):
        write_text(file, "new")
    monkeypatch.undo()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_tensors_in_a_folder_that_is_gone_are_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot write"):
        write_tensors(tmp_path / "gone" / "w.safetensors", {"w": torch.zeros(2)}, {})


def test_a_journal_gives_back_what_was_written_bit_for_bit(tmp_path: Path) -> None:
    values = {"a": 0.1 + 0.2, "b": float("nan"), "c": float("-inf"), "d": 5e-324}
    with Journal(tmp_path / "m.jsonl") as journal:
        journal.write(Record(1, 1700, values))
        journal.write(Record(2, 1800, {"a": 1.0}))
    first, second = read_journal(tmp_path / "m.jsonl")
    assert repr(first.metrics) == repr(values)
    assert (second.epoch, second.time) == (2, 1800)


def test_a_torn_last_line_of_a_journal_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    with Journal(file) as journal:
        journal.write(Record(1, 1700, {"a": 1.0}))
    with file.open("a") as stream:
        stream.write('{"epoch": 2, "ti')
    assert [record.epoch for record in read_journal(file)] == [1]


def test_a_journal_on_a_full_disk_is_told(tmp_path: Path) -> None:
    # /dev/full takes nothing, as a full disk does.
    journal = Journal(Path("/dev/full"))
    with pytest.raises(RunError, match="No space left on device"):
        journal.write(Record(1, 1700, {"a": 1.0}))
    journal.file.close()
