"""`dlrun data`: what the network will see, on the screen, as data and as a page."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

from dlrun.commands.app import app

WINE = """
data:
  source: {sklearn: wine}
  split: {validation: 0.2, test: 0.2, stratify: true}
  preprocess: [standardize, pca: 3]
model: {layers: [linear: $classes]}
loss: cross_entropy
optimizer: adam
"""
PEOPLE = """
data:
  source: {csv: people.csv}
  target: rich
  features: [age, work]
  preprocess: [impute: {columns: age}, one_hot, standardize: {columns: age}]
model: {layers: [linear: $classes]}
loss: cross_entropy
optimizer: adam
"""
DIGITS = """
data:
  source: {sklearn: digits}
  preprocess: [minmax]
  augment: [random_rotation: 20]
model: {input: [1, 8, 8], layers: [flatten, linear: $classes]}
loss: cross_entropy
optimizer: adam
"""


def shown(folder: Path, text: str, *arguments: str) -> str:
    file = folder / "spec.yaml"
    file.write_text(text)
    result = CliRunner().invoke(app, ["data", str(file), *arguments])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def as_data(folder: Path, text: str, *arguments: str) -> dict[str, Any]:
    return json.loads(shown(folder, text, "--json", *arguments))


def people(folder: Path) -> None:
    rows = [
        f"{20 + number if number % 7 else ''},{('a', 'b <i>', 'c')[number % 3]},{number % 2},x" for number in range(60)
    ]
    (folder / "people.csv").write_text("age,work,rich,note\n" + "\n".join(rows) + "\n")


def test_the_splits_have_their_rows_their_classes_and_a_hash_each(tmp_path: Path) -> None:
    found = as_data(tmp_path, WINE)
    assert [(one["name"], one["rows"]) for one in found["splits"]] == [("train", 106), ("validation", 36), ("test", 36)]
    counts = [one["classes"]["target"] for one in found["splits"]]
    totals = np.bincount(load_wine().target).tolist()
    assert [sum(count[label] for count in counts) for label in ("class_0", "class_1", "class_2")] == totals
    hashes = [one["fingerprint"] for one in found["splits"]]
    assert len(set(hashes)) == 3 and all(re.fullmatch("[0-9a-f]{64}", one) for one in hashes)
    assert hashes == [one["fingerprint"] for one in as_data(tmp_path, WINE)["splits"]]
    assert hashes[0] != as_data(tmp_path, WINE, "seed=1")["splits"][0]["fingerprint"]


def test_the_explained_variance_is_that_of_scikit_learn(tmp_path: Path) -> None:
    for whiten in (False, True):
        text = WINE.replace("pca: 3", f"pca: {{n_components: 3, whiten: {str(whiten).lower()}}}")
        found = as_data(tmp_path, text)
        raw = np.array(load_wine().data)
        first = found["stages"][0]["rows"][0]
        row = [f"{value:.4g}" for value in raw[_training_rows(178)[0]]]
        assert list(first) == row
        rows = StandardScaler().fit_transform(raw[_training_rows(178)])
        theirs = PCA(3, svd_solver="full").fit(rows).explained_variance_ratio_
        assert found["stages"][2]["variance"] == pytest.approx(theirs, rel=1e-9)


def _training_rows(rows: int) -> np.ndarray:
    from dlrun.language.experiment import Split
    from dlrun.plan.split import split_rows

    split = Split(validation=0.2, test=0.2, stratify=True)
    return split_rows(load_wine().target, rows, split, 0, ("a", "b", "c")).train


def test_each_stage_has_the_first_rows_with_the_names_of_their_columns(tmp_path: Path) -> None:
    people(tmp_path)
    found = as_data(tmp_path, PEOPLE)
    before, encoded, scaled = found["stages"]
    assert (before["title"], before["columns"]) == ("as in the data", ["age", "work"])
    assert (encoded["title"], encoded["columns"][0]) == ("after impute, one_hot", "age")
    assert encoded["columns"][1:4] == ["work=a", "work=b <i>", "work=c"]
    assert scaled["title"] == "after standardize" and scaled["columns"] == encoded["columns"]
    for text, numbers in zip(before["rows"], encoded["rows"], strict=True):
        assert [float(number) for number in numbers[1:4]] == [float(text[1] == work) for work in ("a", "b <i>", "c")]
    assert [row[1:] for row in scaled["rows"]] == [row[1:] for row in encoded["rows"]]


def test_the_columns_of_a_stage_have_the_names_by_which_a_later_step_takes_them(tmp_path: Path) -> None:
    steps = "[pca: {columns: 'm*', n_components: 0.9}, minmax: {columns: pca_1}, lda: 2]"
    found = as_data(tmp_path, WINE, f"data.preprocess={steps}")
    before, projected, scaled, last = (one["columns"] for one in found["stages"])
    assert projected == [*(name for name in before if name[0] != "m"), "pca_1"] == scaled
    assert last == ["lda_1", "lda_2"]
    scale = [float(row[-1]) for row in found["stages"][2]["rows"]]
    assert all(0 <= value <= 1 for value in scale)


def test_the_fields_say_their_use_and_what_is_missing(tmp_path: Path) -> None:
    people(tmp_path)
    found = {one["name"]: one for one in as_data(tmp_path, PEOPLE)["fields"]}
    uses = {name: one["use"] for name, one in found.items()}
    assert uses == {"age": "input", "work": "input", "rich": "target", "note": "not used"}
    split = as_data(tmp_path, PEOPLE)["splits"][0]
    assert 0 < found["age"]["missing"] < 9 and found["work"]["missing"] == 0
    assert sum(found["age"]["histogram"]) + found["age"]["missing"] == split["rows"]
    assert found["note"]["missing"] is None


def test_the_screen_shows_splits_classes_fields_and_stages(tmp_path: Path) -> None:
    text = shown(tmp_path, WINE)
    for part in ("wine  178 rows", "Splits", "Classes", "Fields", "as in the data  (13,)", "after pca  (3,)"):
        assert part in text
    assert "variance along each direction" in text and "and 5 more columns" in text


def test_the_page_stands_alone_and_shows_what_is_written_as_text(tmp_path: Path) -> None:
    people(tmp_path)
    shown(tmp_path, PEOPLE, "--html", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text()
    assert "work=b &lt;i&gt;" in page and "<i>" not in page
    assert not re.search(r"<script|<link|@import|url\(|https?://", page)


def test_the_page_has_pictures_of_rows_and_of_augmented_ones(tmp_path: Path) -> None:
    shown(tmp_path, DIGITS, "--html", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text()
    images = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in re.findall(r"base64,([^\"]+)", page)
    ]
    assert len(images) == 12 * 4 and all(image.shape == (8, 8) for image in images)
    digits = (load_digits().images * 255 / 16).round().astype(np.uint8)
    row = next(number for number, digit in enumerate(digits) if (np.abs(digit.astype(int) - images[0]) <= 26).all())
    assert f"<figcaption>{load_digits().target[row]}</figcaption>" in page
    assert not (images[0] == images[1]).all() and not (images[1] == images[2]).all()


def test_the_projection_is_drawn_with_the_classes(tmp_path: Path) -> None:
    shown(tmp_path, WINE, "--html", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text()
    assert page.count("<circle") == 106 and "class_2" in page and "<polyline" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--html", "nowhere/page.html"], "there is no folder"),
        (["data.preprocess=[pca: 14]"], "n_components is 14"),
    ],
)
def test_a_mistake_is_one_error(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "spec.yaml").write_text(WINE)
    result = CliRunner().invoke(app, ["data", str(tmp_path / "spec.yaml"), *arguments])
    assert result.exit_code != 0 and message in str(result.exception)


def test_a_spec_without_data_says_so(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("model: {input: 3, layers: [linear: 2]}")
    result = CliRunner().invoke(app, ["data", str(tmp_path / "spec.yaml")])
    assert "has no `data`" in str(result.exception)
