"""Every decision, held against sums by hand, closed forms and SciPy, and in whole trainings."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from strategies import draws
from typer.testing import CliRunner

import dlrun
from dlrun.commands.app import app
from dlrun.components.decisions import Decision, DecisionError
from dlrun.errors import RunError, SpecError
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.language.text.document import parse_text
from dlrun.trained.answers import Answers
from dlrun.trained.decide_anew import decide_anew
from dlrun.trained.decided import Decided
from dlrun.trained.decisions import read_decisions, write_decisions
from dlrun.trained.evaluate import evaluate, rows_of
from dlrun.trained.report.figures import DecisionReport
from dlrun.trained.report.report import report
from dlrun.trained.run import open_run
from dlrun.views.reference.reference import describe_kind

KINDS = kinds("decisions")
PETS = ("cat", "dog", "emu")
TWO = ("ham", "spam")


def example(kind: str) -> Any:
    """The example of a kind's documentation, as a spec has it."""
    return parse_text(describe_kind("decisions", kind).example, "example").root.plain()


def decision(written: Any) -> Decision:
    found = choose("decisions", parse_text(json.dumps(written), "spec").root.plain())
    assert isinstance(found, Decision)
    return found


def decided(written: Any, labels: Sequence[str], threshold: float | None = None, shares: Any = None) -> Decided:
    one = decision(written)
    one.need(labels)
    factors = one.factors(labels, shares or [1.0] * len(labels))
    return Decided(one.kind, tuple(labels), factors, one.costs_of(labels, threshold), threshold)


def by_hand(costs: Sequence[Sequence[float]], chances: Sequence[float]) -> int:
    """The first decision with the least sum of cost times probability."""
    sums = [
        sum(row[place] * chance for row, chance in zip(costs, chances, strict=True)) for place in range(len(costs[0]))
    ]
    return min(range(len(sums)), key=lambda place: sums[place])


@pytest.mark.parametrize("kind", KINDS)
def test_a_decision_has_a_cost_for_each_class_and_for_a_rejection_where_it_has_one(kind: str) -> None:
    one = decision(example(kind))
    one.need(TWO)
    costs = one.costs_of(TWO, 0.25 if one.needs_threshold else None)
    assert [len(row) for row in costs] == [2 + one.rejects] * 2
    assert costs[0][0] == costs[1][1] == 0 and costs[0][1] > 0 and costs[1][0] > 0
    assert (one.looked_for(TWO) in TWO) == one.needs_threshold


@pytest.mark.parametrize("kind", KINDS)
@draws(100)
@given(chance=st.floats(0, 1))
def test_it_decides_for_the_least_expected_cost(kind: str, chance: float) -> None:
    one = decided(example(kind), TWO, 0.25 if decision(example(kind)).needs_threshold else None)
    taken = int(one.classes(np.array([1 - chance, chance])))
    sums = one.expected(np.array([1 - chance, chance]))
    other = by_hand(one.costs, (1 - chance, chance))
    assert taken == (other if other < 2 else -1) or abs(np.diff(np.sort(sums))[0]) < 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_a_decision_is_read_as_it_was_written(kind: str, tmp_path: Path) -> None:
    one = decided(example(kind), TWO, 0.25 if decision(example(kind)).needs_threshold else None)
    write_decisions(tmp_path, {"output": one})
    (read,) = read_decisions(tmp_path).values()
    assert (read.kind, read.labels, read.factors, read.costs, read.threshold) == (
        *(one.kind, one.labels, one.factors, one.costs),
        one.threshold,
    )


def test_bayes_weighs_the_costs_of_errors() -> None:
    """Duda, Hart and Stork, section 2.3: for the second class where p2 / p1 > cost(1 taken for 2) / cost(2 for 1)."""
    one = decided({"bayes": {"costs": [[0, 1], [10, 0]]}}, TWO)
    chances = np.array([[0.92, 0.08], [0.90, 0.10], [0.5, 0.5]])
    assert one.classes(chances).tolist() == [0, 1, 1]
    np.testing.assert_allclose(one.expected(chances), [[0.8, 0.92], [1.0, 0.9], [5.0, 0.5]])


def test_chow_rejects_where_an_error_is_more_probable_than_the_cost_of_a_rejection() -> None:
    one = decided({"map": {"reject": 0.3}}, PETS)
    chances = np.array([[0.71, 0.2, 0.09], [0.69, 0.2, 0.11], [0.1, 0.1, 0.8]])
    assert one.classes(chances).tolist() == [0, -1, 2]


def test_priors_follow_from_bayes_theorem() -> None:
    """A test that finds 90% of the ill and 5% of the others, for 1% ill: 0.9 * 0.01 / (0.9 * 0.01 + 0.05 * 0.99)."""
    one = decided({"map": {"priors": {"spam": 0.01}}}, TWO, shares=[300, 100])
    ham, spam = 0.05 * 0.75, 0.9 * 0.25  # in training a quarter was spam
    chances = np.array([ham, spam]) / (ham + spam)
    assert one.weighed(chances)[1] == pytest.approx(0.009 / (0.009 + 0.0495))
    assert one.classes(chances) == 0


def test_classes_without_a_prior_share_the_rest_as_in_training() -> None:
    factors = decision({"map": {"priors": {"emu": 0.5}}}).factors(PETS, [30, 10, 60])
    np.testing.assert_allclose(np.array(factors) * [0.3, 0.1, 0.6], [0.375, 0.125, 0.5])


SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
TRUE = np.array([1, 0, 1, 0, 1, 0, 0, 1])


@pytest.mark.parametrize(
    ("rate", "threshold"),
    [(0.2, 0.85), (0.25, 0.65), (0.5, 0.45), (0.75, 0.35), (0.99, 0.35)],
)
def test_the_threshold_of_neyman_and_pearson_is_the_lowest_that_the_rate_allows(rate: float, threshold: float) -> None:
    """The others have the scores 0.8, 0.6, 0.4 and 0.3: of four, a rate of 0.25 allows one, and 0.2 none."""
    one = decision({"neyman_pearson": {"false_alarm": rate}})
    found = one.threshold(np.stack([1 - SCORES, SCORES], 1), TRUE, TWO)
    assert found == pytest.approx(threshold)
    alarms = (found < SCORES)[TRUE == 0].mean()
    assert alarms <= rate
    taken = Decided("", TWO, (1.0, 1.0), one.costs_of(TWO, found)).classes(np.stack([1 - SCORES, SCORES], 1))
    assert taken.tolist() == (found < SCORES).astype(int).tolist()


def test_rows_with_the_same_score_are_alarms_together_or_not_at_all() -> None:
    scores, true = np.array([0.9, 0.5, 0.5, 0.5, 0.1]), np.array([1, 0, 0, 1, 0])
    one = decision({"neyman_pearson": {"false_alarm": 0.4}})
    assert one.threshold(np.stack([1 - scores, scores], 1), true, TWO) == pytest.approx(0.7)


def test_the_class_that_is_looked_for_may_be_the_first() -> None:
    one = decision({"neyman_pearson": {"false_alarm": 0.25, "positive": "ham"}})
    found = one.threshold(np.stack([SCORES, 1 - SCORES], 1), 1 - TRUE, TWO)
    assert found == pytest.approx(0.65)
    taken = Decided("", TWO, (1.0, 1.0), one.costs_of(TWO, found)).classes(np.array([[0.66, 0.34], [0.64, 0.36]]))
    assert taken.tolist() == [0, 1]


def reported(one: Decided, chances: Any, true: Any) -> DecisionReport:
    answers = Answers("out", "classes", ("y",), one.labels, np.array(chances, float), np.array(true), decision=one)
    (found,) = report([answers], {}, np.arange(len(answers.values))).decisions
    return found


def test_the_risk_is_the_mean_cost_by_probabilities_and_by_truth() -> None:
    one = decided({"bayes": {"costs": [[0, 1], [10, 0]], "reject": 0.6}}, TWO)
    found = reported(one, [[0.99, 0.01], [0.5, 0.5], [0.9, 0.1], [0.2, 0.8]], [0, 0, 1, 1])
    # 0.1 for ham; 0.5 for spam; 0.6 rejected, less than 0.9 for spam; 0.2 for spam
    assert [round(risk.expected, 6) for risk in found.risks] == [0.35, 3.525, 0.6475]
    assert [round(risk.observed, 6) for risk in found.risks] == [(0 + 1 + 0.6 + 0) / 4, 5.0, 0.5]
    assert [risk.of for risk in found.risks] == ["the network's decisions", "always ham", "always spam"]
    assert (found.rejected, found.rows) == (1, 4)


def test_with_priors_each_true_class_counts_as_often_as_they_say() -> None:
    one = decided({"bayes": {"costs": [[0, 1], [10, 0]], "priors": {"spam": 0.1}}}, TWO, shares=[1, 1])
    found = reported(one, [[0.5, 0.5]] * 4, [0, 0, 1, 1])
    # with a share of 0.1 the risk of always ham is 10 * 0.1, and of always spam 0.9
    assert [round(risk.observed, 6) for risk in found.risks] == [0.9, 1.0, 0.9]
    assert [round(risk.expected, 6) for risk in found.risks] == [0.9, 1.0, 0.9]


def test_rates_have_the_intervals_of_clopper_and_pearson() -> None:
    one = Decided("neyman_pearson", TWO, (1.0, 1.0), ((0.0, 0.5), (0.5, 0.0)), 0.5, "spam")
    scores = np.array([0.9] * 18 + [0.1] * 2 + [0.9] * 3 + [0.1] * 47)
    found = reported(one, np.stack([1 - scores, scores], 1), [1] * 20 + [0] * 50)
    for rate, count, rows in ((found.detection, 18, 20), (found.false_alarm, 3, 50)):
        assert rate is not None and (rate.count, rate.rows) == (count, rows)
        wanted = binomtest(count, rows).proportion_ci(0.95, "exact")
        assert (rate.low, rate.high) == pytest.approx((wanted.low, wanted.high))
    none = reported(one, [[0.9, 0.1]], [0]).false_alarm
    assert none is not None and none.low == 0 and none.high == pytest.approx(binomtest(0, 1).proportion_ci(0.95).high)


@pytest.mark.parametrize(
    ("written", "labels", "message"),
    [
        ({"bayes": {"costs": [[0, 1]]}}, TWO, "there are 2 classes"),
        ({"bayes": {"costs": [[0, 1], [1]]}}, TWO, "there are 2 classes"),
        ({"neyman_pearson": {"false_alarm": 0.1}}, PETS, "between two classes, and there are 3"),
        ({"neyman_pearson": {"false_alarm": 0.1, "positive": "sapm"}}, TWO, "did you mean 'spam'"),
        ({"map": {"priors": {"sapm": 0.1}}}, TWO, "did you mean 'spam'"),
        ({"map": {"priors": {"spam": 0.5, "ham": 0.4}}}, TWO, "sum to 0.9"),
        ({"map": {"priors": {"cat": 0.5, "dog": 0.6}}}, PETS, "sum to 1.1"),
        ({"map": {"reject": 0.5}}, TWO, "no row is ever rejected"),
    ],
)
def test_settings_that_do_not_suit_the_classes_are_refused(written: Any, labels: Any, message: str) -> None:
    with pytest.raises(DecisionError) as caught:
        decision(written).need(labels)
    assert message in caught.value.message


def test_a_class_that_was_never_trained_has_no_other_share() -> None:
    with pytest.raises(DecisionError, match="no training row is 'ham'"):
        decision({"map": {"priors": {"spam": 0.5}}}).factors(TWO, [0, 3])


SPEC = """
data: {source: {csv: rows.csv}, target: kind, split: {validation: 0.25, test: 0.25, stratify: true}}
model: {layers: [{linear: %s}]}
loss: %s
optimizer: {adam: {lr: 0.05}}
train: {epochs: 6, batch_size: 16, device: cpu}
baselines: off
tracking: off
decision: %s
"""


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    draw = np.random.default_rng(3)
    x = draw.normal(size=(240, 2))
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["a", "b", "kind"])
        spam = x[:, 0] + 0.7 * draw.normal(size=240) > 0
        lines.writerows((*row, "spam" if one else "ham") for row, one in zip(x.tolist(), spam, strict=True))
    return tmp_path


@pytest.mark.parametrize(("ends", "loss"), [("2", "cross_entropy"), ("1", "{binary_cross_entropy: {of: ham}}")])
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_keeps_its_decision_and_decides_anew_the_same(kind: str, ends: str, loss: str, rows: Path) -> None:
    written = json.dumps(example(kind))
    (rows / "spec.yaml").write_text(SPEC % (ends, loss, written))
    folder = dlrun.train(rows / "spec.yaml", runs=rows / "runs").folder
    run = open_run(folder)
    (output,) = run.outputs
    assert output.decision is not None and output.decision.labels == output.labels
    (anew,) = decide_anew(run, written).outputs
    assert anew.decision is not None
    assert np.array(anew.decision.costs) == pytest.approx(np.array(output.decision.costs), abs=1e-6)
    assert anew.decision.factors == pytest.approx(output.decision.factors)
    found = evaluate(run, rows_of(run, None, "test")).answers[0]
    data = json.loads((folder / "evaluation" / "report.json").read_text())["decisions"]
    assert [one["kind"] for one in data] == [kind]
    assert data[0]["rejected"] == int((found.chosen < 0).sum())


def test_a_decision_that_was_never_found_is_not_taken_for_the_most_probable_class(rows: Path) -> None:
    (rows / "spec.yaml").write_text(SPEC % (2, "cross_entropy", "{neyman_pearson: {false_alarm: 0.1}}"))
    folder = dlrun.train(rows / "spec.yaml", runs=rows / "runs").folder
    (folder / "decisions.json").unlink()
    with pytest.raises(RunError, match="has not found the numbers of it"):
        open_run(folder)
    command = ["predict", str(folder), str(rows / "rows.csv")]
    assert CliRunner().invoke(app, command).exit_code
    assert CliRunner().invoke(app, [*command, "--decide", "map"]).stdout.startswith("row,kind,")
    assert CliRunner().invoke(app, [*command, "--decide", "map", "--at", "linear_1"]).exit_code


def test_with_validation_rows_alone_a_rate_is_kept_to(rows: Path) -> None:
    (rows / "spec.yaml").write_text(SPEC % (2, "cross_entropy", "{neyman_pearson: {false_alarm: 0.1, positive: spam}}"))
    run = open_run(dlrun.train(rows / "spec.yaml", runs=rows / "runs").folder)
    answers = evaluate(run, rows_of(run, None, "validation")).answers[0]
    assert answers.true is not None
    alarms = (answers.chosen == 1)[answers.true == 0]
    assert alarms.sum() == int(0.1 * len(alarms))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("decision=[map, map]", "has two decisions"),
        ("data.split.validation=0", "in the validation rows, and there are none"),
        ("train.early_stopping={patience: 1, then: refit}", "the refit trains on them"),
        ("loss=multi_margin", "needs probabilities"),
        ("decision={neyman_pearson: {false_alarm: 0.1, output: other}}", "no output 'other'"),
    ],
)
def test_check_says_what_a_decision_lacks(change: str, message: str, rows: Path) -> None:
    (rows / "spec.yaml").write_text(SPEC % (2, "cross_entropy", "{neyman_pearson: {false_alarm: 0.1}}"))
    with pytest.raises(SpecError) as caught:
        dlrun.check(rows / "spec.yaml", change)
    assert message in str(caught.value)


def test_numbers_are_not_decided(rows: Path) -> None:
    (rows / "spec.yaml").write_text((SPEC % (1, "mse", "map")).replace("target: kind", "target: a"))
    with pytest.raises(SpecError, match="decides between classes"):
        dlrun.check(rows / "spec.yaml", "data.split.stratify=false", "data.features=b")
