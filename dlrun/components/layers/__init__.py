"""Layers: what stands in `model.layers`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from pydantic import Field, PlainValidator, TypeAdapter, WithJsonSchema

from dlrun.errors import Path
from dlrun.language.component import Component, OneOf, Settings
from dlrun.language.fields import OutputForm
from dlrun.language.messages import SettingProblem, as_validation_error
from dlrun.language.suggestions import shorten
from dlrun.shapes import Shape, ShapeError, Window, numel, product, show

if TYPE_CHECKING:
    import torch
    from torch import fx

Accepts = Literal["numbers", "indices", "any"]
Padding = Literal["per_step", "masked", "refused"]
"""What becomes of a sequence's padding: each step is computed apart from the others, so that it stays where it is; the
module is told which steps are real and looks at no other; or the layer cannot keep it out."""
Role = Literal["weight", "bias", "scale"]
"""What a weight does: a norm layer's factor is a scale; penalties leave biases and scales out unless asked."""

DrawnAs = Literal["linear", "norm", "activation", "pool", "merge", "recurrent", "attention", "noise", "shape"]
"""What a picture of the network shows a layer as."""

Name = Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_-]*|[0-9]+)$", max_length=60)]


class Layer(Component):
    """Takes a batch of samples of one shape to a batch of another; all shapes here are one sample's."""

    family: ClassVar[str] = "layers"
    accepts: ClassVar[Accepts] = "numbers"
    """What the values must be; a layer that accepts any gives what it got, every other gives numbers."""
    output_form: ClassVar[OutputForm] = ""
    """What the outputs are, where a loss must know: each between 0 and 1, or summing to 1 as well, or logs of such."""
    differentiable: ClassVar[bool] = True
    """False where the gradient is 0 everywhere, so that no weight before it can be trained."""

    sees_all: ClassVar[bool] = False
    """Whether each place of the output sees all of the input, even where no axis changes its size."""
    padding_is: ClassVar[Padding] = "refused"
    """How it treats sequences (T, ...) of which some steps are padding, unless `treats_padding` says otherwise."""
    second_inputs: ClassVar[tuple[str, ...]] = ()
    """The settings that name earlier layers whose outputs it takes as well. In every method below, and in the module's
    call, these follow the running value."""

    tied_by: ClassVar[str | None] = None
    """The setting that names an earlier layer whose weight this one uses as its own."""

    drawn_as: ClassVar[DrawnAs | None] = None
    """What a picture shows it as; None for what all layers of its room are shown as."""
    enlarges: ClassVar[bool] = False
    """Whether its stride makes axes longer, and not shorter."""

    name: Name | None = None
    """A name for this layer: in the tables, in weight names, in references; it begins with a letter."""

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of what comes out.

        Raises:
            ShapeError: the layer cannot take this input.
        """
        return shape

    def weights(self, shape: Shape) -> dict[str, Shape]:
        """The trained weights, by torch's names."""
        return {}

    def buffers(self, shape: Shape) -> dict[str, Shape]:
        """What is kept but not trained, such as moving statistics, by torch's names."""
        return {}

    def role(self, weight: str) -> Role:
        """What one of `weights` does."""
        return "bias" if "bias" in weight.rpartition(".")[2] else "weight"

    def macs(self, shape: Shape) -> int:
        """Multiply-adds for one sample; additions alone (a bias) do not count."""
        return 0

    def formulas(self, shape: Shape) -> list[str]:
        """The layer's own formulas with this input's numbers in them."""
        return []

    def activations(self, shape: Shape) -> int:
        """How many values one sample leaves in memory for the backward pass."""
        return numel(self.output_shape(shape))

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        """What a place of the output sees of the input, axis by axis of the output; None where it sees all there is.

        Unless a layer says otherwise, an axis that keeps its size is seen place by place, and any other as a whole.
        The statistics that a norm layer takes over an axis do not count.
        """
        output = self.output_shape(shape)
        if self.sees_all or len(output) != len(shape):
            return (None,) * len(output)
        return tuple(Window() if size == before else None for size, before in zip(output, shape, strict=True))

    def treats_padding(self, shape: Shape) -> Padding:
        """How it treats sequences of this shape of which some steps are padding.

        Where the module is told, it is called with `mask`, (N, T) and True where a step is real; for a second value
        with `memory_mask`.
        """
        return self.padding_is

    def called(self) -> str:
        """What it is called where it has no name: the first part of its automatic name, `linear` in `linear_2`."""
        return self.kind

    def padding_index(self) -> int | None:
        """The index that stands for padding in a sequence of indices; None where there is none."""
        return None

    def index_count(self) -> int | None:
        """How many indices it knows, from 0 on; None where it takes numbers."""
        return None

    def least_rows(self, shape: Shape, training: bool) -> int:
        """The fewest rows that a batch may have: 2 where statistics are taken over the rows alone."""
        return 1

    def build(self, shape: Shape) -> torch.nn.Module:
        """The module that computes it."""
        raise NotImplementedError


class WeightedLayer(Layer):
    """A layer with trained weights: they can be initialized and penalized."""

    init: Annotated[Component, OneOf("initializers")] | None = None
    """How the weights start; torch's own way for this layer unless given."""
    bias_init: Annotated[Component, OneOf("initializers")] | None = None
    """How the biases start; torch's own way for this layer unless given."""
    regularizers: tuple[Annotated[Component, OneOf("regularizers")], ...] = ()
    """Penalties on this layer's weights alone, added to the loss."""


def count_formula(weights: dict[str, Shape]) -> list[str]:
    """``weight 32*1*3*3 + bias 32 = 320``, or nothing without weights."""
    if not weights:
        return []
    total = sum(numel(shape) for shape in weights.values())
    return [" + ".join(f"{name} {product(shape)}" for name, shape in weights.items()) + f" = {total}"]


AnyLayer = Annotated[Component, OneOf("layers")]
Layers = tuple[AnyLayer, ...]


class From(Settings):
    """A branch that starts somewhere else than at the running value."""

    source: str = Field(alias="from")
    """The name of an earlier layer, whose output the branch starts from."""
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
        [SettingProblem(what, (), "put the branch's layers in square brackets, one list a branch")]
    )


Branch = Annotated[
    Layers | str | From,
    PlainValidator(_read_branch),
    WithJsonSchema({"$ref": "#/$defs/branch"}),
]


class Wiring(Protocol):
    """What a container may ask of the plan while it is laid out. A value is the number of the step that makes it."""

    def chain(self, layers: Layers, value: int, path: Path, label: str = "") -> int:
        """Lay layers out one after another; `label` says what they are where they stand beside others."""
        ...

    def branch(self, branch: Layers | str | From, value: int, path: Path) -> int:
        """Lay a branch out, from the running value or from where it says."""
        ...

    def merge(self, layer: Merging, values: list[int], path: Path) -> int:
        """Add the step in which `layer` makes one value of several."""
        ...

    def reuse(self, layer: Layer, name: str, value: int, path: Path) -> int:
        """Apply the layer called `name` once more, with the same weights."""
        ...


class Container(Layer):
    """A layer made of layers."""

    accepts: ClassVar[Accepts] = "any"
    layer_lists: ClassVar[tuple[str, ...]] = ("layers",)
    """The settings that hold a list of layers."""
    branch_lists: ClassVar[tuple[str, ...]] = ()
    """The settings that hold a list of branches."""

    def wire(self, wiring: Wiring, value: int, path: Path) -> int:
        """Lay the inner layers out on the running value; gives the value that comes out."""
        raise NotImplementedError


class Merging(Container):
    """A container whose last act is to make one value of several."""

    def merged_shape(self, shapes: list[Shape]) -> Shape:
        """The shape of the one value.

        Raises:
            ShapeError: the values do not fit together.
        """
        raise NotImplementedError

    def merge_formulas(self, shapes: list[Shape]) -> list[str]:
        """How the one shape comes of the several."""
        return []

    def emit(self, graph: fx.Graph, values: list[fx.Node], shapes: list[Shape]) -> fx.Node:
        """Write the joining into the graph."""
        raise NotImplementedError


class BranchMerge(Merging):
    """Runs every branch on the running value and merges what they give."""

    main: ClassVar[str | None] = "branches"
    layer_lists: ClassVar[tuple[str, ...]] = ()
    branch_lists: ClassVar[tuple[str, ...]] = ("branches",)

    branches: Annotated[tuple[Branch, ...], Field(min_length=1)]
    """The branches: each a list of layers (`[]` is the running value itself), the name of an earlier layer, or
    `{from: name, layers: [...]}`."""

    def wire(self, wiring: Wiring, value: int, path: Path) -> int:
        values = [wiring.branch(b, value, (*path, "branches", i)) for i, b in enumerate(self.branches)]
        return wiring.merge(self, values, path)


class Elementwise(BranchMerge):
    """A merge of values of one shape, number by number; an axis of size 1 is stretched, as torch broadcasts it."""

    def merged_shape(self, shapes: list[Shape]) -> Shape:
        merged = shapes[0]
        for shape in shapes[1:]:
            fits = len(shape) == len(merged) and all(a == b or 1 in (a, b) for a, b in zip(shape, merged, strict=True))
            if not fits:
                raise ShapeError(f"the branches give {' and '.join(map(show, shapes))}, which do not fit together")
            merged = tuple(b if a == 1 else a for a, b in zip(shape, merged, strict=True))
        return merged

    def merge_formulas(self, shapes: list[Shape]) -> list[str]:
        return [f"out = {' , '.join(map(show, shapes))} -> {show(self.merged_shape(shapes))}"]

    def fold(self, graph: fx.Graph, values: list[fx.Node], function: Callable[..., Any]) -> fx.Node:
        """Write a chain of calls of a function of two values."""
        return functools.reduce(lambda a, b: graph.call_function(function, (a, b)), values)
