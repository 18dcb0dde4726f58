"""Turns layers into steps in order of computation, with names, shapes and wiring; containers use it for theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from dlrun.components.layers import Branch, Container, From, Layer, Layers, Merging
from dlrun.errors import Place, Problem, SpecError, SpecPath
from dlrun.language.experiment import INPUT
from dlrun.language.suggestions import did_you_mean
from dlrun.language.text.expansion import MAX_LAYERS
from dlrun.language.text.node import Node
from dlrun.plan.names import Scope
from dlrun.plan.steps import Group, Mask, Step
from dlrun.shapes import MAX_NUMEL, Shape, ShapeError, numel, show


class NetworkWiring:
    """Lays layers out as steps; this is the `Wiring` that containers see."""

    def __init__(self, tree: Node, inputs: Mapping[str, tuple[Shape, Place]], layers: Layers):
        self.tree = tree
        self.steps = [Step(name, None, (), (), shape, place, None) for name, (shape, place) in inputs.items()]
        self.groups: list[Group] = []
        """In the order in which they begin, the outer before the inner."""
        self.scope = Scope("", None, given=_given_names(layers) | inputs.keys())
        for value, step in enumerate(self.steps):
            assert step.place is not None
            self.scope.named[step.name] = (value, None, step.place)
        self.reusing = False
        self.reused = 0
        """How many layers were laid out again: few lines may use one another very often."""
        self.first: dict[str, Step] = {}
        """The step that has the weights of a layer, by the layer's full name."""
        self.masks: dict[int, Mask] = {}
        """The values that are sequences with padding."""
        self.values: dict[str, list[int]] = {}
        """The values that each layer gives, by its full name: several where it is used again."""

    def chain(self, layers: Layers, value: int, path: SpecPath, label: str = "") -> int:
        if label:
            with self.group(label, "branch", path):
                return self.chain(layers, value, path)
        for index, layer in enumerate(layers):
            assert isinstance(layer, Layer)
            value = self.put(layer, value, (*path, index, layer.kind))
        return value

    @contextmanager
    def group(self, label: str, kind: str, path: SpecPath) -> Iterator[None]:
        """Make a group, in the current scope, of all steps that are laid out inside the `with`."""
        at, start = len(self.groups), len(self.steps)
        group = Group(self.scope.prefix.rstrip("."), label, kind, self.tree.locate(path, at_key=True), start, start)
        self.groups.append(group)
        yield
        if len(self.steps) == start:
            del self.groups[at:]
        else:
            self.groups[at] = replace(group, stop=len(self.steps))

    def put(self, layer: Layer, value: int, path: SpecPath) -> int:
        if self.reusing:
            self.reused += 1
            if self.reused > MAX_LAYERS:
                self.refuse(f"this expands to more than {MAX_LAYERS:,} layers", path)
        name = self.name(layer, path)
        full_name = f"{self.scope.prefix}{name}"
        if isinstance(layer, Container):
            outer, self.scope = self.scope, Scope(f"{full_name}.", self.scope, given=_inner_names(layer))
            with self.group(name, layer.called(), path):
                value = layer.wire(self, value, path)
            self.scope = outer
        else:
            value = self.step(layer, full_name, value, path)
        self.values.setdefault(full_name, []).append(value)
        if layer.name:
            self.scope.named[layer.name] = (value, layer, self.tree.locate((*path, "name")))
        return value

    def name(self, layer: Layer, path: SpecPath) -> str:
        scope = self.scope
        if layer.name:
            if layer.name in scope.named and not self.is_only_input(scope.named[layer.name][0]):
                notes = (("first given here", scope.named[layer.name][2]),)
                self.refuse(f"the name '{layer.name}' is given twice", (*path, "name"), notes=notes)
            return layer.name
        called = layer.called()
        while True:
            scope.counts[called] = scope.counts.get(called, 0) + 1
            name = f"{called}_{scope.counts[called]}"
            if name not in scope.given:
                return name

    def is_only_input(self, value: int) -> bool:
        """Whether a value is the input that has no name of its own: a layer may have the name that it goes by."""
        return value == 0 and self.steps[0].name == INPUT

    def step(self, layer: Layer, name: str, value: int, path: SpecPath) -> int:
        place = self.tree.locate(path, at_key=True)
        self.settle(layer, value, place)
        values = (value, *self.second_values(layer, path))
        shapes = tuple(self.steps[each].output for each in values)
        shape = shapes[0]
        try:
            output = layer.output_shape(*shapes)
            weights = layer.weights(*shapes)
            for held in (output, *weights.values()):
                if numel(held) > MAX_NUMEL:
                    raise ShapeError(f"{show(held)} holds more numbers than any machine can address")
        except ShapeError as error:
            origin = self.origin(value)
            notes = ((f"the shape {show(shape)} comes from here", origin),) if origin else ()
            raise SpecError([Problem(f"{layer.kind}: {error.message}", place, error.hint, notes)]) from None
        indices = self.steps[value].indices if layer.accepts == "any" else False
        tied = self.tied(layer, weights, path)
        weights = {key: held for key, held in weights.items() if key not in tied}
        shared = self.check_shared(name, weights, place) if self.reusing else False
        buffers = layer.buffers(*shapes)
        masks = self.masks_for(layer, values, shapes, output, place)
        step = Step(name, layer, values, shapes, output, place, indices, weights, buffers, tied, masks, shared)
        self.steps.append(step)
        self.first.setdefault(name, step)
        return len(self.steps) - 1

    def masks_for(
        self, layer: Layer, values: tuple[int, ...], shapes: tuple[Shape, ...], output: Shape, place: Place
    ) -> tuple[Mask | None, ...]:
        """The masks that the next step's module gets; the mask of its own output is noted."""
        made = len(self.steps)
        masks = tuple(self.masks.get(value) for value in values)
        padding = layer.padding_index()
        if padding is not None and len(shapes[0]) == 1:
            self.masks[made] = Mask(values[0], padding)
        if not any(masks):
            return ()
        treats = layer.treats_padding(shapes[0])
        if treats == "refused":
            mask = next(mask for mask in masks if mask is not None)
            origin = self.padding_origin(mask)
            notes = (("the padding comes from here", origin),) if origin else ()
            hint = "remove padding_idx there to treat padding like any other index"
            message = f"{layer.kind}: cannot keep padding out of what it computes from a sequence {show(shapes[0])}"
            raise SpecError([Problem(message, place, hint, notes)])
        if masks[0] is not None and len(output) == len(shapes[0]) and output[:1] == shapes[0][:1]:
            self.masks[made] = masks[0]
        return masks if treats == "masked" else ()

    def padding_origin(self, mask: Mask) -> Place | None:
        """The place of the embedding that a mask comes from."""
        made = [value for value, known in self.masks.items() if known == mask]
        return self.steps[min(made)].place if made else None

    def second_values(self, layer: Layer, path: SpecPath) -> tuple[int, ...]:
        """The other values that a layer takes, by the names in its settings."""
        return tuple(self.named(getattr(layer, setting), (*path, setting))[0] for setting in layer.second_inputs)

    def tied(self, layer: Layer, weights: dict[str, Shape], path: SpecPath) -> dict[str, str]:
        """The weight that a layer shares with an earlier one, by its full name there."""
        setting = layer.tied_by
        source = getattr(layer, setting) if setting is not None else None
        if source is None:
            return {}
        _, _, full_name = self.named(source, (*path, setting))
        step = self.first.get(full_name)
        held = step.weights.get("weight") if step is not None else None
        if held != weights["weight"]:
            what = f"a weight {show(held)}" if held else "no weight of its own"
            message = f"'{source}' has {what}, and this layer needs {show(weights['weight'])}"
            self.refuse(message, (*path, setting), "an embedding (words, size) fits `linear: words` on size")
        return {"weight": f"{full_name}.weight"}

    def origin(self, value: int) -> Place | None:
        """Where a value got its shape: layers that leave the shape alone are passed over."""
        step = self.steps[value]
        while len(step.inputs) == 1 and step.input_shapes[0] == step.output:
            step = self.steps[step.inputs[0]]
        return step.place

    def settle(self, layer: Layer, value: int, place: Place) -> None:
        """Refuse a layer that needs indices after numbers, or numbers after indices."""
        if layer.accepts == "any":
            return
        wants = layer.accepts == "indices"
        have = self.steps[value].indices
        if have is None:
            self.decide(value, wants)
        elif have != wants:
            if wants:
                message = f"{layer.kind} takes indices, whole numbers; {self.steps[value].kind} gives numbers"
            else:
                message = f"{layer.kind} takes numbers, and its input is indices, for an embedding"
            notes = tuple((("they come from here", p),) if (p := self.steps[value].place) else ())
            raise SpecError([Problem(message, place, "put an embedding first, right after the input", notes)])

    def decide(self, value: int, indices: bool) -> None:
        """Settle whether a value that nothing has decided yet is indices or numbers."""
        # An input may pass layers that take anything (a reshape) before one shows what it is. So the answer goes back
        # to the input, through every undecided step on the way; all of them pass on what they get.
        pending = [value]
        while pending:
            index = pending.pop()
            step = self.steps[index]
            if step.indices is None:
                self.steps[index] = replace(step, indices=indices)
                pending += step.inputs
        # Then it goes forward to the other undecided steps after that input, such as a reshape on another branch. The
        # steps are in order of computation, so each one's input is settled before it, and one pass is enough.
        for index, step in enumerate(self.steps):
            if step.indices is None and step.inputs and self.steps[step.inputs[0]].indices is not None:
                self.steps[index] = replace(step, indices=self.steps[step.inputs[0]].indices)

    def settled(self) -> tuple[Step, ...]:
        """All steps; an input that no layer needs as indices is numbers."""
        return tuple(replace(s, indices=False) if s.indices is None else s for s in self.steps)

    def branch(self, branch: Branch, value: int, path: SpecPath) -> int:
        if isinstance(branch, str):
            return self.named(branch, path)[0]
        number = path[-1] + 1 if isinstance(path[-1], int) else path[-1]
        if isinstance(branch, From):
            value, path = self.named(branch.source, (*path, "from"))[0], (*path, "layers")
        return self.chain(branch.layers if isinstance(branch, From) else branch, value, path, f"branch {number}")

    def named(self, name: str, path: SpecPath, what: str = "earlier layer") -> tuple[int, Layer | None, str]:
        found = self.scope.find(name)
        if found is None:
            known = self.scope.known()
            hint = "names given so far: " + ", ".join(known) if known else "give a layer a name: `{name: stem, …}`"
            if name in self.tree_names():
                hint = "a name inside a block or branch is not seen from outside it"
            self.refuse(f"no {what} is called '{name}'{did_you_mean(name, known, {})}", path, hint)
        assert found is not None
        return found

    def tree_names(self) -> set[str]:
        return {step.name.rpartition(".")[2] for step in self.steps}

    def merge(self, layer: Merging, values: list[int], path: SpecPath) -> int:
        shapes = [self.steps[value].output for value in values]
        place = self.tree.locate(path, at_key=True)
        kinds = {self.steps[value].indices for value in values} - {None}
        for value in values:
            if kinds and self.steps[value].indices is None:
                self.decide(value, kinds == {True})
        if kinds == {True, False}:
            raise SpecError([Problem(f"{layer.kind} cannot join indices with numbers", place)])
        try:
            output = layer.merged_shape(shapes)
        except ShapeError as error:
            notes = tuple(
                (f"{show(self.steps[value].output)} comes from here", origin)
                for value in values
                if (origin := self.origin(value)) is not None
            )
            raise SpecError([Problem(f"{layer.kind}: {error.message}", place, error.hint, notes)]) from None
        masks = {self.masks[value] for value in values if value in self.masks}
        if masks and (len(masks) > 1 or any(shape[:1] != output[:1] for shape in shapes)):
            raise SpecError([Problem(f"{layer.kind}: cannot join sequences whose padding differs", place)])
        if masks:
            self.masks[len(self.steps)] = masks.pop()
        name = self.scope.prefix.rstrip(".")
        indices = next(iter(kinds)) if kinds else None
        self.steps.append(Step(name, layer, tuple(values), tuple(shapes), output, place, indices))
        return len(self.steps) - 1

    def reuse(self, layer: Layer, name: str, value: int, path: SpecPath) -> int:
        _, original, full_name = self.named(name, (*path, "layer"))
        if original is None:
            self.refuse(
                f"'{name}' is an input, not a layer that can be used again", (*path, "layer"), f"write `input: {name}`"
            )
        assert original is not None
        scope, reusing = self.scope, self.reusing
        prefix, _, _ = full_name.rpartition(".")
        self.scope = Scope(f"{prefix}." if prefix else "", scope.parent)
        self.reusing = True
        first = len(self.steps)
        result = self.put(original, value, path)
        self.scope, self.reusing = scope, reusing
        assert all(step.shared or not step.weights for step in self.steps[first:])
        return result

    def check_shared(self, name: str, weights: dict[str, Shape], place: Place) -> bool:
        first = self.first[name]
        if first.weights != weights:
            was = ", ".join(f"{key} {show(shape)}" for key, shape in first.weights.items())
            now = ", ".join(f"{key} {show(shape)}" for key, shape in weights.items())
            notes = (("first used here", first.place),) if first.place else ()
            message = f"'{name}' has the weights {was}, and this input would need {now}"
            raise SpecError([Problem(message, place, "a shared layer takes inputs of one size", notes)])
        return True

    def refuse(self, message: str, path: SpecPath, hint: str = "", notes: tuple[tuple[str, Place], ...] = ()) -> None:
        raise SpecError([Problem(message, self.tree.locate(path), hint, notes)])


def _given_names(layers: Layers) -> frozenset[str]:
    return frozenset(layer.name for layer in layers if isinstance(layer, Layer) and layer.name)


def _inner_names(container: Container) -> frozenset[str]:
    """The names that a container's own layers are given, those of its branches too."""
    lists = [getattr(container, setting) for setting in container.layer_lists]
    for setting in container.branch_lists:
        lists += [branch.layers if isinstance(branch, From) else branch for branch in getattr(container, setting)]
    return frozenset[str]().union(*(_given_names(layers) for layers in lists if not isinstance(layers, str)))
