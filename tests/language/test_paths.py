"""A relative path starts from the folder of the file that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlrun.checks.reading import read_spec
from dlrun.errors import SpecError
from dlrun.language.kinds import families, find, kinds
from dlrun.language.paths import path_settings
from dlrun.language.resolved import resolved
from dlrun.language.settings_schema import sections

REST = "loss: mse\noptimizer: sgd\n"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def source_file(spec: Path, *overrides: str) -> Path:
    reading = read_spec(spec, overrides)
    found = resolved(reading.experiment, reading.folder, {"input": (1,)})
    [settings] = found["data"]["source"].values()
    path = settings["path"]
    return Path(path if isinstance(path, str) else path[-1])


BASE = "data: {source: {csv: data.csv}, target: y}\nmodel: {layers: [linear: 1]}\n" + REST


@pytest.mark.parametrize(
    ("base", "spec", "expected"),
    [
        (BASE, "extends: ../base/base.yaml", "base/data.csv"),
        (BASE.replace("data.csv", "{path: data.csv}"), "extends: ../base/base.yaml", "base/data.csv"),
        (BASE.replace("{csv: data.csv}", "{npz: data.npz}"), "extends: ../base/base.yaml", "base/data.npz"),
        (BASE.replace("{csv: data.csv}", "{npy: data.npy}"), "extends: ../base/base.yaml", "base/data.npy"),
        (BASE.replace("{csv: data.csv}", "{npy: [a.npy, data.npy]}"), "extends: ../base/base.yaml", "base/data.npy"),
        (
            BASE.replace("{csv: data.csv}", "{npy: [$file]}"),
            "extends: ../base/base.yaml\nvars: {file: data.npy}",
            "exp/data.npy",
        ),
        (BASE, "extends: ../base/base.yaml\ndata: {source: {csv: data.csv}}", "exp/data.csv"),
        # a name: the file that gives its value
        (BASE.replace("data.csv", "$file"), "extends: ../base/base.yaml\nvars: {file: data.csv}", "exp/data.csv"),
        (BASE.replace("data.csv", "$file") + "vars: {file: data.csv}", "extends: ../base/base.yaml", "base/data.csv"),
        (
            BASE.replace("data.csv", "$file") + "vars: {file: $other, other: no.csv}",
            "extends: ../base/base.yaml\nvars: {other: data.csv}",
            "exp/data.csv",
        ),
        (
            BASE.replace("{csv: data.csv}", "$source") + "vars: {source: {csv: $file}}",
            "extends: ../base/base.yaml\nvars: {file: data.csv}",
            "exp/data.csv",
        ),
        # a text with a name in it: the file that has the text
        (BASE.replace("data.csv", "$part.csv"), "extends: ../base/base.yaml\nvars: {part: data}", "base/data.csv"),
    ],
)
def test_a_path_of_an_extended_file_starts_from_that_files_folder(
    tmp_path: Path, base: str, spec: str, expected: str
) -> None:
    write(tmp_path, {"base/base.yaml": base, "exp/spec.yaml": spec})
    assert source_file(tmp_path / "exp/spec.yaml") == (tmp_path / expected).resolve()


def test_it_does_through_several_files_and_a_path_on_the_command_line_starts_from_the_specs_folder(
    tmp_path: Path,
) -> None:
    middle = "extends: ../one/base.yaml\nmodel: {weights: start.safetensors}"
    files = {"one/base.yaml": BASE, "two/middle.yaml": middle, "three/spec.yaml": "extends: ../two/middle.yaml"}
    write(tmp_path, files)
    spec = tmp_path / "three/spec.yaml"
    assert source_file(spec) == (tmp_path / "one/data.csv").resolve()
    reading = read_spec(spec)
    model = resolved(reading.experiment, reading.folder, {"input": (1,)})["model"]
    assert model["weights"] == str((tmp_path / "two/start.safetensors").resolve())
    assert source_file(spec, "data.source.csv=x.csv") == (tmp_path / "three/x.csv").resolve()


def test_the_store_of_a_file_starts_from_that_file_and_one_of_the_command_line_from_the_current_folder(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        {
            "base/base.yaml": BASE + "tracking: {mlflow: {uri: 'sqlite:///team.db?mode=rwc'}}",
            "exp/spec.yaml": "extends: ../base/base.yaml",
        },
    )
    tracking = read_spec(tmp_path / "exp/spec.yaml").sections["tracking"]
    assert tracking.uri == f"sqlite:///{tmp_path}/exp/../base/team.db?mode=rwc"
    over = read_spec(tmp_path / "exp/spec.yaml", ["tracking.mlflow.uri=sqlite:///x.db"]).sections["tracking"]
    assert over.uri == f"sqlite:///{Path.cwd()}/x.db"


@pytest.mark.parametrize("path", ["/data/x.csv", "~/x.csv"])
def test_an_absolute_path_stays(tmp_path: Path, path: str) -> None:
    write(tmp_path, {"base/base.yaml": BASE.replace("data.csv", path), "exp/spec.yaml": "extends: ../base/base.yaml"})
    assert source_file(tmp_path / "exp/spec.yaml") == Path(path).expanduser()


def test_a_file_that_is_missing_is_shown_in_the_file_that_names_it(tmp_path: Path) -> None:
    write(
        tmp_path, {"base/base.yaml": BASE, "exp/spec.yaml": "extends: ../base/base.yaml", "exp/data.csv": "a,y\n1,2\n"}
    )
    problem = read_spec(tmp_path / "exp/spec.yaml").data.problem
    assert problem is not None and problem.place is not None
    assert (Path(problem.place.source.name).resolve(), problem.place.line, problem.place.column) == (
        (tmp_path / "base/base.yaml").resolve(),
        1,
        22,
    )


def test_every_setting_that_is_a_file_is_marked_as_a_path() -> None:
    classes = [find(family, kind) for family in families() for kind in kinds(family)]
    for cls in [*classes, *sections().values()]:
        named = {name for name in cls.model_fields if name in ("path", "file", "uri") or name.endswith("_path")}
        assert named <= path_settings(cls).keys(), cls
    assert path_settings(sections()["model"]).keys() == {"weights", "names"}


def doubling(first: str, each: str, count: int = 40) -> str:
    lines = [f"  v{n}: {each.replace('@', f'$v{n - 1}')}" for n in range(1, count)]
    return f"vars:\n  v0: {first}\n" + "\n".join(lines) + f"\nmodel: {{input: 3, layers: [linear: $v{count - 1}]}}\n"


@pytest.mark.parametrize(
    "text",
    [
        doubling("1", "[@, @]"),
        doubling("1", "{a: @, b: @}"),
        doubling("x", '"@@"'),
        doubling("x", '"$(v0)@@"'),
        "blocks:\n  b0: {layers: []}\n"
        + "".join(f"  b{n}: {{layers: [b{n - 1}, b{n - 1}]}}\n" for n in range(1, 40))
        + "model: {input: 3, layers: [b39]}\n",
        "model: {input: 3, layers: [" + "repeat: {times: 1000, layers: [" * 6 + "relu" + "]}" * 6 + "]}",
        "vars: {big: " + "x" * 1000 + "}\nmodel: {input: 3, layers: [linear: '" + "$big" * 100_000 + "']}\n",
    ],
)
def test_a_short_file_never_builds_more_than_it_may(tmp_path: Path, text: str) -> None:
    import time
    import tracemalloc

    (tmp_path / "spec.yaml").write_text(text)
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(SpecError):
        reading = read_spec(tmp_path / "spec.yaml")
        raise SpecError(reading.problems)
    assert time.process_time() - start < 20  # slow machines, and tracemalloc
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()


def test_the_first_problems_are_shown_and_the_number_of_the_others(tmp_path: Path) -> None:
    text = "model: {input: 3, layers: [linear: 1]}\ntrain:\n" + "".join(f"  word{n}: 1\n" for n in range(20_000))
    (tmp_path / "spec.yaml").write_text(text)
    error = SpecError(read_spec(tmp_path / "spec.yaml").problems)
    assert len(error.problems) == 20_000
    assert str(error).endswith("and 19,950 more problems") and len(str(error)) < 20_000


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("model", ["layers", "outputs", "weights", "freeze", "init"]),
        ("train", ["epochs", "precision", "checkpoint", "clip_grad_norm", "drop_last"]),
        ("data", ["source", "split", "features"]),
        ("optimizer", list(kinds("optimizers"))),
        ("loss", ["mse"]),
    ],
)
def test_a_word_that_stands_beside_the_sections_is_sent_to_its_own(
    tmp_path: Path, section: str, words: list[str]
) -> None:
    for word in words:
        (tmp_path / "spec.yaml").write_text(f"model: {{input: 3, layers: [linear: 1]}}\n{word}: {{x: 1}}\n")
        [problem] = read_spec(tmp_path / "spec.yaml").problems
        assert problem.message == f"'{word}' belongs in `{section}`"
