"""The parts of a plan: steps in order of computation, and the groups that contain them."""

from __future__ import annotations

from dataclasses import dataclass, field

from dlrun.components.layers import Container, Layer, Merging, count_formula
from dlrun.errors import Place
from dlrun.shapes import Shape, numel


@dataclass(frozen=True, slots=True)
class Mask:
    """Which steps of a sequence are real: those whose index is not the padding's."""

    indices: int
    """The step that gives the indices (T,)."""
    padding: int
    """The index that stands for padding."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step of the network: a layer on one value, or a joining of several. Steps are in order of computation."""

    name: str
    """The path to the layer; its module and weights are called after it."""
    layer: Layer | None
    """None for the input."""
    inputs: tuple[int, ...]
    """The steps whose values it takes."""
    input_shapes: tuple[Shape, ...]
    output: Shape
    place: Place | None
    indices: bool | None
    """Whether the output is indices; None where nothing has decided yet what the input is."""
    weights: dict[str, Shape] = field(default_factory=dict)
    buffers: dict[str, Shape] = field(default_factory=dict)
    tied: dict[str, str] = field(default_factory=dict)
    """Weights that are another step's: their names here, and their full names there. `weights` has the others."""
    masks: tuple[Mask | None, ...] = ()
    """For a module that must keep padding out: the mask of each input."""
    shared: bool = False
    """True where an earlier step of the same name has the weights."""

    @property
    def kind(self) -> str:
        """The layer's kind, or `input`."""
        return self.layer.kind if self.layer else "input"

    @property
    def params(self) -> int:
        """How many weights the step has of its own."""
        return 0 if self.shared else sum(numel(shape) for shape in self.weights.values())

    @property
    def computed_with(self) -> set[str]:
        """The full names of the weights that it computes with, its own and those of other steps."""
        return {*(f"{self.name}.{weight}" for weight in self.weights), *self.tied.values()}

    @property
    def macs(self) -> int:
        """Multiply-adds for one sample."""
        if self.layer is None or isinstance(self.layer, Container):
            return 0
        return self.layer.macs(*self.input_shapes)

    def least_rows(self, training: bool) -> int:
        """The fewest rows that a batch may have."""
        return self.layer.least_rows(self.input_shapes[0], training) if self.layer else 1

    @property
    def formula(self) -> list[str]:
        """The formulas for the step's numbers."""
        if self.layer is None:
            return []
        if isinstance(self.layer, Merging):
            return self.layer.merge_formulas(list(self.input_shapes))
        tied = [f"{own} is that of {other}" for own, other in self.tied.items()]
        return [*self.layer.formulas(*self.input_shapes), *count_formula(self.weights), *tied]

    @property
    def activations(self) -> int:
        """How many values one sample leaves in memory for the backward pass."""
        if self.layer is None or isinstance(self.layer, Container):
            return numel(self.output)
        return self.layer.activations(*self.input_shapes)


@dataclass(frozen=True, slots=True)
class Group:
    """Steps that belong together: those of a container, or of one of its branches. Groups nest."""

    name: str
    """The path to the container."""
    label: str
    """Its name within the group around it: `unit_1`, `branch 2`."""
    kind: str
    """The container's kind, or the name of the block that it was; `branch` for a branch."""
    place: Place | None
    start: int
    """Its first step."""
    stop: int
    """The step after its last."""
