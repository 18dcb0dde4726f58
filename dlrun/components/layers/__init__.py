"""Layers: the components that `model.layers` lists."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from pydantic import Field, PlainValidator, TypeAdapter, WithJsonSchema

from dlrun.errors import SpecPath
from dlrun.language.component import Component, OneOf, Settings
from dlrun.language.fields import OutputForm
from dlrun.language.messages import SettingProblem, as_validation_error
from dlrun.language.suggestions import shorten
from dlrun.shapes import EVERY, Range, Shape, ShapeError, Window, numel, product, show

if TYPE_CHECKING:
    import torch
    from torch import fx

Accepts = Literal["numbers", "indices", "any"]
Padding = Literal["per_step", "masked", "refused"]
"""How a layer treats a sequence's padding. per_step: each step is computed apart from the others, so padding stays in
its place; masked: the module receives a mask and ignores the padding; refused: padding would change the other steps."""
Role = Literal["weight", "bias", "scale"]
"""What a weight does: a norm layer's factor is a scale; penalties leave out biases and scales by default."""

ChannelAxis = Literal["", "first", "last"]
DrawnAs = Literal["linear", "norm", "activation", "pool", "merge", "recurrent", "attention", "noise", "shape"]
"""The symbol of a layer in a picture of the network."""

Name = Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_-]*|[0-9]+)$", max_length=60)]


class Layer(Component):
    """Maps a batch of samples of one shape to a batch of another; all shapes here are those of one sample."""

    family: ClassVar[str] = "layers"
    accepts: ClassVar[Accepts] = "numbers"
    """What the input's values must be. A layer that accepts any returns the same kind of values; every other returns
    numbers."""
    output_form: ClassVar[OutputForm] = ""
    """What the outputs are, where a loss must know: between 0 and 1, or also summing to 1, or logarithms of these."""
    channel_axis: ClassVar[ChannelAxis] = ""
    """Which axis of a sample it takes for the channels or features; '' where all axes are alike."""
    logit_slope: ClassVar[float | None] = None
    """For a layer that is the sigmoid of its input times a number: that number. A loss on probabilities is computed
    from the logit, which does not round to 0 or 1."""
    differentiable: ClassVar[bool] = True
    """False where the gradient is 0 everywhere, so no weight before it can be trained."""

    keeps_range: ClassVar[bool] = False
    """Whether each output is a number of the input, or a mean of some, so that it lies within their range."""
    sees_all: ClassVar[bool] = False
    """Whether each position of the output depends on the whole input, even where no axis changes its size."""
    padding_is: ClassVar[Padding] = "refused"
    """How it treats sequences (T, ...) of which some steps are padding; `treats_padding` may depend on the shape."""
    second_inputs: ClassVar[tuple[str, ...]] = ()
    """The settings that name earlier layers whose outputs are further inputs. In every method below, and in the
    module's call, they follow the output of the layer before."""

    tied_by: ClassVar[str | None] = None
    """The setting that names an earlier layer whose weight this one uses as its own."""

    drawn_as: ClassVar[DrawnAs | None] = None
    """Its symbol in a picture; None: the symbol of its folder."""
    enlarges: ClassVar[bool] = False
    """Whether its stride makes axes longer instead of shorter."""

    name: Name | None = None
    """A name for this layer, used in tables, in weight names and in references; it begins with a letter."""

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of the output.

        Raises:
            ShapeError: the layer cannot take this input.
        """
        return shape

    def weights(self, shape: Shape) -> dict[str, Shape]:
        """The trained weights, under torch's names."""
        return {}

    def buffers(self, shape: Shape) -> dict[str, Shape]:
        """Tensors that are saved but not trained, such as moving statistics, under torch's names."""
        return {}

    def role(self, weight: str) -> Role:
        """What one of `weights` does."""
        return "bias" if "bias" in weight.rpartition(".")[2] else "weight"

    def output_range(self, taken: Range) -> Range:
        """The range of the outputs, in training and in evaluation, where the inputs have the range `taken`."""
        return taken if self.keeps_range or self.accepts == "any" else EVERY

    def farthest(self, *shapes: Shape) -> float:
        """No output is farther from 0 than this, whatever the inputs of these shapes are."""
        return math.inf

    def total(self, *shapes: Shape) -> float | None:
        """The sum of all outputs of a sample, where it is the same for every input of these shapes."""
        return None

    def normalizes(self, *shapes: Shape) -> int | None:
        """How many numbers of a sample get mean 0 and variance 1 together; None where none do. One number alone would
        always become 0, and two numbers 1 and -1."""
        return None

    def steps_read(self, *shapes: Shape) -> int | None:
        """How many steps of a sequence it relates to one another; None where it relates none. What it learns for that
        has no effect on a single step."""
        return None

    def macs(self, shape: Shape) -> int:
        """Multiply-adds for one sample; additions without a product (a bias) do not count."""
        return 0

    def formulas(self, shape: Shape) -> list[str]:
        """The layer's formulas with the numbers of this input."""
        return []

    def activations(self, shape: Shape) -> int:
        """How many values of one sample are kept in memory for the backward pass."""
        return numel(self.output_shape(shape))

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        """The part of the input that a position of the output depends on, for each axis of the output; None: all of it.

        By default an axis that keeps its size is read position by position, and any other as a whole.
        The statistics that a norm layer computes over an axis do not count.
        """
        output = self.output_shape(shape)
        if self.sees_all or len(output) != len(shape):
            return (None,) * len(output)
        return tuple(Window() if size == before else None for size, before in zip(output, shape, strict=True))

    def treats_padding(self, shape: Shape) -> Padding:
        """How it treats sequences of this shape of which some steps are padding.

        Where it is `masked`, the module is called with `mask`, (N, T) and True where a step is real; the mask of a
        second input is `memory_mask`.
        """
        return self.padding_is

    def called(self) -> str:
        """What it is called where it has no name: the first part of its automatic name, `linear` in `linear_2`."""
        return self.kind

    def by_unit(self, weight: torch.Tensor) -> list[torch.Tensor]:
        """One of `weights`, or views of its parts, with the output units as the first axis, as torch has it for all
        layers but transposed convolutions. In a stack of gates, each gate of each unit counts as one."""
        return [weight]

    def padding_index(self) -> int | None:
        """The index that stands for padding in a sequence of indices; None where there is none."""
        return None

    def index_count(self) -> int | None:
        """How many indices it knows, from 0 on; None where it takes numbers."""
        return None

    def least_rows(self, shape: Shape, training: bool) -> int:
        """The fewest rows that a batch may have: 2 where statistics are taken over the rows alone."""
        return 1

    def same_in_training(self) -> bool:
        """Whether training computes what evaluation computes: each row by itself, without drawing random numbers and
        without statistics that move."""
        return True

    def build(self, shape: Shape) -> torch.nn.Module:
        """The module that computes it."""
        raise NotImplementedError

    def build_changing(self, held: Mapping[str, torch.Tensor]) -> torch.nn.Module:
        """The module of a layer with numbers that change, which it reads from tensors: each name of `changeable` has
        one. A step that was captured reads them too."""
        raise NotImplementedError


class WeightedLayer(Layer):
    """A layer with trained weights: they can be initialized and penalized."""

    init: Annotated[Component, OneOf("initializers")] | None = None
    """The first values of the weights; if not given, torch's default for this layer."""
    bias_init: Annotated[Component, OneOf("initializers")] | None = None
    """The first values of the biases; if not given, torch's default for this layer."""
    regularizers: tuple[Annotated[Component, OneOf("regularizers")], ...] = ()
    """Penalties on the weights of this layer only, added to the loss."""
    constraints: tuple[Annotated[Component, OneOf("constraints")], ...] = ()
    """Bounds on the weights of this layer only, applied after every step, in order."""


def count_formula(weights: dict[str, Shape]) -> list[str]:
    """``weight 32*1*3*3 + bias 32 = 320``, or nothing without weights."""
    if not weights:
        return []
    total = sum(numel(shape) for shape in weights.values())
    return [" + ".join(f"{name} {product(shape)}" for name, shape in weights.items()) + f" = {total}"]


AnyLayer = Annotated[Component, OneOf("layers")]
Layers = tuple[AnyLayer, ...]


class From(Settings):
    """A branch that starts from a named layer instead of from the layer before."""

    source: str = Field(alias="from")
    """The name of the earlier layer whose output the branch starts from."""
    layers: Layers = ()
    """The layers of the branch."""


@functools.cache
def _layers_adapter() -> TypeAdapter[Layers]:
    return TypeAdapter(Layers)


def _read_branch(value: Any) -> Layers | str | From:
    if isinstance(value, str | From):
        return value
    if isinstance(value, tuple):
        return _layers_adapter().validate_python(value)
    if isinstance(value, dict) and value.keys() <= {"from", "layers"}:
        return From.read(value)
    what = "a branch is a list of layers, the name of an earlier layer, or {from: name, layers: […]}"
    what += f"; received {shorten(value)}"
    raise as_validation_error(
        [SettingProblem(what, (), "put the layers of each branch in square brackets: one list for each branch")]
    )


Branch = Annotated[
    Layers | str | From,
    PlainValidator(_read_branch),
    WithJsonSchema({"$ref": "#/$defs/branch"}),
]


class Wiring(Protocol):
    """What a container may call while the plan lists its steps. A value is the number of the step that computes it."""

    def chain(self, layers: Layers, value: int, path: SpecPath, label: str = "") -> int:
        """Add layers one after another; `label` names them where they are one of several chains."""
        ...

    def branch(self, branch: Layers | str | From, value: int, path: SpecPath) -> int:
        """Add a branch, starting from `value` or from the layer that the branch names."""
        ...

    def merge(self, layer: Merging, values: list[int], path: SpecPath) -> int:
        """Add the step in which `layer` merges several values into one."""
        ...

    def reuse(self, layer: Layer, name: str, value: int, path: SpecPath) -> int:
        """Apply the layer called `name` again, with the same weights."""
        ...


class Container(Layer):
    """A layer made of layers."""

    accepts: ClassVar[Accepts] = "any"
    layer_lists: ClassVar[tuple[str, ...]] = ("layers",)
    """The settings that hold a list of layers."""
    branch_lists: ClassVar[tuple[str, ...]] = ()
    """The settings that hold a list of branches."""
    unrolled: ClassVar[bool] = False
    """Whether the reader of a spec writes its `layers` out `times` times; `counter` names the number of each time."""

    def wire(self, wiring: Wiring, value: int, path: SpecPath) -> int:
        """Add the steps of the inner layers, starting from `value`; returns the value of the output."""
        raise NotImplementedError


class Merging(Container):
    """A container whose last step merges several values into one."""

    def merged_shape(self, shapes: list[Shape]) -> Shape:
        """The shape of the merged value.

        Raises:
            ShapeError: the values cannot be merged.
        """
        raise NotImplementedError

    def merged_range(self, ranges: list[Range]) -> Range:
        """The range of the merged value."""
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def merge_formulas(self, shapes: list[Shape]) -> list[str]:
        """How the merged shape follows from the others."""
        return []

    def emit(self, graph: fx.Graph, values: list[fx.Node], shapes: list[Shape]) -> fx.Node:
        """Write the merge into the graph."""
        raise NotImplementedError


class BranchMerge(Merging):
    """Applies every branch to the input and merges their outputs."""

    main: ClassVar[str | None] = "branches"
    layer_lists: ClassVar[tuple[str, ...]] = ()
    branch_lists: ClassVar[tuple[str, ...]] = ("branches",)

    branches: Annotated[tuple[Branch, ...], Field(min_length=1)]
    """The branches: each is a list of layers (`[]` is the input itself), the name of an earlier layer, or
    `{from: name, layers: [...]}`."""

    def wire(self, wiring: Wiring, value: int, path: SpecPath) -> int:
        values = [wiring.branch(b, value, (*path, "branches", i)) for i, b in enumerate(self.branches)]
        return wiring.merge(self, values, path)


class Elementwise(BranchMerge):
    """A merge of values of one shape, element by element; an axis of size 1 is broadcast, as in torch."""

    def merged_shape(self, shapes: list[Shape]) -> Shape:
        merged = shapes[0]
        for shape in shapes[1:]:
            fits = len(shape) == len(merged) and all(a == b or 1 in (a, b) for a, b in zip(shape, merged, strict=True))
            if not fits:
                raise ShapeError(
                    f"the branches output {' and '.join(map(show, shapes))}; these shapes cannot be merged"
                )
            merged = tuple(b if a == 1 else a for a, b in zip(shape, merged, strict=True))
        return merged

    def merge_formulas(self, shapes: list[Shape]) -> list[str]:
        return [f"out = {' , '.join(map(show, shapes))} -> {show(self.merged_shape(shapes))}"]

    def fold(self, graph: fx.Graph, values: list[fx.Node], function: Callable[..., Any]) -> fx.Node:
        """Write a chain of calls of a function that takes two values."""
        return functools.reduce(lambda a, b: graph.call_function(function, (a, b)), values)
