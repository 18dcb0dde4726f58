"""`dlrun new`: a commented spec to start from, and the schema for completion in an editor."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from dlrun.commands import screen
from dlrun.commands.arguments import usable, usable_or_none
from dlrun.errors import Problem, SpecError
from dlrun.language.suggestions import did_you_mean
from dlrun.runs import durable

DEFAULT_TEMPLATE = "tabular_classification"
SCHEMA_FILE = "dlrun.schema.json"
SYNONYMS = {
    "classification": "tabular_classification",
    "tabular": "tabular_classification",
    "image": "images",
    "cnn": "images",
    "vision": "images",
    "digits": "images",
    "wine": "tabular_classification",
    "diabetes": "regression",
}


def _offered(incomplete: str) -> list[str]:
    """The templates that a shell offers."""
    return [name for name in _templates() if name.startswith(incomplete)]


def new(
    template: Annotated[
        str | None,
        typer.Argument(
            help="tabular_classification (the default), regression or images.",
            show_default=False,
            autocompletion=_offered,
        ),
    ] = None,
    file: Annotated[
        str | None, typer.Argument(help="The file to write; it may be given without a template.", show_default=False)
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--from", help="A table (csv, tsv, jsonl or parquet): write a spec that fits it.", callback=usable_or_none
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="With --from: the column to predict. Without it, a column with a usual name, or the last one."
        ),
    ] = None,
) -> None:
    """Write a complete, commented spec to start from."""
    if data is not None:
        if file is not None:
            message = f"`--from` takes one file to write; received {template} and {file}"
            raise SpecError([Problem(message, hint=f"dlrun new --from {data} {file}")])
        path = _named(template)
        from dlrun.commands.write.starter import starter

        text, what = starter(data, path, target), f"from {data}"
    else:
        if target is not None:
            raise SpecError(
                [
                    Problem(
                        "`--target` needs `--from`, the file that has the column",
                        hint="dlrun new --from people.csv people.yaml",
                    )
                ]
            )
        template, path = _template_and_file(template, file)
        text, what = _templates()[template], template
    if not path.parent.is_dir():
        raise SpecError([Problem(f"there is no folder {path.parent}", hint=f"mkdir -p {path.parent}")])
    _write_new(path, text)
    screen.say(f"wrote {path} ({what})")
    _write_schema(path.parent / SCHEMA_FILE)
    screen.say(f"\nnext:\n  dlrun check {path}\n  dlrun train {path}")


def _templates() -> dict[str, str]:
    """Each template's name and text."""
    folder = resources.files("dlrun.commands.write") / "templates"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".yaml")), key=lambda item: item.name)
    return {item.name.removesuffix(".yaml"): item.read_text("utf-8") for item in files}


def _template_and_file(first: str | None, second: str | None) -> tuple[str, Path]:
    """One argument is the file; of two, the first is the template."""
    known = list(_templates())
    if first is None or (second is None and first in known):
        hint = f"dlrun new {first} {first}.yaml" if first else "dlrun new first.yaml"
        raise SpecError([Problem("the name of the file is missing", hint=hint)])
    template, name = (first, second) if second is not None else (DEFAULT_TEMPLATE, first)
    if template not in known:
        hint = "templates: " + ", ".join(known)
        raise SpecError([Problem(f"unknown template '{template}'{did_you_mean(template, known, SYNONYMS)}", hint=hint)])
    return template, _named(name)


def _named(name: str | None) -> Path:
    """The file to write."""
    if name is None:
        raise SpecError([Problem("the name of the file is missing", hint="dlrun new --from people.csv people.yaml")])
    if not name.endswith((".yaml", ".yml")):
        raise SpecError([Problem(f"a spec's name ends in .yaml; received {name}", hint=f"write {name}.yaml")])
    return usable(Path(name))


def _write_schema(path: Path) -> None:
    from dlrun.views.reference.json_schema import language_schema

    text = json.dumps(language_schema(), indent=2, ensure_ascii=False) + "\n"
    if not path.exists():
        _write_new(path, text)
        screen.say_folded(f"wrote {path}: with it an editor completes and checks what you write", hanging=2)
    elif path.read_bytes() != text.encode():
        screen.say_folded(f"kept {path}, which is of another version; `dlrun schema > {path}` updates it", hanging=2)


def _write_new(path: Path, text: str) -> None:
    """Write a new file: the whole file, or nothing.

    Raises:
        SpecError: the file already exists, or cannot be written.
    """
    try:
        durable.create_file(path, [text.encode()])
    except FileExistsError:
        raise SpecError([Problem(f"{path} already exists", hint="choose another name; nothing was changed")]) from None
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
