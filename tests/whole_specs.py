"""Whole specs drawn over all families, every source and the ways to write a network; `check` says which are right.

Kinds are found by discovery, and each loss and metric says itself which targets it is for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networks
import numpy as np
from hypothesis import strategies as st
from strategies import written_components

from dlrun.components.layers import Container
from dlrun.components.preprocess import Encoder
from dlrun.language.kinds import find, kinds

ROWS = 30
SHAPES = ((4,), (6, 4), (2, 6, 6), (2, 4, 4, 4))
STEPS, INDICES, WIDTH = 5, 7, 4
"""Indices in a row, how many there are, and the numbers that each becomes."""
ENDS: dict[str, tuple[str, Any]] = {"numbers": ("numbers", 1), "classes": ("classes", "$classes"), "binary": ("yes", 1)}
"""For each kind of target a column, and the width of the network's end."""
WORDS = ("low", "middling", "high")
LAYERS = [
    kind
    for kind in kinds("layers")
    if not issubclass(cls := find("layers", kind), Container) and getattr(cls, "accepts", "") != "indices"
]
"""All that take numbers."""
NESTED = [kind for kind in kinds("layers") if kind not in LAYERS and issubclass(find("layers", kind), Container)]

Drawn = tuple[dict[str, Any], tuple[int, ...]]


def some(family: str, most: int = 1) -> st.SearchStrategy[list[Any]]:
    """A few components of a family; of the preprocessing only maps, for the tables have no texts and no gaps."""
    suiting = [kind for kind in kinds(family) if not issubclass(find(family, kind), Encoder)]
    one = st.sampled_from(suiting).flatmap(lambda kind: written_components(family, kind))
    return st.lists(one.map(_of_all_columns) if family == "preprocess" else one, max_size=most)


def _of_all_columns(step: dict[str, Any]) -> dict[str, Any]:
    """A step as it is written, without `columns`: a random name is none of the data's."""
    return {kind: {name: value for name, value in own.items() if name != "columns"} for kind, own in step.items()}


def _of_this_network(regularizer: dict[str, Any], several: bool, target: str) -> Any:
    """A regularizer as it is written, with names that the network has in place of random ones."""
    ((kind, own),) = regularizer.items()
    if kind == "entropy":
        own = {"coefficient": own["coefficient"]} | ({"output": "end"} if several else {})
        return {kind: own} if target != "numbers" else {"l1": own["coefficient"]}
    return {kind: own | {name: value for name, value in (("weights", "*"), ("output", "*end*")) if name in own}}


def _of_all_weights(constraint: dict[str, Any]) -> dict[str, Any]:
    """A constraint as it is written, without a random pattern."""
    return {kind: {name: value for name, value in own.items() if name != "weights"} for kind, own in constraint.items()}


def _suiting(family: str, target: str) -> st.SearchStrategy[Any]:
    """A loss or a metric for a kind of target."""
    suiting = [
        kind
        for kind in kinds(family)
        if target in getattr(cls := find(family, kind), "suits", (getattr(cls, "wants", target),))
    ]
    return st.sampled_from(suiting).flatmap(lambda kind: st.just(kind) | written_components(family, kind))


def _losses(target: str) -> st.SearchStrategy[Any]:
    """A loss for a kind of target, without names of what these specs do not have, and with weights now and then."""
    suiting = [kind for kind in kinds("losses") if find("losses", kind).wants == target and kind not in SPECIAL]  # type: ignore[attr-defined]
    plain = st.sampled_from(suiting).flatmap(lambda kind: st.just({kind: {}}) | written_components("losses", kind))
    weights = {"classes": {"weight": "balanced"}, "binary": {"pos_weight": 2.5}}.get(target, {})

    def of_this_data(loss: dict[str, Any], weighted: bool) -> Any:
        ((kind, own),) = loss.items()
        own = {name: value for name, value in own.items() if name not in NAMING}
        known = find("losses", kind).model_fields
        more = {name: value for name, value in weights.items() if weighted and name in known}
        return {kind: own | more} if own or more else kind

    return st.builds(of_this_data, plain, st.booleans())


SPECIAL = ("ctc", "dice", "gaussian_nll", "kl_divergence", "nll", "poisson_nll", "triplet")
"""Losses for networks, or targets, of a form of their own."""
NAMING = ("weight", "pos_weight", "ignore_index", "of", "target", "target_gradient", "output")
"""Settings of losses that name something of the data or of the network."""


def _metrics(target: str) -> st.SearchStrategy[list[Any]]:
    return st.lists(_suiting("metrics", target), max_size=2, unique_by=kind_of)


def kind_of(component: Any) -> str:
    """The kind of a component as it is written."""
    return component if isinstance(component, str) else next(iter(component))


@st.composite
def _layers(draw: st.DrawFn, plain: int = 3) -> list[Any]:
    leaf = st.sampled_from(LAYERS).flatmap(lambda kind: written_components("layers", kind))
    nested = st.sampled_from(NESTED).flatmap(lambda kind: written_components("layers", kind, 1))
    return draw(st.lists(st.one_of(leaf, leaf, leaf, nested), max_size=plain))


@st.composite
def _written(draw: st.DrawFn, spec: dict[str, Any], layers: list[Any]) -> list[Any]:
    """The same layers in one of the ways to write them: as they are, in a block, repeated, or with a variable."""
    way = draw(st.sampled_from(("plain", "block", "repeat", "residual", "concat", "variable")))
    match way:
        case "block" if layers:
            spec["blocks"] = {"part": {"parameters": {"width": 3}, "layers": [*layers, {"linear": "$(2 * width)"}]}}
            return ["part", {"part": {"width": 2, "name": "again"}}]
        case "repeat":
            return [{"repeat": {"times": 2, "as": "i", "layers": [*layers, {"linear": "$(4 * (i + 1))"}, "tanh"]}}]
        case "residual":
            return [*layers, {"residual": ["tanh"]}]
        case "concat":
            return [{"relu": {"name": "stem"}}, *layers, {"concat": [[], ["tanh"]]}, {"add": [[], ["sigmoid"]]}]
        case "variable":
            spec["vars"] = {"width": 3, "slope": 0.1}
            return [*layers, {"leaky_relu": "$slope"}, {"linear": "$(max(width, 2) ** 2)"}, {"dropout": "$slope"}]
    return layers


@st.composite
def _data(draw: st.DrawFn, target: str) -> tuple[dict[str, Any], dict[str, Any], tuple[int, ...], list[Any]]:
    """The data, what the model says of its inputs, the shape of a row of `x`, and the layers at the beginning."""
    column, _ = ENDS[target]
    shape = draw(st.sampled_from(SHAPES))
    match draw(st.sampled_from(("npz", "npz", "csv", "sklearn", "indices", "inputs", "columns"))):
        case "csv":
            named = draw(st.lists(st.sampled_from("abcd"), min_size=1, unique=True))
            words = draw(st.sampled_from((column, "words"))) if target == "classes" else column
            return {"source": {"csv": "rows.csv"}, "features": named, "target": words}, {}, (4,), []
        case "columns":
            features = {"left": ["a", "b"], "right": "c"}
            data = {"source": {"csv": "rows.csv"}, "features": features, "target": column}
            return data, {}, (4,), [{"concat": [[], "right"]}]
        case "sklearn":
            name = {"numbers": "diabetes", "classes": "iris", "binary": "breast_cancer"}[target]
            return {"source": {"sklearn": name}}, {}, (4,), []
        case "indices":
            count = draw(st.sampled_from(("$vocabulary", INDICES)))
            settings = {"num_embeddings": count, "embedding_dim": WIDTH}
            if padded := draw(st.integers(0, 3)) == 0:
                settings["padding_idx"] = 0
            data = {"source": {"npz": "rows.npz"}, "features": "indices", "target": column}
            return data, {"input": [STEPS]}, shape, [{"embedding": settings}, *([{"gru": 3}] if padded else [])]
        case "inputs":
            data = {"source": {"npz": "rows.npz"}, "features": {"x": "x", "more": "more"}, "target": column}
            begin = ["flatten", {"concat": [[], {"from": "more", "layers": [{"linear": 3}]}]}]
            return data, {"inputs": {"x": shape, "more": [3]}}, shape, begin
    return {"source": {"npz": "rows.npz"}, "features": "x", "target": column}, {"input": shape}, shape, []


@st.composite
def specs(draw: st.DrawFn) -> Drawn:
    """A spec, and the shape of its rows."""
    target = draw(st.sampled_from(sorted(ENDS)))
    data, model, shape, begin = draw(_data(target))
    spec: dict[str, Any] = {}
    layers = draw(_written(spec, draw(_layers())))
    ends = [{"linear": {"name": "end", "out_features": ENDS[target][1]}}]
    losses, metrics = draw(_losses(target)), draw(_metrics(target))
    if draw(st.integers(0, 4)) == 0 and "target" in data:
        ends += [{"input": "trunk"}, {"linear": {"name": "other", "out_features": 1}}]
        model["outputs"] = ["end", "other"]
        data["target"] = {"end": data["target"], "other": "numbers"}
        losses = [{"mse": {"output": "other", "coefficient": 0.5}}, _with(losses, output="end")]
        metrics = [_with(metric, output="end") for metric in metrics]
    model["layers"] = [*begin, *layers, {"flatten": {"name": "trunk"}}, *ends]
    for setting in ("init", "bias_init"):
        for chosen in draw(some("initializers")):
            model[setting] = {"*": chosen} if setting == "init" and draw(st.booleans()) else chosen
    if draw(st.integers(0, 5)) == 0:
        model["freeze"] = draw(st.sampled_from((["*bias"], ["end"], ["*_1*"])))
    data["split"] = {
        "validation": 0.2,
        "test": draw(st.sampled_from((0, 0.2))),
        "stratify": target == "classes" and draw(st.booleans()),
    }
    for family in ("preprocess", "augment"):
        data[family] = draw(some(family))
        if isinstance(features := data.get("features"), dict):
            data[family] = [
                _with(step, input=draw(st.sampled_from(sorted(features))))
                if "input" in find(family, kind_of(step)).model_fields
                else step
                for step in data[family]
            ]
    if target == "numbers" and draw(st.booleans()):
        scalings = (["standardize"], ["quantile"], ["minmax", "log1p", "robust"])
        data["target_preprocess"] = draw(st.sampled_from(scalings))
    optimizer = draw(st.sampled_from(kinds("optimizers")))
    drawn = draw(written_components("optimizers", optimizer))[optimizer] if draw(st.booleans()) else {}
    spec |= {
        "data": data,
        "model": model,
        "loss": losses,
        "metrics": metrics,
        "regularizers": [_of_this_network(one, "outputs" in model, target) for one in draw(some("regularizers"))],
        "constraints": [_of_all_weights(one) for one in draw(some("constraints"))],
        "optimizer": _groups(optimizer, drawn | {"lr": 1e-3})
        if draw(st.booleans())
        else {optimizer: drawn | {"lr": 1e-3}},
        "train": draw(_train(data, metrics)),
        "tracking": "off",
    }
    for schedule in draw(some("schedules")):
        spec["schedule"] = _of_an_optimizer(schedule, draw(st.sampled_from(("lr", ["lr", "weight*"], "eps"))))
    if optimizer in networks.SEARCHING:
        _of_all_rows(spec, {optimizer: drawn})
    return spec, shape


def _of_all_rows(spec: dict[str, Any], optimizer: dict[str, Any]) -> None:
    """Change a spec to one for an optimizer that needs the same loss in each step."""
    spec |= {"optimizer": optimizer, "constraints": []}
    spec["data"]["augment"] = []
    apart = ("accumulate", "clip_grad_norm", "clip_grad_value")
    spec["train"] = {name: value for name, value in spec["train"].items() if name not in apart}
    spec["train"]["batch_size"] = "full"


def _of_an_optimizer(schedule: Any, of: Any) -> Any:
    """A schedule of numbers that most optimizers have."""
    ((kind, settings),) = schedule.items()
    return {kind: settings | {"of": of}} if "of" in settings else schedule


def _groups(kind: str, settings: dict[str, Any]) -> list[Any]:
    """An optimizer for the weights of the last layer alone, and another one for all others."""
    return [{kind: settings | {"weights": "end.weight"}}, "sgd"]


def _with(component: Any, **settings: Any) -> dict[str, Any]:
    """A component as it is written, with more settings."""
    kind, own = (component, {}) if isinstance(component, str) else next(iter(component.items()))
    return {kind: own | settings}


@st.composite
def _train(draw: st.DrawFn, data: dict[str, Any], metrics: list[Any]) -> dict[str, Any]:
    large = "sklearn" in data["source"]
    train: dict[str, Any] = {"device": "cpu", "batch_size": 64 if large else draw(st.sampled_from((5, 6, "full")))}
    train |= draw(st.sampled_from(({"epochs": 2}, {"epochs": 2}, {"steps": 5})))
    train["precision"] = draw(st.sampled_from(("float32", "bfloat16")))
    train["checkpoint"] = {"every": draw(st.sampled_from(("2 steps", "1 step", "1 epoch", "1 second")))}
    train["drop_last"] = draw(st.booleans())
    if train["batch_size"] != "full":
        train["accumulate"] = draw(st.integers(1, 2))
    if draw(st.booleans()):
        monitor = draw(st.sampled_from(("loss", *map(kind_of, metrics))))
        train["early_stopping"] = {"patience": draw(st.integers(1, 2)), "monitor": f"validation/{monitor}"}
        train["early_stopping"]["start_after"] = draw(st.sampled_from(("0 epochs", "1 epoch")))
    if draw(st.booleans()):
        train["clip_grad_norm"] = 1.0
    if draw(st.booleans()):
        train["clip_grad_value"] = 0.1
    for average in draw(some("averages")):
        train["average"] = (
            {"swa": draw(st.sampled_from(("0 epochs", "1 step", "1 epoch")))} if "swa" in average else average
        )
    return train


def write(folder: Path, spec: dict[str, Any], shape: tuple[int, ...]) -> Path:
    """The spec with all data that one may name; the spec's file."""
    draw = np.random.default_rng(7)
    classes = np.arange(ROWS) % 3
    numbers = draw.normal(size=ROWS)
    np.savez(
        folder / "rows.npz",
        x=draw.normal(size=(ROWS, *shape)),
        more=draw.normal(size=(ROWS, 3)),
        indices=draw.integers(0, INDICES, (ROWS, STEPS)),
        numbers=numbers,
        classes=classes,
        yes=classes > 0,
    )
    table = draw.normal(size=(ROWS, 4)).round(3).tolist()
    lines = ["a,b,c,d,numbers,classes,yes,words"]
    for row, number, found in zip(table, numbers.tolist(), classes.tolist(), strict=True):
        lines.append(",".join(map(str, (*row, number, found, int(found > 0), WORDS[found]))))
    (folder / "rows.csv").write_text("\n".join(lines))
    file = folder / "spec.yaml"
    file.write_text(json.dumps(spec, ensure_ascii=False), "utf-8")
    return file
