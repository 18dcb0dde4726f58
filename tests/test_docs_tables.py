"""What the handwritten pages list is what there is: sections, files of a run, specs, limits."""

from __future__ import annotations

import re

import pytest
from places import DOCS, ROOT, SPECS
from pydantic import TypeAdapter

import dlrun
from dlrun.checks import notes
from dlrun.commands.train import progress
from dlrun.errors import MAX_SHOWN
from dlrun.language.component import choose
from dlrun.language.durations import IntervalField, PositiveDuration
from dlrun.language.experiment import DataSection, Experiment, ModelSection, TrainSection
from dlrun.language.kinds import find, kinds
from dlrun.language.text import document, expansion, expressions, overrides, yaml_events
from dlrun.plan import metrics
from dlrun.tracking import delivery_process
from dlrun.training.lifecycle import run
from dlrun.training.speed import capture

LANGUAGE, README, SAFETY, ARCHITECTURE, CHANGES = (
    path.read_text("utf-8")
    for path in (
        DOCS / "language.md",
        ROOT / "README.md",
        DOCS / "safety.md",
        DOCS / "architecture.md",
        ROOT / "CHANGELOG.md",
    )
)


def rows(text: str, heading: str) -> dict[str, str]:
    """The first table below a heading: what each row's first cell has, and the rest of the row."""
    table = text.split(heading, 1)[1].split("|\n\n", 1)[0]
    return dict(re.findall(r"^\| (.*?) \| (.*)", table, re.MULTILINE)[1:])


def test_the_language_page_lists_every_section():
    listed = rows(LANGUAGE, "## Sections")
    words = re.findall(r"`(\w+)`", " ".join(listed))
    assert sorted(words) == sorted({*Experiment.model_fields, "extends", "vars", "blocks"})
    for name, section in (("data", DataSection), ("model", ModelSection), ("train", TrainSection)):
        assert set(section.model_fields) <= set(re.findall(r"`(\w+)`", listed[f"`{name}`"])), name


def test_the_language_page_lists_every_metric_and_what_it_is_for():
    words = {"classes": "classes", "binary": "yes or no", "numbers": "numbers"}
    table = rows(LANGUAGE, "## Metrics")
    listed = {name.strip("`"): rest.split(" | ")[0] for name, rest in table.items() if name != "---"}
    suits = {kind: choose("metrics", kind).suits for kind in kinds("metrics")}
    assert listed == {kind: ", ".join(words[one] for one in words if one in suits[kind]) for kind in suits}


def test_the_language_page_lists_every_loss_and_how_its_target_is_read():
    words = {"classes": "classes", "binary": "yes or no", "numbers": "numbers"}
    table = rows(LANGUAGE, "### Which loss is which")
    listed = {name.strip("`"): rest.split(" | ")[0] for name, rest in table.items() if name != "---"}
    assert listed == {kind: words[find("losses", kind).wants] for kind in kinds("losses")}


def test_every_loss_says_which_likelihood_it_is():
    for kind in kinds("losses"):
        described = find("losses", kind).__doc__
        assert described is not None and re.search("likelihood|Kullback-Leibler divergence", described), kind


def test_the_readme_shows_every_spec():
    listed = set(re.findall(r"\(specs/(\w+\.yaml)\)", README))
    assert listed == {file.name for file in SPECS.glob("*.yaml")}


TABLES = {"## Penalties": "regularizers", "## Constraints": "constraints", "### Averages of weights": "averages"}
TABLES |= {"## Decisions": "decisions"}


@pytest.mark.parametrize(("heading", "family"), TABLES.items())
def test_a_table_of_the_language_page_lists_every_kind_of_its_family(heading, family):
    assert re.findall(r"`(\w+)`", " ".join(rows(LANGUAGE, heading))) == [*kinds(family)]


KEYS = {
    **{word: word for word in ("momentum", "l2", "l1", "dropout", "warmup")},
    **{word: f"{word}:" for word in ("blocks", "repeat", "residual")},
    "initializers": "init:",
    "step schedule": "step:",
    "convolutions": "conv2d",
    "batch norm": "batch_norm",
    "early stopping": "early_stopping",
    "PCA": "pca",
    "LDA": "lda",
    "whitened": "whiten: true",
    "two outputs": "outputs: [",
    "a csv file": "csv:",
    "files of MNIST": "idx:",
    "blank cells": "impute:",
    "several inputs": "features: {",
    "sequences of words": "tokenize:",
    "columns of texts": "one_hot:",
    "categories in an order": "ordinal:",
    "patterns": '"hours_*"',
    "images in a folder": "images:",
    "random changes": "augment:",
    "class names": "target:",
    "windows of a text": "text:",
    "perplexity": "perplexity",
    "affine maps": "random_affine:",
    "mixup": "mixup:",
    "a scaled target": "target_preprocess",
    "r2": "validation/r2",
    "folds": "folds:",
    "batch gradient": "batch_size: full",
}
"""What the README calls it, and what the spec has."""


def test_a_spec_shows_what_the_readme_says():
    shown = dict(re.findall(r"^\| \[\w+\]\(specs/(\w+)\.yaml\) \| (.*?) \|$", README, re.MULTILINE))
    for name, text in shown.items():
        spec = (SPECS / f"{name}.yaml").read_text("utf-8")
        said = [key for word, key in KEYS.items() if re.search(rf"\b{word}", text)]
        assert said, name
        assert [key for key in said if key not in spec] == [], name


def test_a_run_has_the_files_that_the_page_lists(tmp_path):
    (listing,) = re.findall(r"^runs/digits-cnn\S*\n((?:  .*\n)*)", ARCHITECTURE, re.MULTILINE)
    names = [re.split(r" {2,}", line.strip())[0].split(", ") for line in listing.splitlines()]
    listed = {name.partition("/")[0] for line in names for name in line}
    spec = SPECS / "digits_cnn.yaml"
    overrides = (
        "train.epochs=3",
        "baselines=[majority]",
        "decision=map",
        f"tracking.mlflow.uri=sqlite:///{tmp_path}/a.db",
    )
    folder = dlrun.train(spec, *overrides, runs=tmp_path).folder
    assert listed == {file.name for file in folder.iterdir()}


def test_the_durations_and_intervals_of_the_page_are_read():
    section = " ".join(LANGUAGE.split("## Durations")[1].split("```")[0].split())
    lengths, intervals = section.split("How often")
    written = re.findall(r"`([\d.]+ \w+)`", lengths), re.findall(r"`([\d.]+ \w+)`", intervals)
    assert [str(TypeAdapter(PositiveDuration).validate_python(text)) for text in written[0]] == written[0]
    assert [str(TypeAdapter(IntervalField).validate_python(text)) for text in written[1]] == written[1]
    assert len(written[0]) == 3
    assert len(written[1]) == 5


NUMBERS = [
    (LANGUAGE, "more than {} of text", "1 MiB", document.MAX_BYTES, 1 << 20),
    (LANGUAGE, "{} levels of nesting", "100", yaml_events.MAX_DEPTH, 100),
    (LANGUAGE, "{} values once everything is expanded", "200,000", yaml_events.MAX_NODES, 200_000),
    (LANGUAGE, "{} layers made by blocks, repeats and `use`", "20,000", expansion.MAX_LAYERS, 20_000),
    (LANGUAGE, "an expression of more than {} characters", "500", expressions.MAX_LENGTH, 500),
    (LANGUAGE, "A metric has at most {} values", "1024", metrics.MOST_VALUES, 1024),
    (LANGUAGE, "more than {} bases one after the other", "20", overrides.MAX_EXTENDS, 20),
    (LANGUAGE, "has at least {} of the rows", "80%", notes.UNEQUAL, 0.8),
    (README, "shows a table of about {} epochs", "20", progress.ROWS, 20),
    (CHANGES, "shows at most {} errors on the screen", "50", MAX_SHOWN, 50),
    (SAFETY, "goes on for at most {} s", "30", run.DELIVERY, 30),
    (ARCHITECTURE, "training waits at most {} s", "30", run.DELIVERY, 30),
    (ARCHITECTURE, "{} second sends what was added", "each", delivery_process.INTERVAL, 1),
    (ARCHITECTURE, "After {} steps with a size of batch", "twenty", capture.AFTER, 20),
]


@pytest.mark.parametrize(("page", "sentence", "word", "value", "number"), NUMBERS, ids=[row[1] for row in NUMBERS])
def test_a_number_of_a_page_is_the_programs(page, sentence, word, value, number):
    assert sentence.format(word) in " ".join(page.split())
    assert value == number
