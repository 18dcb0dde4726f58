"""The encoders of a spec: which fields each may change, and as what a field is read for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlrun.components.preprocess import Encoder, Preprocess
from dlrun.components.sources import SourceError, Table
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.fields import Chosen, matches

Steps = Sequence[tuple[int, Encoder]]
"""Encoders, each with its index in the spec's list of steps."""


@dataclass(frozen=True, slots=True)
class ReadAs:
    """As what each field of the inputs is read."""

    texts: dict[str, set[str]]
    """For each input its fields that are read as texts."""
    lacking: set[str]
    """The fields of numbers that may lack values: every input that takes them fills them in."""


def steps_of(encoders: Steps, name: str, chosen: Chosen) -> Steps:
    """The encoders that may change a field of an input, in order."""
    return [
        (index, step)
        for index, step in encoders
        if step.input in (None, name)
        and (step.columns is None or any(is_named(step, entry) for entry in chosen.fields))
    ]


def how_to_read(inputs: Mapping[str, Chosen], steps: Mapping[str, Steps], table: Table) -> ReadAs:
    """As what each field is read: as texts where it is of texts, or an encoder takes it so.

    Raises:
        SourceError: an array of several axes has no columns.
    """
    found = ReadAs({name: set() for name in inputs}, set())
    unfilled: set[str] = set()
    for name, chosen in inputs.items():
        for field_name in chosen.fields:
            entry = table.fields[field_name]
            acting = [(index, step) for index, step in steps[name] if suits(step, entry.type, field_name)]
            if acting and len(entry.shape) > 1:
                index, step = acting[0]
                message = f"{step.kind} changes columns, and the {table.noun} '{field_name}' has several axes"
                raise SourceError(message, ("preprocess", index), "name other columns in `columns`")
            if acting and (entry.type in ("text", "time") or any(step.reads == "text" for _, step in acting)):
                found.texts[name].add(field_name)
            elif any(step.fills for _, step in acting):
                found.lacking.add(field_name)
            else:
                unfilled.add(field_name)
    found.lacking.difference_update(unfilled)
    return found


def for_no_input(step: Preprocess, inputs: Sequence[str]) -> tuple[str, str] | None:
    """The message and the hint about a step that does not say which of several inputs it is for; None where it does."""
    if step.input is not None or step.columns is not None or len(inputs) == 1:
        return None
    hint = f"there are {', '.join(inputs)}: `{step.kind}: {{input: {inputs[0]}}}`"
    return f"{step.kind} does not say which input it is for", hint


def refuse_strangers(encoders: Steps, inputs: Mapping[str, Chosen], table: Table) -> None:
    """Hold the `columns` of each encoder to fields of the inputs.

    Raises:
        SourceError: a name or a pattern is none of them; a step names neither columns nor one of several inputs.
    """
    for index, step in encoders:
        if unclear := for_no_input(step, list(inputs)):
            raise SourceError(unclear[0], ("preprocess", index), unclear[1])
        chosen = [one for name, one in inputs.items() if step.input in (None, name)]
        fields = [name for one in chosen for name in one.fields]
        for pattern in step.columns or ():
            if not any(matches(name, pattern) for name in fields):
                meant = did_you_mean(pattern, fields, {})
                message = f"no feature is called '{pattern}'{meant}"
                raise SourceError(message, ("preprocess", index, step.kind, "columns"), table.listed())


def suits(step: Encoder, kind: str, *names: str) -> bool:
    """Whether an encoder changes a column of a type, by its own name and the name of its field."""
    return kind in step.takes if step.columns is None else any(is_named(step, name) for name in names)


def is_named(step: Preprocess, name: str) -> bool:
    """Whether a step names a column."""
    return any(matches(name, pattern) for pattern in step.columns or ())
