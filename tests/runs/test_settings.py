"""Short names of settings, and which settings differ."""

from __future__ import annotations

import pytest

from dlrun.runs.settings import by_kind, differing, short_names, short_value


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["optimizer.lr", "seed"], ["lr", "seed"]),
        (["optimizer.0.lr", "optimizer.1.lr"], ["optimizer.0.lr", "optimizer.1.lr"]),
        (["model.layers.2", "model.layers.2.p", "metrics.2"], ["layers.2", "p", "metrics.2"]),
        (["lr", "optimizer.lr"], ["lr", "optimizer.lr"]),
        ([], []),
    ],
)
def test_a_short_name_is_the_end_that_no_other_setting_has(names: list[str], short: list[str]) -> None:
    assert short_names(names) == short


def test_a_long_value_is_cut_and_a_password_is_hidden() -> None:
    assert short_value("a " * 40) == "a " * 14 + "a…"
    assert short_value("http://me:secret@host") == "http://me:***@host"


def test_settings_of_all_runs_come_before_those_that_one_lacks_and_before_those_of_layers() -> None:
    first = {
        "name": "a",
        "model.layers.0": "relu",
        "optimizer": "sgd",
        "optimizer.momentum": "0.9",
        "seed": "1",
        "train.epochs": "5",
    }
    second = {
        "name": "b",
        "model.layers.0": "tanh",
        "optimizer": "adam",
        "seed": "1",
        "train.epochs": "6",
        "tracking": "off",
    }
    assert differing([first, second]) == ["optimizer", "train.epochs", "optimizer.momentum", "model.layers.0"]
    assert differing([first]) == []


def test_entries_of_lists_are_named_by_their_kind() -> None:
    settings = {
        "metrics.0": "accuracy",
        "metrics.1": "f1",
        "metrics.1.average": "macro",
        "data.preprocess.0": "impute",
        "data.preprocess.0.with": "mean",
        "data.preprocess.1": "impute",
        "data.preprocess.1.with": "median",
        "model.layers.0": "linear",
        "model.layers.0.out_features": "8",
        "optimizer": "adam",
        "optimizer.lr": "0.1",
    }
    assert by_kind(settings) == {
        "metrics": "accuracy, f1",
        "metrics.f1.average": "macro",
        "data.preprocess": "impute, impute",
        "data.preprocess.impute.with": "mean",
        "data.preprocess.impute 2.with": "median",
        "model.layers.0": "linear",
        "model.layers.0.out_features": "8",
        "optimizer": "adam",
        "optimizer.lr": "0.1",
    }
