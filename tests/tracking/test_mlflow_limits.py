"""Names and values become what MLflow takes."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dlrun.tracking.mlflow_limits import MAX_KEY, chunks, clean_entries, clean_key, clean_keys, cut


def test_a_good_name_stays_as_it_is() -> None:
    assert clean_key("validation/top-5 accuracy: all_of.them") == "validation/top-5 accuracy: all_of.them"


def test_a_place_in_a_list_becomes_a_step_in_a_path() -> None:
    assert clean_key("model.layers[0].branches[12].conv2d") == "model.layers.0.branches.12.conv2d"


@settings(deadline=None)  # the first call imports MLflow
@given(st.text())
@example("..0")
@example("...")
@example("../..a")
@example("a/..b")
@example("/..0")
def test_every_name_becomes_one_that_mlflow_takes(key: str) -> None:
    from mlflow.utils.validation import _validate_param_name

    name = clean_key(key)
    _validate_param_name(name)
    assert 0 < len(name) <= MAX_KEY
    assert re.fullmatch(r"[/\w.\- :]+", name)


def test_no_setting_is_lost_because_two_names_become_one() -> None:
    same = "k" * 300
    entries = {"a?": "1", "a!": "2", "a_": "3", same: "4", same + "x": "5"}
    assert clean_entries(entries, 10) == {
        "a_": "1",
        "a__2": "2",
        "a__3": "3",
        "k" * 250: "4",
        "k" * 248 + "_2": "5",
    }


def test_a_text_is_cut_to_its_length_with_a_mark() -> None:
    assert (cut("12345", 5), cut("123456", 5)) == ("12345", "1234…")


def test_chunks_hold_everything_in_order() -> None:
    assert [list(chunk) for chunk in chunks(range(5), 2)] == [[0, 1], [2, 3], [4]]
    assert list(chunks([], 2)) == []


def test_no_two_names_become_one() -> None:
    names = ["f1/a+b", "f1/a b", "f1/a_b", "f1/a?b", "f1/" + "a" * 300 + "b", "f1/" + "a" * 300 + "c"]
    found = clean_keys(names)
    assert list(found) == names
    assert len(set(found.values())) == len(names)
    assert found["f1/a b"] == "f1/a b"
    assert [found["f1/a+b"], found["f1/a_b"], found["f1/a?b"]] == ["f1/a_b", "f1/a_b_2", "f1/a_b_3"]
    assert all(len(name) <= MAX_KEY for name in found.values())
