"""Nothing in a journal changes or is lost, and repeated records are compared with it."""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
import zlib
from functools import partial
from pathlib import Path
from random import Random

import pytest
from faults import faults, in_child
from power import disk

from dlrun.errors import RunError
from dlrun.runs.info import Record
from dlrun.runs.journal import Journal, Tail, as_line, read_journal

NAMES = ("train/loss", "validation/accuracy", "time/epoch")


def record(epoch: int, **others: float) -> Record:
    """The metrics of an epoch of 25 steps."""
    return Record(epoch, 25 * epoch, 1_760_000_000_000 + epoch, dict.fromkeys(NAMES, 0.1 * epoch) | others)


def written(path: Path, count: int) -> bytes:
    """A journal of so many epochs; gives its bytes."""
    path.unlink(missing_ok=True)
    with Journal(path) as journal:
        for epoch in range(1, count + 1):
            journal.write(record(epoch))
    return path.read_bytes()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


# Lines


def test_a_line_is_json_that_ends_with_the_checksum_of_the_bytes_before() -> None:
    line = as_line(Record(3, 75, 1_760_000_000_000, {"train/loss": 0.5, "a": math.nan, "b": -math.inf}))
    text = b'{"epoch":3,"step":75,"time":1760000000000,"metrics":{"train/loss":0.5,"a":"nan","b":"-inf"}'
    assert line == text + b',"check":"%08x"}\n' % zlib.crc32(text)
    assert json.loads(line)["metrics"] == {"train/loss": 0.5, "a": "nan", "b": "-inf"}


def test_numbers_come_back_bit_for_bit(file: Path) -> None:
    random = Random(7)
    values = [struct.unpack("<d", random.randbytes(8))[0] for _ in range(2000)]
    values += [-0.0, 5e-324, 0.1 + 0.2, math.nan, math.inf, -math.inf]
    metrics = {f"metric-{number}": value for number, value in enumerate(values)}
    with Journal(file) as journal:
        journal.write(Record(1, 25, 1700, metrics))
        journal.write(Record(2, 50, 1800, {'é"\n,"check":"': 1}))
    first, second = read_journal(file)
    assert repr(first.metrics) == repr(metrics)
    assert second == Record(2, 50, 1800, {'é"\n,"check":"': 1.0})


def test_a_flipped_bit_anywhere_in_a_line_is_reported_with_its_number(file: Path) -> None:
    data = written(file, 3)
    lines = data.splitlines(keepends=True)
    start = len(lines[0])
    for bit in range(8 * len(lines[1])):
        flipped = bytearray(data)
        flipped[start + bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        with pytest.raises(RunError, match="line 2 is damaged"):
            read_journal(file)


def test_a_flipped_bit_in_the_last_line_is_reported_unless_it_looks_torn(file: Path) -> None:
    data = written(file, 2)
    start = data.index(b"\n") + 1
    for bit in range(8 * (len(data) - 1 - start)):
        flipped = bytearray(data)
        flipped[start + bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        with pytest.raises(RunError, match="line 2 is damaged"):
            read_journal(file)


@pytest.mark.parametrize(
    "content",
    [
        b"[1]",
        b'{"epoch":1,"step":1,"time":1,"metrics":[]}',
        b'{"epoch":1,"time":1,"metrics":{}}',
        b'{"epoch":1.5,"step":1,"time":1,"metrics":{}}',
        b'{"epoch":true,"step":1,"time":1,"metrics":{}}',
        b'{"epoch":1,"step":1,"time":1,"metrics":{"a":"word"}}',
        b'{"epoch":1,"step":1,"time":1,"metrics":{"a":1}}',
        b'{"epoch":1,"step":1,"time":1,"metrics":{"a":' + b"[" * 100_000 + b"}}",
        b"\xff}",
    ],
    ids=range(9),
)
def test_a_line_that_was_made_up_is_reported(file: Path, content: bytes) -> None:
    text = content[:-1]
    file.write_bytes(text + b',"check":"%08x"}\n' % zlib.crc32(text))
    with pytest.raises(RunError, match="line 1 is damaged"):
        read_journal(file)


def test_a_journal_that_is_not_there_is_reported(file: Path) -> None:
    with pytest.raises(RunError, match=r"cannot read .*No such file"):
        read_journal(file)


# Torn tails


def test_torn_tails_of_every_length_are_left_out_and_cut(file: Path) -> None:
    data = written(file, 3)
    two = len(b"".join(data.splitlines(keepends=True)[:2]))
    for length in range(two, len(data)):
        file.write_bytes(data[:length])
        assert read_journal(file) == [record(1), record(2)]
        assert [found for found, _ in Tail(file).more()] == [record(1), record(2)]
        with Journal(file, after=two) as journal:
            assert file.stat().st_size == two
            journal.write(record(3))
            assert journal.differences == []
        assert file.read_bytes() == data


def test_a_tail_that_the_power_cut_has_filled_with_zeros_is_cut(file: Path) -> None:
    data = written(file, 2)
    for tail in (bytes(4096), bytes(100) + b"\n", data[:30] + bytes(50)):
        file.write_bytes(data + tail)
        with Journal(file, after=len(data)) as journal:
            journal.write(record(3))
        assert read_journal(file) == [record(1), record(2), record(3)]


def test_a_damaged_line_that_will_be_repeated_is_rewritten_and_reported(file: Path) -> None:
    data = written(file, 4)
    lines = data.splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], lines[1], lines[2].replace(b"0.3", b"0.4"), lines[3]]))
    with Journal(file, after=len(lines[0])) as journal:
        for epoch in (2, 3, 4):
            journal.write(record(epoch))
    assert file.read_bytes() == data
    assert journal.differences == ["line 3 of the journal was damaged; it is rewritten from there"]


# Resuming


def test_a_new_journal_does_not_continue_one_that_is_there(file: Path) -> None:
    data = written(file, 1)
    with pytest.raises(RunError, match="exists already"):
        Journal(file)
    assert file.read_bytes() == data


def test_the_lines_that_a_checkpoint_relies_on_must_be_there_and_intact(file: Path) -> None:
    data = written(file, 3)
    two = len(b"".join(data.splitlines(keepends=True)[:2]))
    for after in (two - 1, two + 1, len(data) + 1):
        with pytest.raises(RunError, match=f"no line ends at byte {after}"):
            Journal(file, after=after)
    file.write_bytes(data[: two - 1])
    with pytest.raises(RunError, match=f"no line ends at byte {two}"):
        Journal(file, after=two)
    file.write_bytes(data.replace(b"0.2", b"0.3"))
    with pytest.raises(RunError, match="line 2 is damaged"):
        Journal(file, after=len(data))


def test_records_that_are_repeated_alike_leave_the_journal_as_it_is(file: Path) -> None:
    data = written(file, 4)
    ends = [end for _, end in Tail(file).more()]
    with Journal(file, after=ends[0]) as journal:
        for epoch in (2, 3, 4, 5):
            again = record(epoch)
            again.metrics["time/epoch"] = 7.0
            journal.write(Record(epoch, again.step, again.time + 1000, again.metrics))
            assert journal.sync() == (ends[epoch - 1] if epoch < 5 else file.stat().st_size)
    assert journal.differences == []
    assert file.read_bytes().startswith(data)
    assert [found.epoch for found in read_journal(file)] == [1, 2, 3, 4, 5]


def test_not_a_number_repeated_is_no_difference(file: Path) -> None:
    metrics = {"a": math.nan, "b": math.inf}
    with Journal(file) as journal:
        journal.write(Record(1, 1, 1, metrics))
    with Journal(file, after=0) as journal:
        journal.write(Record(1, 1, 2, {"a": float("nan"), "b": math.inf}))
    assert journal.differences == []


@pytest.mark.parametrize(
    ("was", "now"), [(0.5, math.nextafter(0.5, 1)), (0.0, -0.0), (math.nan, 0.5), (math.inf, -math.inf)]
)
def test_a_repeated_metric_that_differs_by_one_bit_is_reported_and_the_first_stays(
    file: Path, was: float, now: float
) -> None:
    with Journal(file) as journal:
        journal.write(record(3, other=was))
        journal.write(record(4))
    data = file.read_bytes()
    with Journal(file, after=0) as journal:
        journal.write(record(3, other=now))
        journal.write(record(4))
    assert journal.differences == [f"epoch 3: other was {was!r}, now {now!r}"]
    assert file.read_bytes() == data


@pytest.mark.parametrize(
    "other",
    [record(3), Record(2, 49, 0, record(2).metrics), Record(2, 50, 0, {"train/loss": 0.2})],
    ids=["epoch", "step", "names"],
)
def test_a_record_that_is_not_the_next_one_repeated_is_reported_and_added(file: Path, other: Record) -> None:
    data = written(file, 2)
    with Journal(file, after=data.index(b"\n") + 1) as journal:
        journal.write(other)
    (difference,) = journal.differences
    assert difference.startswith(
        "the journal has epoch 2, step 50 (train/loss, validation/accuracy, time/epoch), and this"
    )
    assert file.read_bytes() == data + as_line(other)


def test_the_test_of_a_run_that_had_ended_and_is_resumed_is_no_difference(file: Path) -> None:
    with Journal(file) as journal:
        journal.write(record(1))
        after = journal.sync()
        journal.write(Record(1, 25, 1700, {"test/loss": 0.5}))
    with Journal(file, after=after) as journal:
        journal.write(record(2))
    assert journal.differences == []
    assert [found.epoch for found in read_journal(file)] == [1, 1, 2]


# Following


def test_a_follower_gets_each_line_once_and_only_when_it_is_whole(file: Path) -> None:
    data = written(file.with_name("whole"), 3)
    tail, found = Tail(file), []
    assert tail.more() == []
    with file.open("ab", buffering=0) as stream:
        for at in range(len(data)):
            stream.write(data[at : at + 1])
            more = tail.more()
            assert bool(more) == (data[at : at + 1] == b"\n")
            found += more
    assert [one for one, _ in found] == [record(1), record(2), record(3)]
    assert [offset for _, offset in found] == [at + 1 for at in range(len(data)) if data[at : at + 1] == b"\n"]


def test_a_follower_continues_from_any_offset_that_it_gave(file: Path) -> None:
    written(file, 4)
    whole = Tail(file).more()
    for number, (_, offset) in enumerate(whole):
        assert Tail(file, offset).more() == whole[number + 1 :]


def test_a_follower_whose_lines_were_lost_with_the_power_starts_over(file: Path) -> None:
    written(file, 2)
    for offset in (7, file.stat().st_size + 100):
        assert [found for found, _ in Tail(file, offset).more()] == [record(1), record(2)]


def test_a_follower_gets_intact_lines_before_damage_is_reported(file: Path) -> None:
    data = written(file, 3)
    file.write_bytes(data.replace(b"0.2", b"0.3"))
    tail = Tail(file)
    assert [found for found, _ in tail.more()] == [record(1)]
    with pytest.raises(RunError, match=f"the line at byte {tail.offset} is damaged"):
        tail.more()


# Faults


def test_a_journal_on_a_full_disk_is_reported(file: Path) -> None:
    journal = Journal(file)
    os.close(journal._file)
    journal._file = os.open("/dev/full", os.O_WRONLY)  # takes no bytes, like a full disk
    with pytest.raises(RunError, match="No space left on device"):
        journal.write(record(1))
    os.close(journal._file)


def test_a_line_that_the_disk_took_half_of_is_taken_away_when_there_is_room_again(file: Path, monkeypatch) -> None:
    write, room = os.write, [150]

    def small(descriptor: int, data: memoryview) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        done = write(descriptor, data[: room[0]])
        room[0] -= done
        return done

    with Journal(file) as journal:
        monkeypatch.setattr(os, "write", small)
        journal.write(record(1))
        for _ in range(2):
            with pytest.raises(RunError, match="No space left on device"):
                journal.write(record(2))
            assert read_journal(file) == [record(1)]
        monkeypatch.undo()
        journal.write(record(2))
    assert read_journal(file) == [record(1), record(2)]


def resume(file: Path, after: int | None) -> None:
    with Journal(file, after) as journal:
        for epoch in range(1 if not after else 3, 7):
            journal.write(record(epoch))
            journal.sync()


@pytest.mark.parametrize("mode", ["kill", "torn"])
def test_a_kill_at_any_operation_loses_nothing(file: Path, mode: str) -> None:
    data, two, at, through = written(file, 6), 0, 0, False
    two = len(b"".join(data.splitlines(keepends=True)[:2]))
    while not through:
        at += 1
        file.write_bytes(data[: two + 20])
        through = in_child(partial(resume, file, two), mode, at)
        assert data.startswith(b"".join(as_line(found) for found in read_journal(file)))
        assert len(read_journal(file)) >= 2
        resume(file, two)
        assert file.read_bytes() == data
    assert at > 10


@pytest.mark.parametrize("mode", ["enospc", "eio"])
def test_a_fault_at_any_operation_is_reported_and_loses_nothing(file: Path, mode: str) -> None:
    data = written(file, 6)
    two = len(b"".join(data.splitlines(keepends=True)[:2]))
    file.write_bytes(data[: two + 20])
    with faults("count") as counted:
        resume(file, two)
    for at in range(1, counted.count + 1):
        file.write_bytes(data[: two + 20])
        try:
            with faults(mode, at):
                resume(file, two)
        except RunError as error:
            assert "cannot write" in str(error)
        else:
            assert file.read_bytes() == data
        resume(file, two)
        assert file.read_bytes() == data


def test_what_was_synced_is_there_after_a_power_cut(tmp_path: Path) -> None:
    root, cut, random = tmp_path / "root", tmp_path / "cut", Random(7)
    root.mkdir()
    promised: list[tuple[int, int]] = []
    with disk(root) as modelled, Journal(root / "m.jsonl") as journal:
        for epoch in range(1, 5):
            journal.write(record(epoch))
            offset = journal.sync()
            promised.append((modelled.now, offset))
            journal.write(record(epoch, again=1.0))
    data = (root / "m.jsonl").read_bytes()
    for moment in range(promised[0][0], modelled.now + 1):
        after = max(offset for time, offset in promised if time <= moment)
        for _ in range(20):
            modelled.cut_power(moment, cut, random)
            with Journal(cut / "m.jsonl", after):
                pass
            left = (cut / "m.jsonl").read_bytes()
            assert len(left) >= after and data.startswith(left)
            shutil.rmtree(cut)
