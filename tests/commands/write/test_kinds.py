"""`dlrun kinds`: the listing, one kind, one family, one section, and what is not there."""

from __future__ import annotations

import json
import re

import pytest
import typer
from typer.testing import CliRunner

from dlrun.commands.write.kinds import kinds
from dlrun.errors import SpecError
from dlrun.language.kinds import families, find
from dlrun.language.kinds import kinds as kinds_in
from dlrun.language.settings_schema import sections
from dlrun.views.reference.reference import all_kinds, describe_family, describe_kind, describe_section

app = typer.Typer()
app.command()(kinds)


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def refused(word: str) -> str:
    with pytest.raises(SpecError) as caught:
        CliRunner().invoke(app, [word], catch_exceptions=False)
    return str(caught.value)


def test_without_a_name_every_kind_of_every_family_is_listed_with_its_summary():
    shown = " ".join(run().split())
    for family in families():
        for kind, summary in describe_family(family).kinds:
            assert f"{kind} {summary}" in shown
    for section in sections():
        assert f"{section} {describe_section(section).summary}" in shown


def test_a_family_can_be_named_in_the_singular_or_by_the_section_that_takes_it():
    assert run("losses") == run("loss")
    assert run("optimizers") == run("optimizer")
    assert run("sources") == run("source")
    assert run("trackers") == run("tracking")


def test_a_family_shows_the_settings_that_its_kinds_share():
    shown = " ".join(run("schedules").split())
    assert "warmup Raise the rate linearly" in shown


def test_a_kind_shows_its_shape_its_reference_its_example_and_each_setting():
    shown = " ".join(run("conv2d").split())
    assert "Slide `out_channels` kernels over an image." in shown
    assert "Shape (C, H, W) -> (out_channels, H', W')" in shown
    assert "Reference LeCun" in shown
    assert "Example conv2d: {out_channels: 32, kernel_size: 3, padding: same}" in shown
    assert "kernel_size Height and width of a kernel; one number for both. positive whole number," in shown
    assert "groups Split the channels into this many groups, which are computed separately." in shown
    assert "positive whole number; default 1" in shown


def test_a_setting_is_marked_that_may_stand_alone_only_where_no_other_is_required():
    assert "may stand alone" in run("linear")
    assert "may stand alone" not in run("conv2d")


def test_a_name_that_two_families_have_shows_both_and_a_dot_picks_one():
    both = run("l1")
    assert "a loss" in both and "a regularizer" in both
    assert "a regularizer" not in run("losses.l1")
    assert run("loss.l1") == run("losses.l1")


def test_a_section_shows_its_settings():
    shown = " ".join(run("train").split())
    assert "batch_size Rows in each batch;" in shown
    assert "positive whole number, or full; default 32" in shown
    assert "extends One other file to start from" in " ".join(run("spec").split())


def test_every_name_in_the_listing_can_be_asked_for():
    for family, kind in all_kinds():
        assert describe_kind(family, kind).summary.split()[0] in run(f"{family}.{kind}")
    for name in (*families(), *sections()):
        assert run(name)


def test_the_same_comes_as_data():
    listed = json.loads(run("--json"))
    assert {entry["family"] for entry in listed["families"]} == set(families())
    (dropout,) = json.loads(run("dropout", "--json"))["found"]
    (p,) = dropout["settings"]
    assert (p["name"], p["type"], p["default"], p["main"]) == ("p", "number from 0 to 1", "0.5", True)
    assert [setting["name"] for setting in dropout["common"]] == ["name"]
    assert {entry["kind"] for entry in json.loads(run("losses", "--json"))["kinds"]} >= {
        "mse",
        "cross_entropy",
    }


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Dense", "linear"),
        ("Conv2D", "conv2d"),
        ("maxpool", "max_pool2d"),
        ("global_average_pooling2d", "global_avg_pool"),
        ("he_normal", "kaiming_normal"),
        ("binary_crossentropy", "binary_cross_entropy"),
        ("layer.dense", "linear"),
        ("optimisers", "optimizers"),
    ],
)
def test_another_librarys_word_or_a_misspelling_names_ours(word, meant):
    assert f"did you mean '{meant}'?" in refused(word)


def test_for_the_name_of_a_setting_the_kinds_that_have_it_are_named():
    assert "a setting of layers.lstm" in refused("peepholes")
    assert "a setting of train" in refused("clip_grad_norm")


def test_for_a_name_that_resembles_nothing_the_list_is_named():
    assert "`dlrun kinds` lists them" in refused("qqqqqqqq")


def test_an_unknown_name_is_a_problem_as_data():
    result = CliRunner().invoke(app, ["qqqqqqqq", "--json"], catch_exceptions=False)
    (problem,) = json.loads(result.output)["problems"]
    assert (result.exit_code, problem["hint"]) == (2, "`dlrun kinds` lists them")


def test_on_a_terminal_nothing_is_wider_than_its_eighty_columns(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    for words in ((), ("conv2d",), ("cross_entropy",), ("spec",), ("layers",)):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", run(*words))
        assert max(len(line) for line in plain.split("\n")) <= 80


def test_a_room_of_layers_lists_its_kinds():
    shown = run("recurrent")
    assert all(kind in shown for kind in ("gru", "lstm", "rnn")) and "conv2d" not in shown


@pytest.mark.parametrize("room", sorted({find("layers", kind).room for kind in kinds_in("layers")} - {""}))
def test_every_room_of_layers_is_found_by_its_name(room):
    """Except where a kind has the name, as dropout."""
    shown = run(room)
    expected = [kind for kind in kinds_in("layers") if find("layers", kind).room == room]
    assert expected
    assert all(kind in shown for kind in ([room] if room in expected else expected))


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("convolution", "conv_transpose3d"),
        ("convolutional", "depthwise_conv2d"),
        ("activation", "leaky_relu"),
        ("transformer", "layers.transformer_encoder_layer"),
        ("sequences", "layers.conv1d"),
        ("scaling", "minmax"),
    ],
)
def test_a_word_finds_what_has_it_in_its_name_or_summary(word, kind):
    shown = run(word)
    assert kind in shown


@pytest.mark.parametrize(
    ("word", "family"),
    [("regularization", "regularizers"), ("initialization", "initializers"), ("augmentations", "augment"),
     ("preprocessing", "preprocess"), ("optimization", "optimizers"), ("schedulers", "schedules")],
)  # fmt: skip
def test_a_family_is_found_by_what_its_kinds_do(word, family):
    assert run(word) == run(family)


def test_a_misspelt_room_and_a_word_for_two_kinds_find_them():
    assert "did you mean 'recurrent'?" in refused("recurent")
    assert "did you mean 'l1_l2'?" in refused("elastic_net")
