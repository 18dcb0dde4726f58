"""Which optimizer moves which weights."""

from __future__ import annotations

import networks

from dlrun.language.component import choose, choose_some
from dlrun.plan.optimizers import moved

PLAN = networks.plan_of(
    "{input: [4], layers: [{linear: {out_features: 3, name: stem}}, {linear: 2}, {linear: 2}], freeze: linear_2}"
)


def test_a_weight_is_moved_by_the_first_that_names_it() -> None:
    optimizers = choose_some("optimizers", [{"sgd": {"weights": "*.bias"}}, {"adam": {"weights": "stem"}}, "lion"])
    groups, left = moved(PLAN, optimizers)
    found = [(group.optimizer.kind, list(group.weights), group.count) for group in groups]
    assert found == [
        ("sgd", ["stem.bias", "linear_1.bias"], 5),
        ("adam", ["stem.weight"], 12),
        ("lion", ["linear_1.weight"], 6),
    ]
    assert left == {}
    assert [group.name for group in groups] == ["sgd *.bias", "adam stem", "lion"]


def test_what_none_names_is_left_and_frozen_weights_are_not() -> None:
    groups, left = moved(PLAN, choose("optimizers", {"adam": {"weights": ("stem.weight",)}}))
    assert [group.path for group in groups] == [("optimizer",)]
    assert left == {"stem.bias": (3,), "linear_1.weight": (2, 3), "linear_1.bias": (2,)}
