"""The figures of a report: those of scikit-learn, of NumPy, or worked by hand."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve
from strategies import draws

from dlrun.trained.answers import Answers
from dlrun.trained.report.figures import ClassesReport, Curve, NumbersReport, Report, YesOrNoReport
from dlrun.trained.report.report import report

NAN, INF = math.nan, math.inf
WORDS = ("red", "green", "blue", "grey")


def classes(values: Any, true: Any, labels: tuple[str, ...] | None = None) -> Answers:
    values = np.asarray(values, float)
    labels = labels or tuple(f"c{number}" for number in range(values.shape[-1]))
    return Answers("out", "classes", ("colour",), labels, values, true=None if true is None else np.asarray(true))


def yes_or_no(values: Any, true: Any) -> Answers:
    values = np.asarray(values, float)
    return Answers("out", "yes_or_no", WORDS[: values.shape[1]], (), values, true=np.asarray(true))


def numbers(values: Any, true: Any) -> Answers:
    values = np.asarray(values, float)
    return Answers("out", "numbers", WORDS[: values.shape[1]], (), values, true=np.asarray(true, float))


def of(answers: Answers, rows: Any = None) -> Any:
    """The report of one output; its JSON form is right too."""
    count = len(answers.values)
    whole = report([answers], {}, np.arange(count) if rows is None else np.asarray(rows))
    is_json(whole)
    return whole.outputs[0]


def is_json(whole: Report) -> None:
    text = json.dumps(whole.as_data(), allow_nan=False)
    assert json.loads(text)["rows"] == whole.rows


@st.composite
def some_classes(draw: st.DrawFn, least: int = 2) -> Answers:
    """Answers, often with equal probabilities, and with classes that have no row."""
    count, rows = draw(st.integers(least, 6)), draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = random.integers(1, draw(st.integers(2, 50)), (rows, count)).astype(float)
    true = random.integers(0, draw(st.integers(1, count)), rows)
    scores[np.arange(rows), true] += random.integers(0, 10, rows)
    return classes(scores / scores.sum(1, keepdims=True), true)


@st.composite
def some_yes_or_no(draw: st.DrawFn) -> Answers:
    rows, fields = draw(st.integers(1, 60)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = random.integers(0, 21, (rows, fields)) / 20
    return yes_or_no(values, random.integers(0, draw(st.integers(1, 2)), (rows, fields)))


def truth(answers: Answers) -> np.ndarray[Any, Any]:
    assert answers.true is not None
    return answers.true


def close(found: Any, expected: Any, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, equal_nan=True)


# Classes


@draws(200)
@given(some_classes())
def test_the_table_of_classes_is_the_classification_report(answers: Answers) -> None:
    found: ClassesReport = of(answers)
    number = range(len(answers.labels))
    expected = metrics.classification_report(
        *(truth(answers), answers.decided),
        labels=number,
        target_names=answers.labels,
        output_dict=True,
        zero_division=NAN,  # type: ignore[arg-type]
    )
    for one in found.classes:
        close([one.precision, one.recall, one.f1, one.rows], list(expected[one.label].values()))
    for means, name in ((found.macro, "macro avg"), (found.weighted, "weighted avg")):
        for score in ("precision", "recall", "f1"):
            valued = [one for one in found.classes if not math.isnan(getattr(one, score))]
            # scikit-learn's weighted mean of classes with no row is their plain mean; here it is not defined.
            known = name == "macro avg" or sum(one.rows for one in valued)
            found_mean = getattr(means, score)
            close(found_mean, expected[name]["f1-score" if score == "f1" else score] if known else NAN)
    close(found.accuracy, metrics.accuracy_score(truth(answers), answers.decided))
    matrix = metrics.confusion_matrix(truth(answers), answers.decided, labels=number)
    assert found.matrix.labels == answers.labels and not found.matrix.others
    assert (np.array(found.matrix.counts) == matrix).all()
    np.fill_diagonal(matrix, 0)
    assert [one.taken for one in found.classes] == matrix.max(1).tolist()
    assert [one.errors for one in found.classes] == (matrix.sum(0) + matrix.sum(1)).tolist()
    frequent = np.sort(matrix[matrix > 0])[::-1].tolist()
    assert [one.count for one in found.confusions] == frequent[:10]


def has_the_points_of(curve: Curve, x: Any, y: Any) -> None:
    """The points, but for those that lie on a straight line between others."""
    points = {(round(a, 6), round(b, 6)) for a, b in zip(x, y, strict=True)}
    assert {*zip(curve.x, curve.y, strict=True)} <= points
    assert (curve.x[0], curve.x[-1]) == (0, 1)
    tops, ends = np.array(curve.y), np.array(curve.x)
    for a, b in points:
        inside = np.interp(a, ends, tops) if a not in curve.x else tops[np.abs(tops - b)[ends == a].argmin()]
        beside = tops[ends == a] if a in curve.x else np.array([inside])
        assert beside.min() - 1e-5 <= b <= beside.max() + 1e-5


def are_the_curves(roc: Curve, precision_recall: Curve, member: Any, probability: Any) -> None:
    if member.any() and not member.all():
        x, y, _ = metrics.roc_curve(member, probability, drop_intermediate=False)
        close(roc.area, metrics.auc(x, y))
        has_the_points_of(roc, x, y)
    else:
        assert math.isnan(roc.area) and roc.x == roc.y == ()
    if member.any():
        precision, recall, _ = metrics.precision_recall_curve(member, probability)
        close(precision_recall.area, metrics.average_precision_score(member, probability))
        has_the_points_of(precision_recall, recall, precision)
    else:
        assert math.isnan(precision_recall.area) and precision_recall.x == ()


@draws(200)
@given(some_classes())
def test_the_curves_are_those_of_each_class_and_of_the_second_of_two(answers: Answers) -> None:
    found: ClassesReport = of(answers)
    count = len(answers.labels)
    expected = range(count) if count > 2 else (1,)
    assert [one.label for one in found.roc] == [answers.labels[number] for number in expected]
    for number, roc, precision_recall in zip(expected, found.roc, found.precision_recall, strict=True):
        are_the_curves(roc, precision_recall, truth(answers) == number, answers.values[:, number])


@draws(200)
@given(some_classes(), st.sampled_from([None, "two"]))
def test_the_calibration_is_that_of_the_predicted_class_or_of_the_second_of_two(answers: Answers, two: Any) -> None:
    if two:
        answers = classes(answers.values[:, :2] / answers.values[:, :2].sum(1, keepdims=True), truth(answers) % 2)
    found = of(answers).calibration
    if len(answers.labels) == 2:
        came, probability = truth(answers) == 1, answers.values[:, 1]
    else:
        came, probability = truth(answers) == answers.decided, answers.values.max(1)
    assert found.of == ("c1" if len(answers.labels) == 2 else "")
    is_calibration(found, came, probability)


def is_calibration(found: Any, came: Any, probability: Any) -> None:
    share, mean = calibration_curve(came, probability, n_bins=10)
    full = [one for one in found.bins if one.count]
    assert len(found.bins) == 10 and sum(one.count for one in full) == len(came)
    close([one.share for one in full], share)
    close([one.probability for one in full], mean)
    close(found.error, sum(one.count * abs(one.share - one.probability) for one in full) / len(came))


def test_two_bins_worked_by_hand() -> None:
    # 0.9 and 0.85 are in the bin from 0.8 to 0.9, of which one comes true; 0.6 is in the bin from 0.5 to 0.6, right.
    values = [[0.9, 0.05, 0.05], [0.1, 0.85, 0.05], [0.2, 0.2, 0.6]]
    found = of(classes(values, [0, 2, 2])).calibration
    assert (found.bins[8].count, found.bins[5].count) == (2, 1)
    close([found.bins[8].probability, found.bins[8].share, found.bins[5].share], [0.875, 0.5, 1])
    close(found.error, (2 * 0.375 + 0.4) / 3)


def test_a_long_curve_keeps_its_shape_in_few_points() -> None:
    random = np.random.default_rng(0)
    member = random.random(20_000) < 0.1
    probability = 1 / (1 + np.exp(-random.normal(size=20_000) - 1.5 * member))
    found = of(classes(np.stack([1 - probability, probability], 1), member.astype(int)))
    (roc,), (precision_recall,) = found.roc, found.precision_recall
    assert 100 <= len(roc.x) <= 200 and 100 <= len(precision_recall.x) <= 200
    x, y, _ = metrics.roc_curve(member, probability, drop_intermediate=False)
    assert np.abs(np.interp(x, roc.x, roc.y) - y).max() < 0.011  # a curve of length 2 in 199 parts
    close(metrics.auc(roc.x, roc.y), roc.area, 1e-3)
    precision, recall, _ = metrics.precision_recall_curve(member, probability)
    settled = recall > 0.05  # the first rows alone decide before
    gaps = np.interp(recall[settled], precision_recall.x, precision_recall.y) - precision[settled]
    assert np.abs(gaps).max() < 0.03


def test_the_worst_rows_worked_by_hand() -> None:
    values = [[0.7, 0.2, 0.1], [0.8, 0.1, 0.1], [0.0, 0.6, 0.4], [0.1, 0.1, 0.8]]
    found = of(classes(values, [1, 0, 0, 1], ("cat", "dog", "emu")), rows=[40, 10, 30, 20])
    assert [(one.row, one.true, one.predicted) for one in found.most_certain] == [
        (20, "dog", "emu"),
        (40, "dog", "cat"),
        (30, "cat", "dog"),
    ]
    assert [one.row for one in found.highest_loss] == [30, 20, 40, 10]
    close([one.loss for one in found.highest_loss], [INF, -math.log(0.1), -math.log(0.2), -math.log(0.8)])
    assert list(found.highest_loss[0].values.items()) == [("dog", 0.6), ("emu", 0.4), ("cat", 0.0)]
    assert found.classes[1].taken_for == "cat" and found.classes[1].taken == 1 and found.classes[2].taken_for == ""


def test_a_certain_and_right_answer_has_no_loss() -> None:
    for answers in (classes([[0.0, 1.0]], [1]), yes_or_no([[1.0]], [[1]])):
        output = of(answers)
        (far,) = output.highest_loss if output.kind == "classes" else output.fields[0].details.highest_loss
        assert str(far.loss) == "0.0"


def test_the_report_and_its_lines_import_nothing_heavy() -> None:
    code = (
        "import sys, dlrun.trained.report.report, dlrun.trained.report.lines; "
        "print(*{name.partition('.')[0] for name in sys.modules} & {'torch', 'sklearn', 'scipy', 'pandas', 'rich'})"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_an_infinite_loss_is_null_in_the_data() -> None:
    data = report([classes([[0.0, 1.0]], [0])], {"loss": INF}, np.arange(1)).as_data()
    assert data["metrics"] == {"loss": None}
    assert data["outputs"][0]["highest_loss"][0]["loss"] is None
    assert data["outputs"][0]["kind"] == "classes" and data["outputs"][0]["known"] is True


KEYS = {
    "": "rows metrics outputs groups decisions",
    "outputs.0": "output field counted positions probabilities accuracy classes macro weighted matrix confusions roc "
    "precision_recall calibration most_certain highest_loss kind known",
    "outputs.0.counted": "used unknown not_finite",
    "outputs.0.classes.0": "label rows predicted right precision recall f1 taken_for taken",
    "outputs.0.macro": "precision recall f1",
    "outputs.0.matrix": "labels counts others",
    "outputs.0.confusions.0": "true predicted count",
    "outputs.0.roc.0": "label area x y",
    "outputs.0.calibration": "of error bins",
    "outputs.0.calibration.bins.0": "count probability share",
    "outputs.0.most_certain.0": "row position true predicted loss values",
    "outputs.1": "output probabilities accuracy macro fields kind known",
    "outputs.1.fields.0": "field counted accuracy precision recall f1 counts details",
    "outputs.1.fields.0.details": "roc precision_recall calibration highest_loss",
    "outputs.1.fields.0.details.highest_loss.0": "row true predicted probability loss",
    "outputs.2": "output fields kind known",
    "outputs.2.fields.0": "field counted mae rmse r2 details",
    "outputs.2.fields.0.details": "quantiles histogram true predicted largest_errors",
    "outputs.2.fields.0.details.histogram": "low high counts",
    "outputs.2.fields.0.details.largest_errors.0": "row true predicted residual",
    "groups.0": "column groups",
    "groups.0.groups.0": "name rows joined figures",
    "groups.0.groups.0.figures.0": "output field name value",
}
"""What programs that read the data rely on."""


@pytest.mark.parametrize("path", KEYS)
def test_the_keys_of_the_data_stay(path: str) -> None:
    some = (classes(np.eye(2), [0, 0]), yes_or_no(np.eye(2), np.eye(2)), numbers(np.eye(2), np.eye(2)))
    data: Any = report(some, {}, np.arange(2), {"town": np.array(["a", "a"])}).as_data()
    for step in path.split(".") if path else ():
        data = data[int(step) if step.isdigit() else step]
    assert list(data) == KEYS[path].split()


def test_only_ten_wrong_rows_are_listed_and_of_equal_ones_the_first() -> None:
    found = of(classes(np.tile([0.75, 0.25], (30, 1)), np.ones(30, int)))
    assert [one.row for one in found.most_certain] == list(range(10))
    assert [one.row for one in found.highest_loss] == list(range(10))


@draws(100)
@given(some_classes(), st.integers(0, 2**32 - 1))
def test_positions_count_each_for_itself_but_those_of_no_class(answers: Answers, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = len(answers.values)
    true = np.where(random.random(rows) < 0.3, -1, truth(answers))
    kept = true >= 0
    grid = classes(answers.values.reshape(rows, 1, 1, -1), true.reshape(rows, 1, 1), answers.labels)
    found = of(grid)
    assert found.counted.used == kept.sum() and found.counted.unknown == rows - kept.sum()
    assert found.positions
    expected = of(classes(answers.values[kept], true[kept], answers.labels))
    same = ("accuracy", "classes", "macro", "weighted", "matrix", "confusions", "roc", "precision_recall")
    for name in (*same, "calibration"):
        assert repr(getattr(found, name)) == repr(getattr(expected, name)), name


def test_a_wrong_position_is_named() -> None:
    values = np.full((2, 2, 3, 2), [0.9, 0.1])
    true = np.zeros((2, 2, 3), int)
    true[1, 0, 2] = 1
    true[0, 0, 0] = -1
    (worst,) = of(classes(values, true), rows=[7, 5]).most_certain
    assert (worst.row, worst.position) == (5, (0, 2))


def test_an_output_that_is_no_number_is_counted_and_decides_nothing() -> None:
    values = [[0.9, 0.1], [NAN, NAN], [0.2, 0.8], [NAN, 0.3]]
    found = of(classes(values, [0, 1, 1, -1]))
    assert (found.counted.used, found.counted.unknown, found.counted.not_finite) == (2, 1, 1)
    assert found.accuracy == 1.0 and sum(one.rows for one in found.classes) == 2


@pytest.mark.parametrize("values", [np.zeros((0, 3)), np.full((2, 3), NAN)])
def test_rows_without_an_answer_that_counts_have_no_figures(values: Any) -> None:
    found = of(classes(values, np.zeros(len(values), int)))
    assert found.counted.used == 0 and math.isnan(found.accuracy) and math.isnan(found.macro.f1)
    assert found.most_certain == () and np.sum(found.matrix.counts) == 0


def test_one_class_alone_is_always_right() -> None:
    found = of(classes([[1.0], [1.0]], [0, 0]))
    assert found.accuracy == 1.0 and found.matrix.counts == ((2,),) and found.most_certain == ()


def test_of_many_classes_those_with_the_most_errors_are_shown_and_the_others_together() -> None:
    random = np.random.default_rng(3)
    true = np.repeat(np.arange(1000), 3)
    predicted = true.copy()
    wrong = 3 * np.arange(100, 400, 10) + 1  # one error of each of 30 true classes, all taken for class 999
    predicted[wrong] = 999
    values = random.random((3000, 1000)) * 1e-4
    values[np.arange(3000), predicted] = 0.9
    found: ClassesReport = of(classes(values / values.sum(1, keepdims=True), true))
    matrix = found.matrix
    assert len(matrix.labels) == 20 and matrix.others and matrix.labels[-1] == "c999"
    assert len(found.classes) == 1000 and len(found.roc) == len(found.precision_recall) == 20
    assert np.sum(matrix.counts) == 3000 and matrix.counts[-1][-2] == 11
    assert [sum(row) for row in matrix.counts[:-1]] == [3] * 20
    assert len(found.confusions) == 10 and found.confusions[0].predicted == "c999"
    assert len(found.most_certain[0].values) == 6  # the five most probable classes, and the true one
    assert len(json.dumps(report([classes(values, true)], {}, np.arange(3000)).as_data())) < 1_000_000


def test_rows_whose_truth_is_not_known_have_no_report() -> None:
    answers = classes([[0.5, 0.5]], None)
    whole = report([answers], {}, np.arange(1), {"town": np.array(["Rome"])})
    assert whole.as_data()["outputs"] == [{"output": "out", "kind": "classes", "known": False}]
    assert whole.groups[0].groups[0].figures == ()


def test_scores_that_are_no_probabilities_have_no_curves_no_calibration_and_no_losses() -> None:
    scores = classes([[3.0, -1.0, 0.5], [2.0, 2.5, -4.0], [0.0, 1.0, 7.0]], [0, 0, 1], ("cat", "dog", "emu"))
    found = of(replace(scores, are_probabilities=False))
    assert not found.probabilities and found.roc == found.precision_recall == found.highest_loss == ()
    assert found.calibration is None and [one.row for one in found.most_certain] == [2, 1]
    assert math.isnan(found.most_certain[0].loss)
    assert list(found.most_certain[0].values.items()) == [("emu", 7.0), ("dog", 1.0), ("cat", 0.0)]
    close(found.accuracy, 1 / 3)
    (field,) = of(replace(yes_or_no([[1.0], [0.0], [0.0]], [[1], [1], [0]]), are_probabilities=False)).fields
    assert field.counts == ((1, 0), (1, 1)) and field.details.calibration is None
    assert field.details.highest_loss == () and math.isnan(field.details.roc.area)


# Yes or no


@draws(200)
@given(some_yes_or_no())
def test_each_field_of_yes_or_no_is_as_scikit_learn_has_it(answers: Answers) -> None:
    found: YesOrNoReport = of(answers)
    for number, one in enumerate(found.fields):
        true, probability = truth(answers)[:, number], answers.values[:, number]
        predicted = (probability > 0.5).astype(int)
        expected = metrics.precision_recall_fscore_support(
            true,
            predicted,
            labels=[1],
            zero_division=NAN,  # type: ignore[arg-type]
        )
        close([one.precision, one.recall, one.f1], [column[0] for column in expected[:3]])
        close(one.accuracy, metrics.accuracy_score(true, predicted))
        assert (np.array(one.counts) == metrics.confusion_matrix(true, predicted, labels=[0, 1])).all()
        assert one.details is not None
        are_the_curves(one.details.roc, one.details.precision_recall, true == 1, probability)
        is_calibration(one.details.calibration, true == 1, probability)
        loss = -np.log(np.where(true == 1, probability, 1 - probability) + 1e-300)
        close([one.details.highest_loss[0].loss], [loss.max() if loss.max() < 600 else INF])
    close(found.accuracy, (truth(answers) == answers.decided).mean())
    rows = metrics.precision_recall_fscore_support(
        truth(answers).reshape(len(answers.values), -1),
        answers.decided,
        average="macro" if len(found.fields) > 1 else "binary",
        zero_division=NAN,  # type: ignore[arg-type]
    )
    close([found.macro.precision, found.macro.recall, found.macro.f1], rows[:3])


def test_a_field_leaves_out_what_is_not_known_and_what_is_no_number() -> None:
    found = of(yes_or_no([[0.9, 0.2], [NAN, 0.7], [0.6, 0.4]], [[1, 0], [1, 1], [-1, 1]]), rows=[5, 6, 7])
    first, second = found.fields
    assert (first.counted.used, first.counted.unknown, first.counted.not_finite) == (1, 1, 1)
    assert second.counted.used == 3 and second.counts == ((1, 0), (1, 1))
    assert found.accuracy == 0.75 and second.details.highest_loss[0].row == 7


def test_of_many_fields_those_with_the_most_errors_have_details() -> None:
    true = np.zeros((40, 30), int)
    true[np.arange(30) > np.arange(40)[:, None]] = 1
    whole = report(
        [Answers("out", "yes_or_no", tuple(map(str, range(30))), (), true * 0.0, true=true)], {}, np.arange(40)
    )
    (output,) = whole.outputs
    assert [one.field for one in output.fields if one.details] == [str(number) for number in range(18, 30)]
    is_json(whole)


# Numbers


@draws(200)
@given(st.integers(2, 60), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_each_field_of_numbers_is_as_scikit_learn_has_it(rows: int, fields: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    true = random.normal(5, 3, (rows, fields))
    answers = numbers(true + random.normal(0, 2, (rows, fields)), true)
    found: NumbersReport = of(answers)
    for number, one in enumerate(found.fields):
        column, predicted = true[:, number], answers.values[:, number]
        close(one.mae, metrics.mean_absolute_error(column, predicted))
        close(one.rmse, math.sqrt(metrics.mean_squared_error(column, predicted)))
        close(one.r2, metrics.r2_score(column, predicted))
        assert one.details is not None
        residuals = column - predicted
        quantiles = {name: np.percentile(residuals, float(name)) for name in one.details.quantiles}
        close(list(one.details.quantiles.values()), list(quantiles.values()))
        histogram = one.details.histogram
        assert sum(histogram.counts) == rows and len(histogram.counts) == 30
        close([histogram.low, histogram.high], [residuals.min(), residuals.max()])
        assert one.details.true == tuple(sorted(column))
        worst = one.details.largest_errors
        assert [wrong.row for wrong in worst] == np.argsort(-np.abs(residuals), kind="stable")[:10].tolist()
        close([wrong.residual for wrong in worst], [wrong.true - wrong.predicted for wrong in worst])


def test_numbers_worked_by_hand() -> None:
    (field,) = of(numbers([[1.0], [4.0], [2.0]], [[1.0], [2.0], [3.0]]), rows=[8, 9, 10]).fields
    close([field.mae, field.rmse, field.r2], [1.0, math.sqrt(5 / 3), 1 - 5 / 2])
    assert [(one.row, one.residual) for one in field.details.largest_errors] == [(9, -2.0), (10, 1.0), (8, 0.0)]


def test_the_points_of_many_rows_are_some_from_the_least_to_the_largest() -> None:
    true = np.random.default_rng(0).permutation(5001).astype(float)[:, None]
    (field,) = of(numbers(true + 1, true)).fields
    assert len(field.details.true) == 500 and (field.details.true[0], field.details.true[-1]) == (0, 5000)
    assert np.diff(field.details.true).max() <= 11
    assert field.details.predicted == tuple(one + 1 for one in field.details.true)


@pytest.mark.parametrize("true", [[[2.0]], [[2.0], [2.0], [2.0]]])
def test_r2_is_not_defined_where_all_true_numbers_are_the_same(true: Any) -> None:
    (field,) = of(numbers(np.add(true, 1), true)).fields
    assert field.mae == 1.0 and math.isnan(field.r2) and sum(field.details.histogram.counts) == len(true)


@pytest.mark.parametrize("error", [0.0, 1.0, -1e-300, 1e20])
def test_residuals_that_are_the_same_but_for_rounding_are_in_one_bin(error: float) -> None:
    true = np.arange(1.0, 21.0)[:, None] / 7
    (field,) = of(numbers(true - error, true)).fields
    histogram = field.details.histogram
    assert max(histogram.counts) == 20 and histogram.low < error < histogram.high


def test_numbers_that_are_not_finite_are_counted_and_are_in_no_figure() -> None:
    values = [[1.0, NAN], [INF, NAN], [3.0, NAN], [4.0, NAN], [1e308, NAN]]
    first, second = of(numbers(values, [[1.0, 0], [2.0, 0], [3.5, 0], [NAN, 0], [-1e308, 0]])).fields
    assert (first.counted.used, first.counted.unknown, first.counted.not_finite) == (2, 1, 2)
    close(first.mae, 0.25)
    assert second.counted.not_finite == 5 and math.isnan(second.mae) and second.details is None


def test_residuals_too_far_apart_for_a_histogram_have_one_bin() -> None:
    (field,) = of(numbers([[-1e308], [1e308]], [[0.5e308], [-0.5e308]])).fields
    assert field.rmse == INF and field.details.histogram.counts == (2,)


def test_of_many_fields_those_with_the_lowest_r2_have_details() -> None:
    true = np.random.default_rng(0).normal(size=(50, 40))
    answers = Answers("out", "numbers", tuple(map(str, range(40))), (), true * np.linspace(0, 1, 40), true=true)
    assert [one.field for one in of(answers).fields if one.details] == [str(number) for number in range(12)]


# Groups


def test_groups_worked_by_hand() -> None:
    sorts = classes([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]], [0, 0, 0, 1, -1])
    sizes = numbers([[1.0], [2.0], [3.0], [4.0], [NAN]], [[1.0], [3.0], [5.0], [4.5], [0.0]])
    whole = report([sorts, sizes], {}, np.arange(5), {"town": np.array(["b", "a", "b", "c", "d"])})
    (found,) = whole.groups
    assert [(one.name, one.rows, one.joined) for one in found.groups] == [("b", 2, 0), ("", 3, 3)]
    assert [[figure.name for figure in one.figures] for one in found.groups] == [["accuracy", "mae"]] * 2
    close([[figure.value for figure in one.figures] for one in found.groups], [[1.0, 1.0], [0.5, 0.75]])
    is_json(whole)


def test_one_group_of_one_row_keeps_its_name() -> None:
    whole = report([classes([[1, 0], [1, 0], [1, 0]], [0, 0, -1])], {}, np.arange(3), {"x": np.array(["", "", "a"])})
    assert [(one.name, one.rows, one.joined) for one in whole.groups[0].groups] == [("", 2, 0), ("a", 1, 0)]
    assert math.isnan(whole.groups[0].groups[1].figures[0].value)
    is_json(whole)


@draws(100)
@given(some_classes(), some_yes_or_no(), st.integers(0, 2**32 - 1))
def test_the_figure_of_a_group_is_that_of_its_rows_alone(one: Answers, other: Answers, seed: int) -> None:
    rows = min(len(one.values), len(other.values))
    names = np.random.default_rng(seed).choice(["x", "y", "z"], rows).astype(object)
    both = [
        Answers(each.output, each.kind, each.fields, each.labels, each.values[:rows], true=truth(each)[:rows])
        for each in (one, other)
    ]
    (found,) = report(both, {}, np.arange(rows), {"name": names}).groups
    assert sum(group.rows for group in found.groups) == rows
    for group in found.groups:
        if group.joined:
            continue
        mine = names == group.name
        expected = [(truth(each)[mine] == each.decided[mine]).mean() for each in both]
        close([figure.value for figure in group.figures], expected)
        assert group.rows == mine.sum()
