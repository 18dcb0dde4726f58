"""Every map there is before the network: what it says before fitting is what fitting and its module give."""

from __future__ import annotations

import json
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import components, draws, sample_shapes

import dlrun
from dlrun.api import _Silent
from dlrun.checks.check import check
from dlrun.components.preprocess import FitError, Map, TrainingRows
from dlrun.components.preprocess._rows import block_bytes
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.modules.frozen_map import OutOfDomainError, back
from dlrun.runs import folder as run_folder
from dlrun.shapes import Shape, ShapeError, numel
from dlrun.tracking.open import open_tracking
from dlrun.training.lifecycle.resume import resume
from dlrun.training.lifecycle.setup import load_and_fit, prepare_rows
from dlrun.views import table

KINDS = tuple(kind for kind in kinds("preprocess") if issubclass(find("preprocess", kind), Map))
ROWS, CLASSES = 60, 4
TARGET = np.arange(ROWS) % CLASSES


NEEDED = {"clip": {"quantiles": [0.1, 0.9]}}
"""What a kind cannot do without, where it is no number."""


def some_rows(shape: Shape, seed: int = 0) -> Any:
    """Rows of every class, around a mean of each; all numbers are positive."""
    random = np.random.default_rng(seed)
    around = 3 * random.normal(size=(CLASSES, *shape))[TARGET]
    return np.exp((around + random.normal(size=(ROWS, *shape))) / 4)


def a_step(kind: str) -> Map:
    """The kind with what it cannot do without."""
    needed = {name: 2 for name, field in find("preprocess", kind).model_fields.items() if field.is_required()}
    step = choose("preprocess", {kind: NEEDED.get(kind, needed)})
    assert isinstance(step, Map)
    return step


def rows_for(kind: str, numbers: int = 6) -> Any:
    """Rows that the kind takes: of so many numbers, or images."""
    try:
        a_step(kind).output_shape((numbers,), ROWS, CLASSES)
    except ShapeError:
        return some_rows((3, 4, 5))
    return some_rows((numbers,))


def fitted(step: Map, rows: Any) -> tuple[Map, dict[str, Any], Any]:
    """The settled step, its state and its float32 output on rows."""
    state = step.fit(TrainingRows(rows), TARGET, CLASSES)
    settled = step.settled(state)
    return settled, state, settled.build(state)(torch.tensor(rows))


@pytest.mark.parametrize("kind", KINDS)
@draws(30)
@given(data=st.data())
def test_shapes_are_those_that_were_planned(kind: str, data: Any):
    step = data.draw(components("preprocess", kind))
    shape = data.draw(sample_shapes(1, 3, 4))
    try:
        planned, certain = step.output_shape(shape, ROWS, CLASSES)
    except ShapeError as error:
        assert str(error)
        return
    try:
        settled, state, out = fitted(step, some_rows(shape))
    except FitError:
        assert not certain or kind == "lda"  # random rows have every direction; class means need not
        return
    settled_shape, settled_certain = settled.output_shape(shape, ROWS, CLASSES)
    assert settled_certain
    assert settled_shape == planned or (not certain and numel(settled_shape) <= numel(planned))
    assert out.shape == (ROWS, *settled_shape)
    assert {name: values.shape for name, values in state.items()} == settled.fitted(shape, settled_shape, ROWS)
    assert all(values.dtype == np.float64 for values in state.values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_trains_nothing_and_gives_float64(kind: str):
    rows = some_rows((2, 3))
    step = a_step(kind)
    module = step.build(step.fit(TrainingRows(rows), TARGET, CLASSES))
    assert not list(module.parameters())
    assert {buffer.dtype for buffer in module.buffers()} <= {torch.float64}
    for taken in (torch.tensor(rows), torch.tensor(rows).float(), torch.tensor(rows).long()):
        assert module(taken).dtype == torch.float64


@pytest.mark.parametrize("kind", KINDS)
def test_the_buffers_are_the_state_by_name(kind: str):
    rows = rows_for(kind)
    step = a_step(kind)
    state = step.fit(TrainingRows(rows), TARGET, CLASSES)
    buffers = dict(step.build(state).named_buffers())
    assert {name: values.tolist() for name, values in buffers.items()} == {
        name: values.tolist() for name, values in state.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_an_elementwise_step_changes_each_number_by_itself_and_any_other_says_so(kind: str):
    rows, step = rows_for(kind), a_step(kind)
    module = step.build(step.fit(TrainingRows(rows), TARGET, CLASSES))
    changed = torch.tensor(rows)
    changed.view(ROWS, -1)[:, 1] = torch.tensor(rows).view(ROWS, -1)[:, 1].flip(0)
    before, after = module.exact(torch.tensor(rows)), module.exact(changed)
    if step.elementwise:
        assert before.shape == rows.shape
        others = [at for at in range(before[0].numel()) if at != 1]
        assert torch.equal(before.flatten(1)[:, others], after.flatten(1)[:, others])
    else:
        assert step.one_way


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not a_step(kind).one_way])
def test_a_step_that_is_not_one_way_is_computed_back(kind: str):
    rows, step = rows_for(kind), a_step(kind)
    module = step.build(step.fit(TrainingRows(rows), TARGET, CLASSES))
    second = step.build(step.fit(TrainingRows(rows).after(module), TARGET, CLASSES))
    there = torch.tensor(rows)
    assert torch.allclose(back([module])(module(there)), there, rtol=1e-9)
    assert torch.allclose(back([module, second])(second(module(there))), there, rtol=1e-9)
    assert back([module])(module(there).float()).dtype == torch.float64


@pytest.mark.parametrize("kind", KINDS)
def test_small_errors_grow_as_the_module_says(kind: str):
    rows, step = torch.tensor(rows_for(kind)), a_step(kind)
    module = step.build(step.fit(TrainingRows(rows.numpy()), TARGET, CLASSES))
    sizes = 1e-9 * (1 + torch.arange(rows[0].numel(), dtype=torch.float64).reshape(rows[0].shape)).expand_as(rows)
    told = module.errors(rows, sizes)
    generator = torch.Generator().manual_seed(0)
    draws = [torch.randn(rows.shape, generator=generator, dtype=torch.float64) * sizes for _ in range(200)]
    found = torch.stack([module.exact(rows + draw) - module.exact(rows) for draw in draws]).square().mean(0).sqrt()
    assert told.shape == found.shape
    assert (found.square().mean() <= 1.2 * told.square().mean()).item()


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_is_missing_after_a_step_in_silence(kind: str):
    rows, step = rows_for(kind), a_step(kind)
    module = step.build(step.fit(TrainingRows(rows), TARGET, CLASSES))
    gap = torch.tensor(rows)
    gap[3].view(-1)[0] = torch.nan
    out = module.exact(gap)
    assert out[3].isnan().any()
    assert not out[:3].isnan().any()


@pytest.mark.parametrize("kind", KINDS)
def test_fitting_by_blocks_gives_the_numbers_of_one_block(kind: str, monkeypatch: pytest.MonkeyPatch):
    rows, step = rows_for(kind), a_step(kind)
    whole = step.fit(TrainingRows(rows), TARGET, CLASSES)
    monkeypatch.setattr("dlrun.components.preprocess._rows.BLOCK_BYTES", 1 << 9)
    monkeypatch.setattr("dlrun.components.preprocess._quantiles.TOGETHER_BYTES", 1 << 10)
    assert len(list(TrainingRows(rows).blocks())) > 2
    parts = step.fit(TrainingRows(rows), TARGET, CLASSES)
    for name, values in whole.items():
        assert np.allclose(parts[name], values, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_fitting_takes_about_the_bytes_that_it_says(kind: str):
    many, step = np.tile(rows_for(kind, 40), (1500, *[1] * (rows_for(kind).ndim - 1))), a_step(kind)
    many += np.random.default_rng(0).random(many.shape)
    target = np.tile(TARGET, 1500)
    step.fit(TrainingRows(rows_for(kind)), TARGET, CLASSES)  # what it imports is not counted
    tracemalloc.start()
    step.fit(TrainingRows(many), target, CLASSES)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    told = step.fit_bytes(len(many), many[0].size)
    assert most < told + (1 << 20)
    assert told < 4 * most + block_bytes(len(many), many[0].size)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 0.1, -3e5])
def test_constant_numbers_give_finite_ones(kind: str, value: float):
    rows = rows_for(kind)
    rows.reshape(ROWS, -1)[:, 1::2] = value
    try:
        _, state, out = fitted(a_step(kind), rows)
    except OutOfDomainError:
        assert value < 0
        return
    assert all(np.isfinite(values).all() for values in state.values())
    assert out.isfinite().all()
    unseen = rows + np.random.default_rng(3).random(size=rows.shape)
    assert a_step(kind).build(state)(torch.tensor(unseen)).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_are_all_the_same_give_finite_numbers_or_an_error(kind: str):
    try:
        _, state, out = fitted(a_step(kind), np.full_like(rows_for(kind), 0.1))
    except FitError as error:
        assert error.message
    else:
        assert out.isfinite().all()
        assert all(np.isfinite(values).all() for values in state.values())


@pytest.mark.parametrize("kind", KINDS)
def test_fitting_changes_neither_the_rows_nor_the_target_and_repeats_itself(kind: str):
    rows, target = rows_for(kind), TARGET.copy()
    before = rows.copy()
    first, second = (a_step(kind).fit(TrainingRows(rows), target, CLASSES) for _ in range(2))
    assert (rows == before).all()
    assert (target == TARGET).all()
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("kind", KINDS)
def test_no_warning_of_another_library_comes_through(kind: str):
    rows = rows_for(kind)
    rows[:, 0], rows[:, 1] = 0.1, rows[:, 2]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted(a_step(kind), rows)
    assert not caught


@pytest.mark.parametrize("kind", KINDS)
def test_a_settled_step_is_read_back_from_what_it_writes(kind: str):
    settled, _, _ = fitted(a_step(kind), rows_for(kind))
    assert choose("preprocess", settled.written()) == settled


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_explains_itself(kind: str):
    step = a_step(kind)
    shape = rows_for(kind).shape[1:]
    output, _ = step.output_shape(shape, ROWS, CLASSES)
    assert step.formulas(shape, output)


RUN = """
data:
  source: {{npz: data.npz}}
  target: y
  split: {{validation: 0.2, test: 0.2, stratify: true}}
  preprocess: [{step}]
model: {{layers: [flatten, linear: $classes]}}
loss: cross_entropy
optimizer: adam
train: {{epochs: 2}}
tracking: off
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_with_the_step_resumes_to_the_same_bits_and_its_network_takes_raw_rows(kind: str, tmp_path: Path):
    rows = rows_for(kind)
    np.savez(tmp_path / "data.npz", x=rows, y=TARGET)
    file = tmp_path / "spec.yaml"
    file.write_text(RUN.format(step=json.dumps(a_step(kind).written())))
    whole = dlrun.train(file, runs=tmp_path / "whole")
    part = dlrun.train(file, "train.epochs=1", runs=tmp_path / "part")
    longer = check(part.folder / run_folder.RESOLVED, ["train.epochs=2"], training=True)
    with open_tracking(longer.experiment.tracking, tmp_path / "part") as tracking:
        resumed = resume(part.folder, longer, _Silent(), tracking)
    assert resumed.test == whole.test
    assert (part.folder / run_folder.BEST).read_bytes() == (whole.folder / run_folder.BEST).read_bytes()

    network = dlrun.load_network(whole.folder)
    checked = check(file, (), training=True)
    loaded, fitted_steps, planned, scaling = load_and_fit(checked)
    prepared = prepare_rows(checked, loaded, fitted_steps, planned, scaling, torch.device("cpu"))
    (test,) = prepared.test.batch(slice(None)).inputs
    front = torch.nn.Sequential(*(step.module for step in fitted_steps.values()))
    assert torch.equal(front(torch.tensor(rows)[loaded.splits.test]).float(), test)
    weights = network.state_dict()
    with torch.no_grad():
        expected = test.flatten(1) @ weights["linear_1.weight"].T + weights["linear_1.bias"]
        assert torch.allclose(network(torch.tensor(rows)[loaded.splits.test]), expected, atol=1e-5)
    assert f"preprocess.{kind}_1" in {row.label for row in table.rows(checked.plan)}
    assert table.formulas(checked.plan)[0][0].startswith(f"preprocess.{kind}_1")
