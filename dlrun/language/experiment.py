"""The root of the language: the sections of a spec and their settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from dlrun.language.component import (
    AloneOrNested,
    AutoOrSome,
    Component,
    Nested,
    OneOf,
    OneOrByWeight,
    Settings,
    SomeOf,
)
from dlrun.language.durations import Duration, DurationField, Interval, IntervalField, PositiveDuration
from dlrun.language.fields import (
    BatchSize,
    Identifier,
    Names,
    NamesByName,
    NonNegative,
    Positive,
    PositiveFloat,
    SampleShape,
)
from dlrun.language.notes import NoteName
from dlrun.language.paths import FilePath
from dlrun.language.split import Split
from dlrun.language.start_weights import RunOrFile, StartWeights

INPUT, TARGET = "input", "target"
"""The name of an input, or of a target, that is the only one and has no name of its own."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class DataSection(Settings):
    """Where the rows come from, how they are split, and how they are prepared."""

    source: Annotated[Component, OneOf("sources")]
    """Where the rows come from."""
    features: NamesByName | None = None
    """The columns or arrays of the source to learn from, by name or by pattern (`*`, `?`); all but the target and the
    columns of the split unless given. For a network with several inputs, those of each by name:
    `{image: pixels, table: [age, height]}`."""
    target: NamesByName | None = None
    """The column or array of the source to predict; several for several numbers. For a network with several
    outputs, that of each by name: `{digit: label, parity: odd}`; one without a name is for all outputs."""
    split: Annotated[Split, Nested()] = Split.model_construct()
    """How the rows are divided."""
    preprocess: tuple[Annotated[Component, OneOf("preprocess")], ...] = ()
    """Steps in order, each fitted on the training rows only."""
    target_preprocess: tuple[Annotated[Component, OneOf("preprocess")], ...] = ()
    """Steps for every target of numbers, in order, fitted on the training rows only: `standardize` or `minmax`. The
    loss is computed in their units; metrics and predictions are in the units of the data."""
    augment: tuple[Annotated[Component, OneOf("augment")], ...] = ()
    """Random changes of the training rows, in order, drawn again in every epoch; they come after the preprocessing."""


class Freeze(Settings):
    """Weights that are trained later than the others."""

    names: Names
    """Patterns (`*` and `?`) of names of layers, weights and moving statistics."""
    until: PositiveDuration
    """How long they stay as they are: `5 epochs`, `500 steps`. Then they are trained too."""


class ModelSection(Settings):
    """The network."""

    input: SampleShape | None = None
    """The shape of one sample, without the batch; taken from the data unless given."""
    inputs: Annotated[dict[Identifier, SampleShape], Field(min_length=1)] | None = None
    """In place of `input`, for several inputs: the shape of each by name. The layers start from the first; the layer
    `input: name` starts from another one."""
    outputs: Names | None = None
    """The names of the layers whose outputs are the network's outputs; only the last layer's unless given."""
    layers: Annotated[tuple[Annotated[Component, OneOf("layers")], ...], Field(min_length=1)]
    """The layers; each takes the output of the one before."""
    init: Annotated[Component | dict[str, Component], OneOrByWeight("initializers")] | None = None
    """The initial weights of each layer without an `init` of its own; torch's default for the layer unless given. One
    initializer for all, or one for each kind of layer or pattern (`*` and `?`) of weights, of which the first that fits
    a weight fills it: `{linear: xavier_uniform, "*.weight_hh*": orthogonal}`."""
    bias_init: Annotated[Component, OneOf("initializers")] | None = None
    """The initial biases of each layer without a `bias_init` of its own; torch's default for the layer unless given."""
    weights: Annotated[RunOrFile | StartWeights, AloneOrNested()] | None = None
    """Where the initial weights come from: a run's folder or name, or a file of weights; or a mapping, which says which
    of them to take, and by which names. Names and shapes must match."""
    names: Annotated[dict[str, FilePath], Field(min_length=1)] | None = None
    """What the weights are called elsewhere, for `rename` in `weights`: `{torchvision: FILE}`, where the YAML file has
    the other names, each with the name here."""
    freeze: Annotated[Names | Freeze, AloneOrNested()] | None = None
    """Patterns (`*` and `?`) of names; the layers, weights and moving statistics with such names are not trained. A
    layer whose statistics are frozen computes as in evaluation. A mapping says until when:
    `{names: "trunk*", until: 5 epochs}`."""

    @property
    def frozen(self) -> tuple[str, ...]:
        """The patterns of `freeze`."""
        return self.freeze.names if isinstance(self.freeze, Freeze) else self.freeze or ()

    @property
    def frozen_until(self) -> Duration | None:
        """How long they are frozen; None for the whole training."""
        return self.freeze.until if isinstance(self.freeze, Freeze) else None

    @property
    def start(self) -> StartWeights | None:
        """What `weights` says, also where it is a path alone."""
        return StartWeights.read({"from": self.weights}) if isinstance(self.weights, str) else self.weights


class EarlyStopping(Settings):
    """Stop when validation no longer improves, and restore the best weights."""

    monitor: str = "validation/loss"
    """The value to watch: `validation/loss`, or `validation/` and a metric of the spec."""
    patience: Positive = 5
    """How many epochs in a row may pass without improvement."""
    min_delta: NonNegative = 0.0
    """Only a change larger than this counts as an improvement."""
    start_after: DurationField = Duration(0, "epochs")
    """Epochs that end until this time, such as `10 epochs`, do not count as epochs without improvement."""
    then: Literal["refit"] | None = None
    """What follows: `refit` trains again, from the start, on the training and the validation rows, for as many steps as
    were best."""


class Best(Settings):
    """Which epoch's weights are the best, where there is no early stopping."""

    monitor: str = "validation/loss"
    """The value that decides: `validation/loss`, or `validation/` and a metric of the spec."""


class Checkpoint(Settings):
    """The saved state from which an interrupted run is resumed."""

    every: IntervalField = Interval(seconds=300)
    """How often a checkpoint is saved: `1 epoch`, `500 steps`, `10 minutes`. One is always saved at the end, and when a
    run is asked to stop."""
    keep: Annotated[int, Field(ge=2)] = 2
    """How many of the last checkpoints stay on the disk, besides the newest one of the best weights."""


class TrainSection(Settings):
    """How long to train, in batches of what size, and on which device."""

    epochs: Positive | None = None
    """Passes over the training rows; 10 unless epochs or steps are given."""
    steps: Positive | None = None
    """Optimizer steps, in place of epochs."""
    batch_size: BatchSize = 32
    """Rows in each batch; `full` is all training rows at once (batch gradient descent), 1 is one at a time."""
    accumulate: Positive = 1
    """Batches in each step: the optimizer moves the weights by the mean gradient over the rows of all of them."""
    drop_last: bool = False
    """Leave out an epoch's last batch when it is smaller than the others."""
    early_stopping: Annotated[EarlyStopping, Nested()] | None = None
    """Stop when validation no longer improves."""
    best: Annotated[Best, Nested()] | None = None
    """Which epoch's weights are kept as the best and tested, where there is no early stopping; those with the best
    `validation/loss` unless given."""
    checkpoint: Annotated[Checkpoint, Nested()] = Checkpoint.model_construct()
    """How often the state of the training is saved."""
    clip_grad_norm: PositiveFloat | None = None
    """Scale the gradients down when their norm over all weights is larger than this."""
    clip_grad_value: PositiveFloat | None = None
    """Bring each number of the gradients into the range from minus this to this, before `clip_grad_norm`."""
    average: Annotated[Component, OneOf("averages")] | None = None
    """A moving average of the weights, which is measured, kept and tested in place of the weights."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto uses a GPU if there is one."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """How exactly the network computes. tf32 (GPUs only) rounds the factors of each product to a mantissa of 10 bits;
    bfloat16 computes products, and what follows from them, in 16 bits with a mantissa of 7 bits. Weights and losses
    stay float32."""

    @property
    def refits(self) -> bool:
        """Whether a refit follows the training."""
        return self.early_stopping is not None and self.early_stopping.then == "refit"


class Experiment(Settings):
    """A whole spec, checked. Sections that a spec may leave out are None or empty."""

    name: Name = "experiment"
    """The name of the run and of its MLflow experiment, at most 100 of a-z, A-Z, 0-9, `.`, `_` and `-`, a letter or a
    digit first; the file's name unless given."""
    description: str = ""
    """A sentence or two for people who compare runs."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Decides every random choice: the split, the initial weights, the order of the rows, dropout."""
    data: Annotated[DataSection, Nested()] | None = None
    """Where the rows come from, how they are split, and how they are prepared."""
    model: Annotated[ModelSection, Nested()] | None = None
    """The network."""
    loss: Annotated[Component | tuple[Component, ...], SomeOf("losses")] | None = None
    """What is minimised; for a list, the sum of the losses, each times its `coefficient`."""
    metrics: tuple[Annotated[Component, OneOf("metrics")], ...] = ()
    """What is measured besides the loss."""
    regularizers: tuple[Annotated[Component, OneOf("regularizers")], ...] = ()
    """Penalties on all weights, or on those whose names match a pattern, added to the loss."""
    constraints: tuple[Annotated[Component, OneOf("constraints")], ...] = ()
    """Bounds on all weights, or on those whose names match a pattern, applied at the start and after every step, in
    order."""
    optimizer: Annotated[Component | tuple[Component, ...], SomeOf("optimizers")] | None = None
    """How the weights are updated from the gradients; in a list, a weight is moved by the first one whose `weights`
    name it."""
    schedule: Annotated[Component | tuple[Component, ...], SomeOf("schedules")] | None = None
    """How numbers change over the training; in a list, each schedule says by `of` which. Those of optimizers are those
    of each without a `schedule` of its own. All stay as they are unless given."""
    train: Annotated[TrainSection, Nested()] = TrainSection.model_construct()
    """How long to train, in batches of what size, and on which device."""
    baselines: Annotated[Literal["auto"] | tuple[Component, ...], AutoOrSome("baselines")] = "auto"
    """Simpler methods that are fitted after the training and compared with the network; `auto` chooses those that suit
    a table of numbers, and none for images and indices."""
    decision: Annotated[Component | tuple[Component, ...], SomeOf("decisions")] | None = None
    """How the probabilities of classes become one class for each row; the most probable class unless given. In a list,
    each decision is for an `output` of its own."""
    allow: tuple[NoteName, ...] = ()
    """The notes that are not shown, by name: what they report is meant."""
    tracking: Annotated[Component, OneOf("trackers")] | None = None
    """Where the metrics are sent, besides the run's own folder; MLflow's SQLite store under runs/ unless given."""

    @property
    def losses(self) -> tuple[Any, ...]:
        """The losses whose sum is minimised."""
        return as_tuple(self.loss)

    @property
    def optimizers(self) -> tuple[Any, ...]:
        """The optimizers, in the order in which they choose their weights."""
        return as_tuple(self.optimizer)

    def need(self, section: str) -> Any:
        """A section that is there because the spec was checked for training."""
        value = getattr(self, section)
        assert value is not None, section
        return value


def as_tuple(chosen: Component | tuple[Component, ...] | None) -> tuple[Any, ...]:
    """One component or a list of them, as a tuple."""
    return chosen if isinstance(chosen, tuple) else () if chosen is None else (chosen,)


NEEDED_WITH_DATA = ("model", "loss", "optimizer")
"""The sections that a spec with `data` needs as well."""
WRITTEN_ONLY = ("extends", "vars", "blocks")
"""The other keys that a file may have; expansion removes them."""
