"""The sentences that the text networks train on, and the script that makes them."""

import importlib.util
import io
import tarfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from places import NETS

DATA = NETS / "data"

RATED = """1\t2.5\tGood, good film!
2\t-1.5\tA film that isn’t good?
3\t0.2\tNeither a film nor good.
4\t-3\tNever AGAIN...
5\t-2\tnever again
6\t1.4\tgood: again
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_snippets", DATA / "make_snippets.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def packed(name: str, content: bytes) -> bytes:
    """A tar archive of one file, compressed."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def test_the_script_numbers_the_words_of_clear_sentences_by_how_often_they_come(
    script: ModuleType, tmp_path: Path
) -> None:
    inner = packed("hutto_ICWSM_2014/" + script.RATED, RATED.encode())
    (tmp_path / "package.tar.gz").write_bytes(packed("vaderSentiment-3.3.2/" + script.INNER, inner))
    script.main(tmp_path / "package.tar.gz", tmp_path / "made.npz")
    with np.load(tmp_path / "made.npz") as made:
        assert made["words"].tolist() == ["", "<unknown>", "good", "again", "film"]
        filled = [row[row > 0].tolist() for row in made["ids"]]
        # good good film ! / a film that isn't good ? / never again, once / good again
        assert filled == [[2, 2, 4, 1], [1, 4, 1, 1, 2, 1], [1, 3], [2, 3]]
        assert made["label"].tolist() == ["positive", "negative", "negative", "positive"]


def test_the_shipped_sentences_can_be_read_again() -> None:
    with np.load(DATA / "snippets.npz") as shipped:
        ids, words, label = shipped["ids"], shipped["words"], shipped["label"]
    first = " ".join(words[ids[0]]).strip()
    # The archive's first line: "The Rock is destined to be the 21st Century's new ''Conan'' and that he's going to make
    # a splash even greater than Arnold Schwarzenegger, Jean Claud Van Damme or Steven Segal."
    assert first.startswith("the rock is destined to be the 21st <unknown> new conan and that he's going to make a ")
    assert label[0] == "positive"


def test_the_shipped_sentences_are_filled_up_at_the_end_and_no_two_are_alike() -> None:
    with np.load(DATA / "snippets.npz") as shipped:
        ids, words, label = shipped["ids"], shipped["words"], shipped["label"]
    assert ids.max() == len(words) - 1
    real = ids > 0
    assert (real[:, :-1] >= real[:, 1:]).all() and real[:, 0].all()
    assert len(np.unique(ids, axis=0)) == len(ids)
    assert dict(zip(*np.unique(label, return_counts=True), strict=True)) == {"negative": 4574, "positive": 4597}
