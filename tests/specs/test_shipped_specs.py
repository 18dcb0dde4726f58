"""Every file under specs/: it checks, and its counts are those worked out by hand."""

from pathlib import Path

import pytest
from places import SPECS

from dlrun.checks.check import check
from dlrun.plan.network import Plan

MODELINE = "# yaml-language-server: $schema=../docs/schema.json"

COUNTS = {
    # conv 1->32 and 32->64 of 3x3 with biases, two norms, 1024 -> 64 -> 10
    "digits_cnn": (32 * 9 + 32) + 64 + (64 * 32 * 9 + 64) + 128 + (1024 * 64 + 64) + (64 * 10 + 10),
    "digits_idx": (16 * 9 + 16) + (32 * 16 * 9 + 32) + (32 * 4 * 4 * 10 + 10),
    "digits_mlp": (64 * 128 + 128) + (128 * 64 + 64) + (64 * 10 + 10),
    "digits_lda": 9 * 10 + 10,
    # the trunk, the digit's head, the image's head
    "digits_two_heads": (64 * 128 + 128 + 128 * 24 + 24) + (24 * 10 + 10) + (24 * 128 + 128 + 128 * 64 + 64),
    "wine_mlp": (13 * 32 + 32) + (32 * 3 + 3),
    "wine_folds": (13 * 16 + 16) + (16 * 3 + 3),
    # age, four works and one for the rest, education, no, yes, unknown and the rest, two hours, one where it is missing
    "people_mixed": (14 * 32 + 32) + (32 * 2 + 2),
    # five works and five educations, each with one for the rest; the other columns; the two layers
    "people_embeddings": (5 * 3) + (5 * 3) + ((3 + 3 + 8) * 32 + 32) + (32 * 2 + 2),
    # the words; the three gates of the recurrent layer from both sides, each with two biases; the last layer
    "spam_messages": (100 * 16) + 3 * (16 * 16 + 16 * 16 + 2 * 16) + (16 + 1),
    # two convolutions of 3x3 with biases and norms; 32 channels of 4x4 are left
    "shapes_images": (3 * 16 * 9 + 16) + 32 + (16 * 32 * 9 + 32) + 64 + (32 * 16 * 32 + 32) + (32 * 3 + 3),
    "diabetes_regression": (10 * 32 + 32) + (32 + 1),
    "iris_logistic": 4 * 3 + 3,
    # 36 characters and the unknown one; three gates with two biases each
    "text_characters": 37 * 24 + 3 * (24 * 96 + 96 * 96 + 2 * 96) + (96 * 37 + 37),
    # stem; two units of 16; one to 32 with a 1x1 shortcut; one of 32; the head
    "digits_residual": (16 * 9 + 32)
    + 2 * (2 * 16 * 16 * 9 + 2 * 32)
    + (32 * 16 * 9 + 64 + 32 * 32 * 9 + 64 + 32 * 16 + 64)
    + (2 * 32 * 32 * 9 + 2 * 64)
    + (32 * 10 + 10),
}


def plan_of(name: str) -> Plan:
    return check(SPECS / f"{name}.yaml", training=True).plan


@pytest.mark.parametrize("file", sorted(SPECS.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_shipped_spec_can_be_trained_and_tells_the_editor_its_schema(file: Path) -> None:
    check(file, training=True)
    assert file.read_text().startswith(MODELINE + "\n")


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_a_shipped_spec_has_the_weights_that_a_hand_counts(name: str, count: int) -> None:
    assert plan_of(name).total == count


def test_vgg16_has_its_published_count_and_cost() -> None:
    # Simonyan and Zisserman, 2014, table 2: 138 million; exactly 138,357,544 for configuration D.
    from dlrun.checks.check import check_model

    plan = check_model(SPECS.parent / "benchmarks" / "specs" / "vgg16.yaml")
    assert plan.total == 138_357_544
    assert plan.macs == 15_470_264_320  # as torch's flop counter has it, at two flops each
