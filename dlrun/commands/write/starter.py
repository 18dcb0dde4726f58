"""A spec that fits a file: `dlrun new --from`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlrun.components.sources import Source, SourceError, Table
from dlrun.components.sources._cells import SEPARATORS, is_missing, is_number, sort_of
from dlrun.errors import Problem, SpecError
from dlrun.language.component import choose
from dlrun.language.suggestions import did_you_mean, shorten
from dlrun.language.times import read_time

TARGETS = ("target", "label", "class", "y", "outcome", "income", "price", "species", "quality", "survived", "churn")
"""Names that the column to predict often has."""
MOST_CLASSES = 20
"""With more different whole numbers, a target is numbers to predict."""
MOST_CATEGORIES = 50
"""With more different texts, a column is free text, or names the rows."""
RARE = 10
"""Categories of fewer training rows share one column, where there are many."""
FEW = 5
"""With a value in fewer rows, there is nothing to learn from a column."""
SOURCES = {".csv": "csv", ".txt": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""The source that reads a file of text, by the end of its name."""
PACKED = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class _Found:
    """What a column holds."""

    name: str
    number: bool
    time: bool
    missing: bool
    distinct: int
    least: int
    """How many rows the rarest value has."""
    most: int
    """How many the most frequent one has."""
    why_left_out: str = ""


def starter(file: Path, spec: Path, target: str | None) -> str:
    """The text of a spec for a file of a table, to be written to `spec`.

    Raises:
        SpecError: the file cannot be read, or has no such column.
    """
    kind = _kind(file)
    try:
        table, settings = _open(file, kind)
        unusable = {name: field.what for name, field in table.fields.items() if field.type == "other"}
        table.read({}, {name: ("source",) for name in table.fields if name not in unusable})
    except SourceError as error:
        raise SpecError([Problem(error.message, hint=error.hint)]) from None
    columns = {
        name: _Found(name, False, False, False, 0, 0, 0, unusable[name]) if name in unusable else _found(table, name)
        for name in table.fields
    }
    target = _target(table, columns, target)
    return _text(file, spec, {kind: settings}, target, columns)


def _kind(file: Path) -> str:
    """The source that reads a file."""
    suffix = file.suffix.lower()
    if suffix in (".parquet", ".pq"):
        return "parquet"
    kind = SOURCES.get(Path(file.stem).suffix.lower() if suffix in PACKED else suffix)
    if kind is None:
        known = "csv, tsv, jsonl and parquet files"
        raise SpecError([Problem(f"`--from` reads {known}; received {file.name}", hint="give such a file")])
    return kind


def _open(file: Path, kind: str) -> tuple[Table, dict[str, str]]:
    """The table, and its settings besides the path: another delimiter where the usual one finds a single column, and a
    decimal comma where numbers have one."""

    def opened(**settings: str) -> Table:
        source = choose("sources", {kind: {"path": str(file.resolve()), **settings}})
        assert isinstance(source, Source)
        return source.open(Path(), whole=False)

    table, settings = opened(), dict[str, str]()
    if kind == "csv" and len(table.fields) == 1:
        (line,) = table.fields
        other = max(SEPARATORS, key=line.count)
        settings = {"delimiter": other} if line.count(other) else {}
        table = opened(**settings)
    if kind in ("csv", "tsv") and settings.get("delimiter") != ",":
        with_comma = opened(**settings, decimal=",")
        numbers = {name for name, field in with_comma.fields.items() if field.type == "number"}
        if numbers > {name for name, field in table.fields.items() if field.type == "number"}:
            return with_comma, settings | {"decimal": ","}
    return table, settings


def _found(table: Table, name: str) -> _Found:
    import numpy as np

    texts = table.texts(name)
    values = [text for text in texts.distinct if not is_missing(text, table.missing)]
    lacking = len(values) < len(texts.distinct)
    boolean = table.fields[name].type == "number" and set(values) <= {"true", "false"}  # 1 and 0
    number = bool(values) and (boolean or table.fields[name].type == "number" or all(map(is_number, values)))
    time = bool(values) and all(read_time(value) is not None for value in values)
    counts = np.bincount(texts.rows, minlength=len(texts.distinct)).tolist()
    filled = [count for text, count in zip(texts.distinct, counts, strict=True) if not is_missing(text, table.missing)]
    why = _of_no_use(values, sum(filled), lacking)
    if not why and not time:  # times are of use however many there are
        why = _no_feature(name, values, len(texts.rows), number)
    return _Found(name, number, time, lacking, len(values), min(filled, default=0), max(filled, default=0), why)


def _of_no_use(values: Sequence[str], filled: int, lacking: bool) -> str:
    """Why nothing can be learned from a column with these different values in `filled` rows; '' where it can."""
    if not values:
        return "no value in any row"
    if len(values) == 1 and not lacking:
        return f"always {_in_line(values[0])}"
    if lacking and filled < FEW:
        return f"a value in only {filled} rows" if filled > 1 else "a value in only one row"
    return ""


def _no_feature(name: str, values: Sequence[str], rows: int, number: bool) -> str:
    """Why a column of numbers or texts, with these different values, is no feature; '' where it may be one."""
    if not number and {sort_of(value) for value in values[:20]} == {"date"}:
        return "dates that are not written as 2026-03-31"
    if len(values) == rows and rows > RARE and (not number or re.search(r"(?i)(^|_)(id|index|nr|no)$", name)):
        return "another value in every row: it names the row"
    if not number and len(values) > MOST_CATEGORIES:
        return f"free text: {len(values)} different values"
    return ""


def _target(table: Table, columns: dict[str, _Found], asked: str | None) -> str:
    """The column to predict: the one that is asked for, one with a usual name, or the last."""
    if asked is not None:
        if asked not in columns:
            message = f"{table.name} has no column '{asked}'{did_you_mean(asked, columns, {})}"
            raise SpecError([Problem(message, hint=table.listed())])
        _refuse_target(table, columns[asked])
        return asked
    usable = [
        name
        for name, found in columns.items()
        if found.distinct > 1 and not (found.missing or found.time or found.why_left_out)
    ]
    if not usable:
        raise SpecError([Problem(f"no column of {table.name} can be predicted", hint="`--target NAME` names one")])
    return next((name for usual in TARGETS for name in usable if name.casefold() == usual), usable[-1])


def _refuse_target(table: Table, found: _Found) -> None:
    """Refuse a column that nothing can be learned to predict."""
    if found.missing:
        message = f"the column '{found.name}' has no value in some rows, so it cannot be predicted"
        raise SpecError([Problem(message, hint=f"remove these rows of {table.name}, or write the values")])
    if found.time:
        message = f"the column '{found.name}' cannot be predicted: it holds times, and a time is no number"
        raise SpecError([Problem(message, hint=table.listed())])
    if found.distinct < 2 or (found.why_left_out and not found.number):
        message = f"the column '{found.name}' cannot be predicted: {found.why_left_out}"
        raise SpecError([Problem(message, hint=table.listed())])


def _text(file: Path, spec: Path, source: dict[str, dict[str, str]], target: str, columns: dict[str, _Found]) -> str:
    aim = columns[target]
    used = [found for name, found in columns.items() if name != target and not found.why_left_out]
    left = [found for name, found in columns.items() if name != target and found.why_left_out]
    if not used:
        raise SpecError([Problem(f"{file.name} has no column to learn from besides '{target}'")])
    classes = not aim.number or aim.distinct <= MOST_CLASSES
    path = _written(_from_folder(file, spec))
    ((kind, settings),) = source.items()
    more = "".join(f", {name}: {SEPARATORS[value]}" for name, value in settings.items())
    lines = [
        "# yaml-language-server: $schema=dlrun.schema.json",
        "#",
        f"# {'Which' if classes else 'How much'} {_in_line(target)}? From {len(used)} column{'s' * (len(used) > 1)} of "
        f"{_in_line(file.name)}.",
        "#",
        f"#   dlrun check {spec.name}     validate the file, and show every layer's shape and weights",
        f"#   dlrun train {spec.name}     train it",
        "",
        "seed: 7",
        "",
        "data:",
        f"  source: {{{kind}: {f'{{path: {path}{more}}}' if more else path}}}",
        f"  target: {_written(target)}  # {_about(aim)}",
    ]
    if left:
        lines.append(
            "  features:  # without " + "; ".join(f"{_in_line(one.name)} ({one.why_left_out})" for one in left)
        )
        lines += [f"    - {_written(one.name)}" for one in used]
    stratify = ", stratify: true" if classes and aim.least >= FEW else ""
    lines.append(f"  split: {{validation: 0.15, test: 0.15{stratify}}}")
    lines += ["  preprocess:", *(f"    - {step}" for step in _steps(used))]
    if not classes:
        lines.append("  target_preprocess: [standardize]  # for the loss; metrics keep the unit of the target")
    lines += [
        "",
        "model:",
        "  layers:",
        "    - linear: 64",
        "    - relu",
        "    - dropout: 0.1",
        "    - linear: 32",
        "    - relu",
        f"    - linear: {'$classes' if classes else 1}",
        "",
        f"loss: {'cross_entropy' if classes else 'mse'}",
        f"metrics: {'[accuracy, f1]' if classes else '[mae, r2]'}",
        "baselines: auto                 # simpler methods beside the network: is it worth it?",
        "optimizer: {adamw: {lr: 1e-3}}",
        "",
        "train:",
        "  epochs: 100",
        "  batch_size: 32",
        "  early_stopping: {monitor: validation/loss, patience: 10}",
        "",
    ]
    return "\n".join(lines)


def _steps(used: list[_Found]) -> list[str]:
    numbers = [one for one in used if one.number]
    texts = [one for one in used if not (one.number or one.time)]
    times = [one for one in used if one.time]
    steps = []
    if lacking := [one.name for one in numbers if one.missing]:
        steps.append(f"impute: {{columns: {_list(lacking)}, with: median, indicator: true}}")
    if lacking := [one.name for one in texts if one.missing]:
        steps.append(f"impute: {{columns: {_list(lacking)}, with: constant, value: missing}}")
    if lacking := [one.name for one in times if one.missing]:
        steps.append(f"impute: {{columns: {_list(lacking)}, with: most_frequent, indicator: true}}")
    if times:
        steps.append(f"date: {{columns: {_list([one.name for one in times])}}}")
    few = [one.name for one in texts if one.distinct <= MOST_CLASSES or one.most < 2 * RARE]
    many = [one.name for one in texts if one.distinct > MOST_CLASSES and one.most >= 2 * RARE]
    if few:
        steps.append(f"one_hot: {{columns: {_list(few)}}}")
    if many:
        steps.append(f"one_hot: {{columns: {_list(many)}, minimum: {RARE}}}")
    return [*steps, "standardize"]


def _about(found: _Found) -> str:
    return f"{found.distinct} different {'numbers' if found.number else 'texts'}"


def _list(names: list[str]) -> str:
    return f"[{', '.join(map(_written, names))}]" if len(names) > 1 else _written(names[0])


def _from_folder(file: Path, spec: Path) -> str:
    """The path of a file as a spec has it: from the spec's folder where the file is in it or below."""
    folder, whole = spec.resolve().parent, file.resolve()
    return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else str(whole)


def _in_line(text: str) -> str:
    """A text as a comment shows it: in one line, and cut where it is long."""
    return shorten(" ".join(text.split()))[1:-1]


def _written(text: str) -> str:
    """A text as a spec has it: in quotes where it could be read as something else, and `$` as `$$`."""
    import json

    words = ("yes", "no", "true", "false", "on", "off", "null", "y", "n")
    if re.fullmatch(r"[A-Za-z][\w./-]*", text) and text.lower() not in words:
        return text
    return json.dumps(text.replace("$", "$$"), ensure_ascii=False)
