"""The text of a layer in a picture, and the style that it is drawn in."""

from __future__ import annotations

from typing import Any, Literal

from dlrun.components.layers import DrawnAs, Layer, Merging
from dlrun.plan.steps import Step
from dlrun.shapes import numel

Style = Literal[DrawnAs, "ends", "group"]

STYLE_OF_ROOM: dict[str, Style] = {
    "activations": "activation",
    "attention": "attention",
    "combining": "merge",
    "convolution": "linear",
    "dense": "linear",
    "dropout": "noise",
    "normalization": "norm",
    "pooling": "pool",
    "recurrent": "recurrent",
    "reshaping": "shape",
    "wiring": "shape",
}
"""The style of the layers of each room."""
FOLDED: tuple[Style, ...] = ("norm", "activation", "noise")
"""The styles that are drawn as a line in the box of the layer before."""
SIZES = (
    "out_channels",
    "out_features",
    "hidden_size",
    "embedding_dim",
    "output_size",
    "features",
    "channels",
    "pieces",
    "dim_feedforward",
)
"""The settings that are a size of the output."""
RATES = ("p", "std", "negative_slope")


def style_of(step: Step) -> Style:
    """The style that a step is drawn in."""
    if step.layer is None:
        return "ends"
    if isinstance(step.layer, Merging):
        return "merge"
    return step.layer.drawn_as or STYLE_OF_ROOM[step.layer.room]


def caption(step: Step) -> str:
    """``conv2d 3×3, 64, /2``: the kind and its main numbers."""
    if step.layer is None:
        return step.name
    if step.kind == "residual":
        return "add"
    numbers = ", ".join(_numbers(step.layer))
    return f"{step.kind} {numbers}" if numbers else step.kind


def _numbers(layer: Layer) -> list[str]:
    found: list[str] = []
    kernel = getattr(layer, "kernel_size", None)
    if kernel is not None:
        found.append(_sizes(kernel))
    found += [_sizes(value) for name in SIZES if _is_number(value := getattr(layer, name, None))]
    found += _stride(layer)
    for name, noun in (("dilation", "dilation"), ("groups", "groups"), ("num_layers", "layers")):
        value = getattr(layer, name, None)
        if _is_number(value) and not _all_one(value):
            found.append(f"{_sizes(value)} {noun}" if name != "dilation" else f"{noun} {_sizes(value)}")
    heads = getattr(layer, "num_heads", None) or getattr(layer, "nhead", None)
    if heads is not None:
        found.append(f"{heads} heads" if heads != 1 else "1 head")
    if getattr(layer, "bidirectional", False):
        found.append("both ways")
    if not found and type(layer).main in layer.model_fields_set - set(RATES):
        main = getattr(layer, str(type(layer).main))
        alike = len(set(main)) == 1 if isinstance(main, tuple) else isinstance(main, int)
        if _is_number(main) and alike:
            found.append(_short(main))
    found += [
        f"{value:g}" for name in RATES if name in layer.model_fields_set and _is_number(value := _get(layer, name))
    ]
    return found


def _stride(layer: Layer) -> list[str]:
    stride = getattr(layer, "stride", None)
    if stride is None and "stride" in type(layer).model_fields:
        stride = getattr(layer, "kernel_size", None)  # a pool's stride is its kernel size by default
    if not _is_number(stride) or _all_one(stride):
        return []
    return [f"up {_short(stride)}" if layer.enlarges else f"/{_short(stride)}"]


def _get(layer: Layer, name: str) -> Any:
    return getattr(layer, name, None)


def _is_number(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and not any(isinstance(each, tuple) or not _is_number(each) for each in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _all_one(value: Any) -> bool:
    return all(each == 1 for each in (value if isinstance(value, tuple) else (value,)))


def _sizes(value: Any) -> str:
    """``3×3``."""
    values = value if isinstance(value, tuple) else (value,)
    return "×".join(f"{each:g}" for each in values)


def _short(value: Any) -> str:
    """``2`` where all axes have the same size."""
    return _sizes(value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value)


def weights_line(count: int) -> str:
    """``36,864 weights``."""
    return f"{count:,} weight" + ("" if count == 1 else "s")


def full_text(step: Step) -> str:
    """The line that pointing at the box shows: the name, the shapes in and out, and the number of weights."""
    shapes = " , ".join(show_shape(shape) for shape in step.input_shapes)
    arrow = f"{shapes} → {show_shape(step.output)}" if shapes else show_shape(step.output)
    weights = sum(numel(shape) for shape in step.weights.values())
    return f"{step.name}: {arrow}" + (f", {weights_line(weights)}" if weights else "")


def show_shape(shape: tuple[int, ...]) -> str:
    """``64×8×8``, as papers write it."""
    return "×".join(map(str, shape)) or "1"
