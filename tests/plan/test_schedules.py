"""Which schedule changes which number."""

from __future__ import annotations

from typing import Any

import networks

from dlrun.language.component import choose, choose_some
from dlrun.plan.optimizers import moved
from dlrun.plan.schedules import Entry, entries, scheduled

PLAN = networks.plan_of("{input: [4], layers: [{linear: {out_features: 3, name: stem}}, {linear: 2}]}")


def found(optimizer: Any, schedule: Any) -> list[Entry]:
    groups, _ = moved(PLAN, choose_some("optimizers", optimizer))
    return entries(PLAN, groups, choose_some("schedules", schedule), (), ())


def labels(optimizer: Any, schedule: Any) -> dict[str, str]:
    """By the name in the journal the place of the schedule that changes a number."""
    return {one.number.label: ".".join(map(str, one.path)) for one in scheduled(found(optimizer, schedule))}


def test_a_schedule_changes_the_learning_rate_unless_it_names_other_numbers() -> None:
    momentum = {"linear": {"of": "momentum", "end_factor": 1.5}}
    assert labels("adam", {"linear": 0.0}) == {"lr": "schedule.linear"}
    assert labels({"sgd": {"momentum": 0.5}}, [{"linear": 0.0}, momentum]) == {
        "lr": "schedule.0.linear",
        "momentum": "schedule.1.linear",
    }


def test_the_numbers_of_a_list_have_places_and_a_pattern_names_several() -> None:
    assert labels("adam", {"linear": {"of": "betas.0", "end_factor": 0.5}}) == {"betas.0": "schedule.linear"}
    assert sorted(labels("adam", {"linear": {"of": ["betas.*", "weight*"], "end_factor": 0.5}})) == [
        "betas.0",
        "betas.1",
        "weight_decay",
    ]


def test_an_optimizer_has_its_own_schedules_or_those_of_the_spec() -> None:
    own = [{"step": 1}, {"linear": {"of": "weight_decay", "end_factor": 0.0}}]
    optimizers = [{"sgd": {"weights": "stem", "schedule": own}}, "adam"]
    assert labels(optimizers, {"linear": 0.0}) == {
        "lr/2": "schedule.linear",
        "lr/1": "optimizer.0.sgd.schedule.0.step",
        "weight_decay/1": "optimizer.0.sgd.schedule.1.linear",
    }


def test_losses_and_regularizers_have_names_of_their_own() -> None:
    plan = networks.plan_of(
        "{input: [4], layers: [{linear: {out_features: 3, regularizers: [l1: 0.1, l1: 0.2]}}, {linear: 2}]}"
    )
    losses = [choose("losses", {kind: {"coefficient": 0.5}}) for kind in ("mse", "l1")]
    regularizers = [choose("regularizers", {kind: 0.1}) for kind in ("l2", "entropy", "l2")]
    of_all = choose_some("schedules", {"linear": {"of": "*.coefficient", "end_factor": 0.0}})
    on_layers = ["linear_1.regularizers.l1.coefficient", "linear_1.regularizers.l1_2.coefficient"]
    on_all = [f"regularizers.{name}.coefficient" for name in ("l2", "entropy", "l2_2")]
    for several, names in (
        (losses, ["loss.mse.coefficient", "loss.l1.coefficient"]),
        (losses[:1], ["loss.coefficient"]),
    ):
        (entry,) = entries(plan, [], of_all, several, regularizers)
        assert [number.name for number in entry.numbers] == [*names, *on_all, *on_layers]


def test_what_only_the_first_step_reads_is_no_number_of_a_schedule() -> None:
    (entry,) = found("adagrad", {"linear": 0.0})
    assert [number.name for number in entry.known] == ["lr", "weight_decay", "lr_decay", "eps"]
