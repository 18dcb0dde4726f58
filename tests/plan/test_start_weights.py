"""Which weights of a file a network starts from."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dlrun.language.start_weights import StartWeights
from dlrun.plan.start_weights import Start, StartError, matched

WANTED = {"trunk.conv.weight": (8, 1, 3, 3), "trunk.conv.bias": (8,), "head.weight": (5, 8), "head.bias": (5,)}
LAYERS = ["trunk", "trunk.conv", "head"]
OTHER = {"features.0.weight": (8, 1, 3, 3), "features.0.bias": (8,), "fc.weight": (9, 8), "fc.bias": (9,)}


def start(held: dict[str, tuple[int, ...]], **settings: Any) -> Start:
    return matched(StartWeights.read({"from": "old.pt", **settings}), held, WANTED, LAYERS)


def taken(found: Start) -> dict[str, str]:
    return {name: str(one) for name, one in found.taken.items()}


def test_all_weights_are_taken_unless_said_otherwise() -> None:
    found = start({**WANTED, "preprocess.standardize_1.mean": (3,), "more.weight": (2,)})
    assert taken(found) == {name: name for name in WANTED}
    assert (found.missing, found.left, found.unused) == ((), (), ("more.weight",))


def test_only_names_layers_of_the_network() -> None:
    found = start({**WANTED, "head.weight": (9, 8)}, only="trunk")
    assert list(found.taken) == ["trunk.conv.weight", "trunk.conv.bias"]
    assert found.left == ("head.weight", "head.bias") and not found.unused
    assert start(WANTED, only=["*.bias", "head"]).left == ("trunk.conv.weight",)


@pytest.mark.parametrize(
    "rename",
    [
        {"features.0.*": "trunk.conv.*"},
        {"features.0": "trunk.conv"},
        {"features.?": "trunk.conv"},
        {"features.0.weight": "trunk.conv.weight", "features.*.bias": "trunk.conv.bias"},
    ],
)
def test_names_of_the_file_are_changed(rename: dict[str, str]) -> None:
    found = start(OTHER, only="trunk", rename=rename)
    assert taken(found) == {"trunk.conv.weight": "features.0.weight", "trunk.conv.bias": "features.0.bias"}
    assert found.unused == ("fc.bias", "fc.weight")


def test_each_star_stands_for_what_it_stands_for_in_the_file() -> None:
    wanted = {f"stage_{stage}.{block}.norm.{of}": (4,) for stage in "12" for block in "01" for of in ("weight", "bias")}
    held = {f"layer{stage}.{block}.bn.{of}": (4,) for stage in "12" for block in "01" for of in ("weight", "bias")}
    settings = StartWeights.read({"from": "old.pt", "rename": {"layer*.*.bn": "stage_*.*.norm"}})
    found = matched(settings, held, wanted, [])
    assert taken(found) == dict(zip(wanted, held, strict=True))


def test_a_number_may_be_added_to_what_a_star_stands_for() -> None:
    wanted = {"one.weight": (1,), "stage_2.0.weight": (2,), "stage_2.1.weight": (3,), "stage_3.9.weight": (4,)}
    held = {"a.layer1.0.weight": (1,), "a.layer1.1.weight": (2,), "a.layer1.2.weight": (3,), "layer2.10.weight": (4,)}
    settings = StartWeights.read({"from": "old.pt", "rename": {"*layer*.*": "stage_(*+1).(*-1)", "a.layer1.0": "one"}})
    assert taken(matched(settings, held, wanted, ["one", "stage_2"])) == dict(zip(wanted, held, strict=True))


def test_parts_are_put_together_and_axes_exchanged() -> None:
    wanted, held = {"all.weight": (6, 3), "turned.weight": (2, 5)}, {"q": (1, 3), "v": (3, 3), "k": (2, 3), "t": (5, 2)}
    rename = {name: f"all.weight part {part} of 3" for part, name in enumerate("qkv", 1)}
    rename["t"] = "turned.weight transposed"
    found = matched(StartWeights.read({"from": "old.pt", "rename": rename}), held, wanted, [])
    assert taken(found) == {"all.weight": "q + k + v", "turned.weight": "t transposed"}
    with pytest.raises(StartError, match=r"old\.pt has no 'all\.weight'"):
        fewer = {name: rename[name] for name in "tq"}
        matched(StartWeights.read({"from": "old.pt", "rename": fewer}), held, wanted, [])


def test_only_a_matrix_can_be_transposed_and_a_bias_beside_it_stays() -> None:
    settings = StartWeights.read({"from": "old.pt", "rename": {"kernel": "conv transposed", "old": "new transposed"}})
    held, wanted = {"old.weight": (5, 2), "old.bias": (2,)}, {"new.weight": (2, 5), "new.bias": (2,)}
    found = matched(settings, {**held, "kernel": (5, 4)}, {**wanted, "conv": (4, 5)}, [])
    assert taken(found)["new.bias"] == "old.bias transposed"
    # All axes of an image's kernel the other way round would be its mirror image, without a word.
    with pytest.raises(StartError, match=r"exchanges the two axes of a matrix; 'kernel' is \(3, 3, 1, 8\)"):
        matched(settings, {**held, "kernel": (3, 3, 1, 8)}, {**wanted, "conv": (8, 1, 3, 3)}, [])


def test_the_first_pattern_that_fits_changes_a_name() -> None:
    rename = {"features.0.weight": "trunk.conv.weight", "features.0.*": "trunk.conv.*"}
    assert start(OTHER, only="trunk", rename=rename).taken["trunk.conv.bias"].names == ("features.0.bias",)


def test_what_is_missing_starts_as_without_a_file_where_that_is_allowed() -> None:
    held = {name: shape for name, shape in WANTED.items() if name.startswith("trunk")}
    found = start(held, missing="allow")
    assert list(found.taken) == list(held) and found.missing == ("head.weight", "head.bias")


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ({"q": "a.weight part 1 of 2", "v": "a.weight part 2 of 2"}, "the first axis: 'q' is (6, 3), 'v' is (2, 5)"),
        ({"s": "a.weight part 1 of 2", "t": "a.weight part 2 of 2"}, "the first axis: 's' is (), 't' is ()"),
        ({"w": "a.weight transposed"}, "`transposed` exchanges the two axes of a matrix; 'w' is (3, 3, 3)"),
    ],
)
@pytest.mark.parametrize("shape", [(6, 3), (), (3, 3, 3)])
def test_what_cannot_be_put_together_or_exchanged_is_an_error_whatever_the_network_has(
    rename: dict[str, str], message: str, shape: tuple[int, ...]
) -> None:
    held = {"q": (6, 3), "v": (2, 5), "s": (), "t": (), "w": (3, 3, 3)}
    with pytest.raises(StartError, match=re.escape(message)):
        matched(StartWeights.read({"from": "old.pt", "rename": rename}), held, {"a.weight": shape}, [])


@pytest.mark.parametrize(
    ("held", "settings", "message", "hint", "at"),
    [
        (OTHER, {}, "old.pt has no trunk.conv.weight, trunk.conv.bias, head.weight, head.bias", "`rename` gives", ()),
        (OTHER, {"missing": "allow"}, "old.pt has no trunk.conv.weight", "the names in the file are fc.bias", ()),
        ({"trunk.conv.weights": (1,)}, {"only": "trunk.conv.weight"}, "'trunk.conv.weights'?", "", ()),
        (WANTED, {"only": ["head", "trnk"]}, "no weight matches 'trnk'; did you mean 'trunk'?", "params", ("only", 1)),
        (OTHER, {"only": "head", "missing": "allow"}, "old.pt has no weight that 'head' names", "fc", ("only", 0)),
        (
            {**WANTED, "head.weight": (9, 8), "head.bias": (9,)},
            {},
            "'head.weight' is (9, 8) in old.pt and (5, 8) in this network; 'head.bias' is (9,) in old.pt and (5,) in",
            "`only: [trunk]`",
            (),
        ),
        (
            OTHER,
            {"rename": {"fc": "head"}, "only": "head"},
            "'head.weight' is (9, 8) in old.pt, where it is 'fc.weight', and (5, 8) in this network",
            "`only: [trunk]`",
            (),
        ),
        (
            OTHER,
            {"rename": {"feature": "trunk"}},
            "changes no name of the file; did you mean 'features'",
            "fc",
            "feature",
        ),
        (OTHER, {"rename": {"features": "trnk"}}, "no weight matches 'trnk'; did you mean 'trunk'", "", "features"),
        (OTHER, {"rename": {"f*.weight": "head.weight"}}, "would both be 'head.weight'", "a name of its own", None),
    ],
)
def test_what_does_not_fit_is_one_error_with_a_way_out(
    held: dict[str, tuple[int, ...]], settings: dict[str, Any], message: str, hint: str, at: Any
) -> None:
    with pytest.raises(StartError, match=re.escape(message)) as caught:
        start(held, **settings)
    assert hint in caught.value.hint
    assert caught.value.at == (("rename",) if at is None else ("rename", at) if isinstance(at, str) else at)


def test_people_read_what_is_taken_and_what_is_not() -> None:
    held = {**{name: WANTED[name] for name in ("trunk.conv.weight", "head.weight")}, "a": (1,), "b": (1,)}
    found = start(held, only="trunk", missing="allow")
    assert found.lines("old.pt") == [
        "1 of 4 from old.pt",
        "not in `only`: head.weight, head.bias",
        "not in the file: trunk.conv.bias",
        "not in the network: a, b",
    ]
