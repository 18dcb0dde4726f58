"""Every map there is before the network: what it says before fitting is what fitting and its module give."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import components, draws, sample_shapes

from dlrun.components.preprocess import FitError, Map, TrainingRows
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.shapes import Shape, ShapeError, numel

KINDS = tuple(kind for kind in kinds("preprocess") if issubclass(find("preprocess", kind), Map))
ROWS, CLASSES = 60, 4
TARGET = np.arange(ROWS) % CLASSES


def some_rows(shape: Shape, seed: int = 0) -> Any:
    """Rows of every class, around a mean of each."""
    random = np.random.default_rng(seed)
    return 3 * random.normal(size=(CLASSES, *shape))[TARGET] + random.normal(size=(ROWS, *shape))


def a_step(kind: str) -> Map:
    """The kind with what it cannot do without."""
    needed = {name: 2 for name, field in find("preprocess", kind).model_fields.items() if field.is_required()}
    step = choose("preprocess", {kind: needed})
    assert isinstance(step, Map)
    return step


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
    assert {name: values.shape for name, values in state.items()} == settled.fitted(shape, settled_shape)
    assert all(values.dtype == np.float64 for values in state.values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_trains_nothing_and_gives_float32(kind: str):
    rows = some_rows((2, 3))
    step = a_step(kind)
    module = step.build(step.fit(TrainingRows(rows), TARGET, CLASSES))
    assert not list(module.parameters())
    assert {buffer.dtype for buffer in module.buffers()} == {torch.float64}
    for taken in (torch.tensor(rows), torch.tensor(rows).float(), torch.tensor(rows).long()):
        assert module(taken).dtype == torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_the_buffers_are_the_state_by_name(kind: str):
    rows = some_rows((5,))
    step = a_step(kind)
    state = step.fit(TrainingRows(rows), TARGET, CLASSES)
    buffers = dict(step.build(state).named_buffers())
    assert {name: values.tolist() for name, values in buffers.items()} == {
        name: values.tolist() for name, values in state.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_is_affine(kind: str):
    rows = some_rows((4,))
    step = a_step(kind)
    module = step.build(step.fit(TrainingRows(rows), TARGET, CLASSES))
    one, other = torch.tensor(rows[:30]), torch.tensor(rows[30:])
    middle = module.exact((one + other) / 2)
    assert torch.allclose(middle, (module.exact(one) + module.exact(other)) / 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 0.1, -3e5])
def test_constant_numbers_give_finite_ones(kind: str, value: float):
    rows = some_rows((6,))
    rows[:, 1::2] = value
    _, state, out = fitted(a_step(kind), rows)
    assert all(np.isfinite(values).all() for values in state.values())
    assert out.isfinite().all()
    unseen = rows + np.random.default_rng(3).normal(size=rows.shape)
    assert a_step(kind).build(state)(torch.tensor(unseen)).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_are_all_the_same_give_finite_numbers_or_an_error(kind: str):
    try:
        _, state, out = fitted(a_step(kind), np.full((ROWS, 6), 0.1))
    except FitError as error:
        assert error.message
    else:
        assert out.isfinite().all()
        assert all(np.isfinite(values).all() for values in state.values())


@pytest.mark.parametrize("kind", KINDS)
def test_fitting_changes_neither_the_rows_nor_the_target_and_repeats_itself(kind: str):
    rows, target = some_rows((5,)), TARGET.copy()
    before = rows.copy()
    first, second = (a_step(kind).fit(TrainingRows(rows), target, CLASSES) for _ in range(2))
    assert (rows == before).all()
    assert (target == TARGET).all()
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("kind", KINDS)
def test_no_warning_of_another_library_comes_through(kind: str):
    rows = some_rows((6,))
    rows[:, 0], rows[:, 1] = 0.1, rows[:, 2]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted(a_step(kind), rows)
    assert not caught


@pytest.mark.parametrize("kind", KINDS)
def test_a_settled_step_is_read_back_from_what_it_writes(kind: str):
    settled, _, _ = fitted(a_step(kind), some_rows((5,)))
    assert choose("preprocess", settled.written()) == settled


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_explains_itself(kind: str):
    step = a_step(kind)
    output, _ = step.output_shape((6,), ROWS, CLASSES)
    assert step.formulas((6,), output)
