"""The root of the language: what a spec may say, section by section."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from dlrun.language.component import Component, Nested, OneOf, Settings, SomeOf
from dlrun.language.durations import Interval, IntervalField
from dlrun.language.fields import (
    BatchSize,
    Count,
    Identifier,
    Names,
    NamesByName,
    NonNegative,
    Positive,
    PositiveFloat,
    SampleShape,
)

INPUT, TARGET = "input", "target"
"""The name of an input, or of a target, that is the only one and has no name of its own."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class Split(Settings):
    """How the rows are divided: first the test and validation rows are drawn, what remains is trained on."""

    validation: Annotated[float, Field(ge=0, lt=1)] = 0.15
    """Share of the rows for choosing: early stopping and the best weights. 0: no validation."""
    test: Annotated[float, Field(ge=0, lt=1)] = 0.15
    """Share of the rows for the one measurement at the end. 0: no test."""
    stratify: bool = False
    """Keep the share of every class the same in each split."""
    seed: Count | None = None
    """Decides which rows go where; the experiment's seed unless given."""


class DataSection(Settings):
    """Where the rows come from, how they are split, and what is done to them first."""

    source: Annotated[Component, OneOf("sources")]
    """Where the rows come from."""
    features: NamesByName | None = None
    """The columns (csv) or the array (npz) to learn from; csv: every column but the target unless given. For a network
    with several inputs, those of each: `{image: pixels, table: [age, height]}`."""
    target: NamesByName | None = None
    """The column (csv) or array (npz) to predict; several columns for several numbers. For a network with several
    outputs, that of each: `{digit: label, parity: odd}`; one alone is for all of them."""
    split: Annotated[Split, Nested()] = Split.model_construct()
    """How the rows are divided."""
    preprocess: tuple[Annotated[Component, OneOf("preprocess")], ...] = ()
    """Steps in order, each fitted on the training rows alone."""
    augment: tuple[Annotated[Component, OneOf("augment")], ...] = ()
    """Random changes of the training rows, new in every epoch, in order, after the preprocessing."""


class ModelSection(Settings):
    """The network."""

    input: SampleShape | None = None
    """The shape of one sample, without the batch; the data's own unless given."""
    inputs: Annotated[dict[Identifier, SampleShape], Field(min_length=1)] | None = None
    """In place of `input`, where there are several: the shape of each by name. The layers begin on the first; `input:
    name` goes on from another."""
    outputs: Names | None = None
    """The layers whose outputs are the network's, by name; the last layer's alone unless given."""
    layers: Annotated[tuple[Annotated[Component, OneOf("layers")], ...], Field(min_length=1)]
    """The layers; each takes the output of the one before."""
    init: Annotated[Component, OneOf("initializers")] | None = None
    """How all weights start whose layer does not say; torch's own way for each layer unless given."""
    bias_init: Annotated[Component, OneOf("initializers")] | None = None
    """How all biases start whose layer does not say; torch's own way for each layer unless given."""
    weights: str | None = None
    """A safetensors file to start from, such as another run's `best.safetensors`; names and shapes must agree."""
    freeze: Names | None = None
    """Patterns (`*` and `?`) of layer or weight names that are not trained."""


class EarlyStopping(Settings):
    """Stop when validation no longer improves, and take the best weights back."""

    monitor: str = "validation/loss"
    """The figure to watch, `validation/loss` or `validation/` and a metric of the spec."""
    patience: Positive = 5
    """How many epochs in a row may pass without improvement."""
    min_delta: NonNegative = 0.0
    """How much better counts as better."""


class Checkpoint(Settings):
    """What a run that was interrupted goes on from."""

    every: IntervalField = Interval(seconds=300)
    """How often one is written: `1 epoch`, `500 steps`, `10 minutes`; at the end, and when a run is asked to end, there
    is one anyway."""


class TrainSection(Settings):
    """How long and in what portions to train."""

    epochs: Positive | None = None
    """Passes over the training rows; 10 unless epochs or steps are given."""
    steps: Positive | None = None
    """Optimizer steps, in place of epochs."""
    batch_size: BatchSize = 32
    """Rows a step; `full` is all training rows at once (batch gradient descent), 1 is one at a time."""
    drop_last: bool = False
    """Leave out an epoch's last batch when it is smaller than the others."""
    early_stopping: Annotated[EarlyStopping, Nested()] | None = None
    """Stop when validation no longer improves."""
    checkpoint: Annotated[Checkpoint, Nested()] = Checkpoint.model_construct()
    """How often the training is kept."""
    clip_grad_norm: PositiveFloat | None = None
    """Scale the gradients down when their norm over all weights is larger than this."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU where there is one."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """How exactly the network computes. tf32 (GPUs only) rounds what goes into a product to 10 bits behind the point;
    bfloat16 holds products, and what comes of them, in half the width, with 7. Weights and losses stay float32."""


class Experiment(Settings):
    """A whole spec, checked. Sections that a spec may leave out are None or empty."""

    name: Name = "experiment"
    """What the run and its MLflow experiment are called; the file's name unless given."""
    description: str = ""
    """A sentence or two for whoever compares the runs."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Decides every random choice: the split, the first weights, the order of rows, dropout."""
    data: Annotated[DataSection, Nested()] | None = None
    """Where the rows come from and what is done to them first."""
    model: Annotated[ModelSection, Nested()] | None = None
    """The network."""
    loss: Annotated[Component | tuple[Component, ...], SomeOf("losses")] | None = None
    """What is minimised; of a list the sum, each loss times its `coefficient`."""
    metrics: tuple[Annotated[Component, OneOf("metrics")], ...] = ()
    """What is watched."""
    regularizers: tuple[Annotated[Component, OneOf("regularizers")], ...] = ()
    """Penalties on all weights, or on those whose names fit a pattern, added to the loss."""
    optimizer: Annotated[Component, OneOf("optimizers")] | None = None
    """How the gradients move the weights."""
    schedule: Annotated[Component, OneOf("schedules")] | None = None
    """How the learning rate changes; constant unless given."""
    train: Annotated[TrainSection, Nested()] = TrainSection.model_construct()
    """How long and in what portions to train."""
    tracking: Annotated[Component, OneOf("trackers")] | None = None
    """Where the figures go besides the run's own folder; MLflow's SQLite store under runs/ unless given."""

    @property
    def losses(self) -> tuple[Any, ...]:
        """The losses whose sum is minimised."""
        return as_tuple(self.loss)

    def need(self, section: str) -> Any:
        """A section that is there because the spec was checked for training."""
        value = getattr(self, section)
        assert value is not None, section
        return value


def as_tuple(chosen: Component | tuple[Component, ...] | None) -> tuple[Any, ...]:
    """What was chosen where one component or a list of them may stand."""
    return chosen if isinstance(chosen, tuple) else () if chosen is None else (chosen,)


NEEDED_WITH_DATA = ("model", "loss", "optimizer")
"""The sections that a spec with `data` needs as well."""
WRITTEN_ONLY = ("extends", "vars", "blocks")
"""What a file may say besides the sections; gone once it is expanded."""
