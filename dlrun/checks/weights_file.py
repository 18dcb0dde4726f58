"""The file that a network's weights start from: found, and read as far as its names and shapes, without torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dlrun.checks.reading import Reading
from dlrun.errors import LocatedError, Problem, RunError, SpecError
from dlrun.language.experiment import ModelSection
from dlrun.language.start_weights import StartWeights, is_run_name, read_names
from dlrun.language.suggestions import did_you_mean, shorten
from dlrun.language.text.document import read_document
from dlrun.plan.names import around
from dlrun.plan.network import Plan
from dlrun.plan.weights import expected
from dlrun.shapes import Shape

if TYPE_CHECKING:
    from dlrun.plan.start_weights import Start

TYPES_OF_WEIGHTS = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL")
"""The types of weights and buffers."""
LONGEST_NAME = 1000
"""Characters of a name; to compare much longer ones with patterns would take for ever."""


class WeightsError(LocatedError):
    """A file that training cannot start from; `hint` is a way out."""


def settle_weights(reading: Reading, runs: Path) -> Iterator[Problem]:
    """Put a run's file in the place of the run that `model.weights` names."""
    model: ModelSection | None = reading.sections.get("model")
    if model is None or (start := model.start) is None:
        return
    try:
        data = reading.sections.get("data")
        folds = data is not None and data.split.folds is not None
        file = _file_of(start.source, reading.folder, runs, folds)
    except WeightsError as error:
        reading.sections["model"] = model.model_copy(update={"weights": None})
        yield reading.problem(error.message, ("model", "weights", "from"), error.hint)
        return
    if file is not None:
        weights = file if isinstance(model.weights, str) else start.model_copy(update={"source": file})
        reading.sections["model"] = model.model_copy(update={"weights": weights})


def _file_of(source: str, folder: Path, runs: Path, of_folds: bool) -> str | None:
    """The file with the best weights of a run; None where `source` is a file.

    Args:
        source: the setting `from`.
        folder: where a path starts.
        runs: the folder of runs.
        of_folds: whether the spec is trained in several folds, each of which becomes the last run.

    Raises:
        WeightsError: there is no such run, or it has no such file.
    """
    is_name = is_run_name(source)
    if not is_name and not _is_folder(folder / source):
        return None
    from dlrun.runs import folder as run_folder
    from dlrun.runs.find import LAST, find_run
    from dlrun.runs.refit import learned_in

    if source == LAST and of_folds:
        raise WeightsError("`last` is another run for each of the folds", "write the name of the run")
    run = folder / source
    if is_name:
        try:
            run = find_run(source, runs).resolve()
        except SpecError as error:
            hint = "it is a run's name; a file has a `/` or the ending of a file of weights in its path"
            raise WeightsError(error.problems[0].message, hint) from None
    if folds := run_folder.folds_of(run):
        message = f"{run} is a run of several folds, and each has a network of its own"
        raise WeightsError(message, f"name one of them, such as {folds[0]}")
    try:
        learned = learned_in(run)
    except RunError as error:
        message, _, hint = str(error).partition("; ")
        raise WeightsError(message, hint) from None
    file = learned / run_folder.BEST
    if not file.exists():
        last = run / run_folder.LAST
        hint = f"{last} has the weights of the last epoch" if last.exists() else ""
        raise WeightsError(f"{run} has no {run_folder.BEST}", hint)
    return str(file if is_name else Path(source) / file.relative_to(run))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # it can be no path; the error comes when the file is read
        return False


def held_in(stream: IO[bytes], path: Path) -> dict[str, Shape]:
    """The name and shape of every tensor in a file of weights.

    Raises:
        WeightsError: it is no such file, or a name or a type is none of a weight.
    """
    from dlrun.safetensors_header import header_in
    from dlrun.torch_header import OLD, MoreThanWeightsError, is_torch, read_torch_header

    beginning = stream.read(len(OLD))
    stream.seek(0)
    of_torch = is_torch(beginning)
    try:
        entries = read_torch_header(stream) if of_torch else header_in(stream)
    except MoreThanWeightsError as error:
        hint = "save the weights alone: `torch.save(model.state_dict(), FILE)`"
        raise WeightsError(f"{path} has more than weights in it: {error}", hint) from None
    except ValueError as error:
        what = "file of torch" if of_torch else "safetensors file"
        raise WeightsError(f"{path} is not a {what}, or is damaged: {error}", "copy it again") from None
    for name, entry in entries.items():
        if len(name) > LONGEST_NAME:
            raise WeightsError(f"a name in {path} is longer than {LONGEST_NAME} characters: {shorten(name)}")
        if entry.type not in TYPES_OF_WEIGHTS:
            what = f"'{name}' is of the type {entry.type} in {path}; a weight is a real number"
            raise WeightsError(what, "types are " + ", ".join(TYPES_OF_WEIGHTS))
    return {name: entry.shape for name, entry in entries.items()}


def start_in(stream: IO[bytes], path: Path, reading: Reading, plan: Plan) -> Start:
    """Choose the weights of a file for a network.

    Raises:
        WeightsError, StartError: a weight is missing there or has another shape, or the file is none.
    """
    from dlrun.plan.start_weights import matched

    settings: StartWeights = reading.sections["model"].start
    layers = dict.fromkeys(layer for step in plan.steps if step.weights for layer in around(step.name))
    return matched(settings, held_in(stream, path), expected(plan), list(layers), _names(reading))


def _names(reading: Reading) -> dict[str, str] | None:
    """The names that stand for a word in `rename`; None where it is no word.

    Raises:
        WeightsError: there is no such word, or its file is not right.
    """
    model: ModelSection = reading.sections["model"]
    word = model.start.rename if model.start is not None else None
    if not isinstance(word, str):
        return None
    known = model.names or {}
    if word not in known:
        message = f"`model.names` of this network has no '{word}'{did_you_mean(word, known, {})}"
        hint = "write the names themselves, `{NAME THERE: NAME HERE}`, or the file that has them, as `names` of `model`"
        raise WeightsError(message, f"it has {', '.join(known)}" if known else hint, ("rename",))
    file = reading.folder / known[word]
    try:
        return read_names(read_document(file).root.plain())
    except (SpecError, ValueError) as error:
        message = error.problems[0].message if isinstance(error, SpecError) else str(error)
        raise WeightsError(f"{file}: {message}", "", ("rename",)) from None


def start_weights(reading: Reading, planned: Plan) -> Start | None:
    """The weights that the network starts from; None where it starts without a file.

    Raises:
        SpecError: a name or a shape does not fit, or the file is none.
    """
    settings: StartWeights | None = reading.sections["model"].start
    if settings is None:
        return None
    path = reading.folder / settings.source
    try:
        if path.exists() and not path.is_file():  # a pipe would wait for somebody who writes
            raise WeightsError(f"{path} is not a file")
        with path.open("rb") as stream:
            return start_in(stream, path, reading, planned)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        hint = "a path starts from the folder of the file that has it"
        raise SpecError([reading.problem(message, ("model", "weights", "from"), hint)]) from None
    except LocatedError as error:
        raise SpecError([weights_problem(reading, error)]) from None


def weights_problem(reading: Reading, error: LocatedError) -> Problem:
    """An error of the file of weights, with its place."""
    at_key = error.at[:1] == ("rename",)
    return reading.problem(error.message, ("model", "weights", *error.at), error.hint, at_key)
