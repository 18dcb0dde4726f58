from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from networks import plan_of
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch import nn

import dlrun.data.prepare as prepare_module
from dlrun.components.sources import SourceError
from dlrun.data.batches import Batch
from dlrun.data.fit import FittedStep, fit
from dlrun.data.load import Answers, Loaded
from dlrun.data.prepare import index_limits, prepare
from dlrun.errors import Place, Source, SpecError
from dlrun.language.component import choose
from dlrun.plan.inputs import Input, PreprocessStep
from dlrun.plan.split import Splits

SPLITS = Splits(np.array([0, 2, 3, 5, 6, 8, 9]), np.array([1, 4]), np.array([7]))


def holding(features: Any, classes: Any = None, splits: Splits = SPLITS) -> Loaded:
    features = np.asarray(features)
    numbers = np.arange(len(features)) % 2 if classes is None else np.asarray(classes)
    labels = tuple(str(number) for number in range(numbers.max() + 1))
    return Loaded({"input": features}, {"target": Answers(numbers, numbers, labels)}, splits, "", "")


def noise(*shape: int) -> Any:
    return np.random.default_rng(2).normal(size=shape)


def fitted(loaded: Loaded, *written: Any) -> list[FittedStep]:
    """The steps, fitted one after the other on the training rows of the only input."""
    planned = [
        PreprocessStep(f"step_{number}", number, choose("preprocess", step), (), (), {}, True, None)  # type: ignore[arg-type]
        for number, step in enumerate(written)
    ]
    place = Place(Source("spec.yaml", ""), 1, 1)
    return list(fit([Input("input", (), tuple(planned), (), place)], loaded).values())


def modules(loaded: Loaded, *written: Any) -> list[nn.Module]:
    return [step.module for step in fitted(loaded, *written)]


def numbers_in(*shape: int) -> str:
    """A network that takes numbers."""
    return f"{{input: {list(shape)}, layers: [relu]}}"


def indices_in(length: int, count: int) -> str:
    """A network that takes so many indices, each below `count`."""
    return f"{{input: {length}, layers: [embedding: {{num_embeddings: {count}, embedding_dim: 1}}]}}"


@dataclass
class Batches:
    """All rows of each split."""

    train: Batch
    validation: Batch
    test: Batch


def prepared(loaded: Loaded, model: str, *chain: nn.Module) -> Batches:
    """The rows for a network with one input, behind the modules of a chain."""
    found = prepare(loaded, plan_of(model), {"input": [("step", module) for module in chain]}, "cpu")
    return Batches(*(one.batch(slice(None)) for one in (found.train, found.validation, found.test)))


def tensors(prepared: Batches) -> list[torch.Tensor]:
    splits = [prepared.train, prepared.validation, prepared.test]
    return [tensor for split in splits for tensor in (*split.inputs, *split.targets.values())]


EVERY_STEP = [
    "standardize",
    "minmax",
    {"pca": 2},
    {"pca": 0.8},
    {"pca": {"n_components": 2, "whiten": True}},
    "lda",
]


class TestFit:
    @pytest.mark.parametrize("step", EVERY_STEP)
    def test_validation_and_test_rows_never_reach_what_is_fitted(self, step: Any):
        features = noise(10, 3)
        changed = features.copy()
        changed[SPLITS.validation], changed[SPLITS.test] = 1e6, np.nan
        classes = np.arange(10) % 2
        other_classes = classes.copy()
        other_classes[SPLITS.validation] = other_classes[SPLITS.test] = 1
        first = fitted(holding(features, classes), "standardize", step)
        again = fitted(holding(changed, other_classes), "standardize", step)
        for one, other in zip(first, again, strict=True):
            assert one.step == other.step
            assert one.state.keys() == other.state.keys()
            assert all(one.state[name].tobytes() == other.state[name].tobytes() for name in one.state)

    def test_a_training_row_does_reach_it(self):
        features = noise(10, 3)
        changed = features.copy()
        changed[SPLITS.train[0]] += 1
        (one,) = fitted(holding(features), "standardize")
        (other,) = fitted(holding(changed), "standardize")
        assert (one.state["offset"] != other.state["offset"]).all()

    def test_each_step_is_fitted_on_what_those_before_it_give(self):
        features = noise(10, 4) * [1, 10, 100, 1000] + 7
        _, found = fitted(holding(features), "standardize", {"pca": 0.9})
        train = StandardScaler().fit_transform(features[SPLITS.train])
        theirs = PCA(0.9, svd_solver="full").fit(train)
        assert found.step.n_components == theirs.n_components_  # type: ignore[attr-defined]
        assert found.state["matrix"] == pytest.approx(theirs.components_)

    def test_the_later_steps_see_no_rounding_to_float32(self):
        one = noise(10, 1)
        features = np.column_stack([one, 2 * one + 0.3])
        with pytest.raises(SpecError, match="vary in only 1"):
            fitted(holding(features), "standardize", {"pca": {"n_components": 2, "whiten": True}})

    def test_a_step_that_cannot_be_fitted_is_one_problem_with_a_way_out(self):
        with pytest.raises(SpecError) as caught:
            fitted(holding(np.column_stack([noise(10, 2), np.ones(10)])), "minmax", {"pca": 3})
        (problem,) = caught.value.problems
        assert problem.message == "3 directions are wanted, but the training rows vary in only 2"
        assert problem.hint == "write `pca: 2` or less"

    def test_a_class_without_training_rows_stops_lda(self):
        classes = np.zeros(10, int)
        classes[SPLITS.test] = 1
        with pytest.raises(SpecError, match="class number 1 has no training row"):
            fitted(holding(noise(10, 3), classes), "lda")

    def test_whole_numbers_and_images_are_fitted_as_they_are(self):
        images = np.arange(80, dtype=np.uint8).reshape(10, 2, 2, 2)
        (found,) = fitted(holding(images), "minmax")
        assert found.state["offset"].tolist() == images[0].tolist()
        assert found.state["factor"] == pytest.approx(np.full((2, 2, 2), 1 / 72))

    def test_no_steps_are_nothing_to_fit(self):
        assert fitted(holding(noise(10, 3))) == []


class TestPrepare:
    @pytest.mark.parametrize("portion", [1, 100, 1 << 26])
    def test_every_row_goes_into_its_split(self, portion: int, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(prepare_module, "PORTION_BYTES", portion)
        features = noise(10, 4)
        loaded = holding(features)
        found = prepared(loaded, numbers_in(1, 2, 2))
        for name, rows in (("train", SPLITS.train), ("validation", SPLITS.validation), ("test", SPLITS.test)):
            batch = getattr(found, name)
            (x,), y = batch.inputs, batch.targets["target"]
            assert len(batch) == len(rows)
            assert x.dtype == torch.float32
            assert (x.numpy() == features[rows].astype(np.float32).reshape(-1, 1, 2, 2)).all()
            assert (y.dtype, y.tolist()) == (torch.int64, loaded.targets["target"].values[rows].tolist())

    @pytest.mark.parametrize("portion", [1, 100])
    def test_the_fitted_steps_are_applied_in_order(self, portion: int, monkeypatch: pytest.MonkeyPatch):
        features = noise(10, 4) * 9 + 3
        loaded = holding(features)
        chain = modules(loaded, "standardize", {"pca": 2})
        monkeypatch.setattr(prepare_module, "PORTION_BYTES", portion)
        found = prepared(loaded, numbers_in(2), *chain)
        expected = nn.Sequential(*chain)(torch.tensor(features)).float()
        (train,), (test,) = found.train.inputs, found.test.inputs
        assert torch.allclose(train, expected[SPLITS.train])
        assert torch.allclose(test, expected[SPLITS.test])
        assert train.mean(0).tolist() == pytest.approx([0, 0], abs=1e-6)
        assert not train.requires_grad

    def test_rows_are_the_same_however_they_are_applied(self):
        features = noise(10, 4).astype(np.float32)
        loaded = holding(features)
        chain = modules(loaded, "standardize", "minmax")
        found = prepared(loaded, numbers_in(4), *chain)
        deployed = nn.Sequential(*chain)(torch.tensor(features)).float()
        assert torch.equal(found.validation.inputs[0], deployed[SPLITS.validation])

    def test_numbers_are_copied_and_never_shared_with_the_source(self):
        features = noise(10, 2).astype(np.float32)
        loaded = holding(features)
        found = prepared(loaded, numbers_in(2))
        before = [tensor.clone() for tensor in tensors(found)]
        features[:] = 0
        loaded.targets["target"].values[:] = 9
        assert all(torch.equal(a, b) for a, b in zip(before, tensors(found), strict=True))

    def test_a_split_without_rows_is_empty_but_has_its_shape(self):
        nothing = np.zeros(0, np.int64)
        loaded = holding(noise(10, 4), splits=replace(SPLITS, train=np.arange(10), validation=nothing, test=nothing))
        for chain in ([], modules(loaded, "standardize")):
            found = prepared(loaded, numbers_in(2, 2), *chain)
            assert found.train.inputs[0].shape == (10, 2, 2)
            assert (len(found.test), found.test.inputs[0].shape) == (0, (0, 2, 2))
            assert found.test.targets["target"].shape == (0,)

    @pytest.mark.parametrize("kind", ["u1", "i4", "u8", "f8"])
    def test_indices_are_int64(self, kind: str):
        features = np.arange(20, dtype=kind).reshape(10, 2)
        found = prepared(holding(features), indices_in(2, 20))
        assert found.train.inputs[0].dtype == torch.int64
        assert found.test.inputs[0].tolist() == [[14, 15]]

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (20, "row 4 holds the index 20.0; there are 20, from 0 to 19"),
            (-1, "row 4 holds -1.0; an index is 0 or more"),
            (1.5, "row 4 holds 1.5; an index is a whole number"),
        ],
    )
    def test_what_is_no_index_is_named_with_its_row(self, value: float, message: str):
        features = np.arange(20.0).reshape(10, 2)
        features[4, 1] = value
        with pytest.raises(SourceError) as caught:
            prepared(holding(features), indices_in(2, 20))
        assert (caught.value.message, caught.value.at) == (message, ("features",))

    @pytest.mark.parametrize("chain", [[], [nn.Identity()]])
    def test_a_number_too_large_for_float32_is_named_with_its_row(self, chain: list[nn.Module]):
        features = noise(10, 2)
        features[7, 0] = 1e39
        with pytest.raises(SourceError, match=r"row 7 holds 1e\+39, too large for float32"):
            prepared(holding(features), numbers_in(2), *chain)

    def test_a_large_number_that_preprocessing_brings_near_1_is_fine(self):
        features = noise(10, 2) * 1e39
        loaded = holding(features)
        found = prepared(loaded, numbers_in(2), *modules(loaded, "standardize"))
        assert all(tensor.isfinite().all() for tensor in tensors(found))

    def test_every_index_that_int64_holds_can_be_taken(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(prepare_module, "index_limits", lambda plan: {})
        features = np.full((10, 1), 2**63 - 1, np.uint64)
        (test,) = prepared(holding(features), indices_in(1, 20)).test.inputs
        assert test.tolist() == [[2**63 - 1]]
        features[5] += 1
        with pytest.raises(SourceError, match="row 5 holds the index 9223372036854775808"):
            prepared(holding(features), indices_in(1, 20))

    def test_the_smallest_embedding_on_an_input_limits_its_indices(self):
        plan = plan_of("""
  inputs: {words: 4, kinds: 4, table: 3}
  layers:
    - add:
        - [embedding: {num_embeddings: 30, embedding_dim: 2}]
        - [embedding: {num_embeddings: 20, embedding_dim: 2}]
        - {from: kinds, layers: [{reshape: [4]}, {embedding: {num_embeddings: 5, embedding_dim: 2}}]}
    - flatten
    - concat: [[], table]
""")
        assert index_limits(plan) == {"words": 20, "kinds": 5}

    def test_the_positions_of_a_sequence_are_no_indices_of_an_input(self):
        plan = plan_of("""
  input: 4
  layers: [embedding: {num_embeddings: 30, embedding_dim: 2}, position_embedding: 8, flatten]
""")
        assert index_limits(plan) == {"input": 30}


@pytest.mark.parametrize("shape", [(), (3,), (4, 3), (2, 3, 4), (1, 3, 4), (2, 1, 1)])
def test_rows_of_a_batch_are_those_rows_laid_out_as_all_are(shape: tuple[int, ...]) -> None:
    rows = torch.tensor([5, 0, 5, 2])
    layout = torch.channels_last if len(shape) == 3 else torch.contiguous_format
    x = torch.randn(7, *shape).to(memory_format=layout)
    batch = Batch((x,), {"target": torch.arange(7)})
    some, first = batch[rows], batch[:4]
    assert torch.equal(some.inputs[0], x[rows])
    assert some.inputs[0].stride() == first.inputs[0].stride() == x.stride()
    assert some.targets["target"].tolist() == rows.tolist()
    assert torch.equal(first.inputs[0], x[:4])
