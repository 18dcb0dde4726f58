"""Every example in the handwritten pages is right: specs, programs, settings of an editor, errors, and links.

A list in YAML is layers, on the input that its first line says (``# input: [1, 8, 8]``). A mapping with a `model` is
a spec of its own; one without starts from the first example of the language page, which is `base.yaml`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
import torch
from array_files import write_idx
from places import DOCS, ROOT, SPECS
from pyarrow import parquet
from safetensors.torch import save_file

import dlrun
from dlrun.checks.check import check
from dlrun.language.text.document import parse_text

GENERATED = DOCS / "reference.md"
PAGES = [ROOT / "README.md", *sorted(set(DOCS.glob("*.md")) - {GENERATED})]
PROGRAMS = {("language.md", "python"), ("architecture.md", "python"), ("python.md", "python"), ("editor.md", "lua")}
"""Held here, by test_architecture.py and by test_api.py; a program for an editor that is not there is not run."""
WINE = "alcohol,ash,hue,intensity,grower\n" + "".join(
    f"{12 + row / 10},{row % 7},{row % 5},{row % 4},{'abc'[row % 3]}\n" for row in range(30)
)
VISITS = "patient,date,age,pressure,ill\n" + "".join(
    f"p{row % 40},2026-{1 + row % 12:02}-{1 + row % 28:02},{30 + row % 40},{110 + row * 7 % 50},{row % 40 % 2}\n"
    for row in range(200)
)
SHAPES = "file,age,weight,kind\n" + "".join(
    f"shapes/{kind}/{row:02}.png,{row % 7},{row % 5},{kind}\n" for kind in ("circle", "square") for row in range(20)
)

PHRASES = "english,german\n" + "".join(
    f"the {dog} sees a {cat},der {hund} sieht einen {kater}\n"
    for dog, hund in (("dog", "Hund"), ("man", "Mann"), ("cat", "Kater"))
    for cat, kater in (("cat", "Kater"), ("boat", "Kahn"), ("dog", "Hund"), ("man", "Mann"))
)


def blocks(page: Path, language: str = "yaml") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def write_tables(folder: Path) -> None:
    table = pa.concat_tables([pyarrow.csv.read_csv(folder / "wine.csv")] * 5)
    for name in ("wine.parquet", "wine-test.parquet"):
        parquet.write_table(table, folder / name)
    (folder / "sales").mkdir()
    for year in (2024, 2025):
        rows = "".join(f"{row},{row % 4};1.{row + 100},5{row % 9}\n" for row in range(20))
        (folder / "sales" / f"{year}.csv").write_text("größe;price\n" + rows, "cp1252")


def write_weights(folder: Path) -> None:
    (folder / "runs" / "shapes-cnn").mkdir(parents=True)
    trained = {"trunk.linear_1.weight": torch.zeros(32, 64), "trunk.linear_1.bias": torch.zeros(32)}
    trained |= {"head.weight": torch.zeros(3, 32), "head.bias": torch.zeros(3)}
    save_file(trained, folder / "runs" / "shapes-cnn" / "best.safetensors")
    published = torch.nn.Module()
    published.features = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3))
    published.classifier = torch.nn.Linear(128, 10)
    torch.save(published.state_dict(), folder / "published.pth")


def numbered(language: str) -> list:
    return [pytest.param(page, number, id=f"{page.name}-{number}") for page in PAGES
            for number in range(len(blocks(page, language)))]  # fmt: skip


def as_spec(example: str) -> str:
    root = parse_text(example, "example").root
    if isinstance(root.value, list):
        match = re.match(r"# input: (.*)\n", example)
        assert match, "the first line of layers is `# input: shape`"
        return f"model:\n  input: {match[1]}\n  layers:\n" + textwrap.indent(example, "    ")
    assert isinstance(root.value, dict)
    return example if {"model", "extends"} & root.value.keys() else f"extends: base.yaml\n{example}"


@pytest.mark.parametrize(("page", "number"), numbered("yaml"))
def test_the_spec_checks_without_a_note(page, number, tmp_path):
    (tmp_path / "base.yaml").write_text(blocks(DOCS / "language.md")[0], "utf-8")
    (tmp_path / "wine.csv").write_text(WINE, "utf-8")
    (tmp_path / "visits.csv").write_text(VISITS, "utf-8")
    for table in ("people.csv", "messages.csv", "island.txt"):
        shutil.copy(SPECS / "data" / table, tmp_path)
    photos = np.random.default_rng(0).random((20, 3, 48, 64)).astype(np.float32)
    np.savez(tmp_path / "photos.npz", image=photos, label=np.arange(20) % 2)
    write_idx(tmp_path / "mnist", np.arange(600) % 10, packed=True, last=100)
    write_tables(tmp_path)
    (tmp_path / "phrases.csv").write_text(PHRASES, "utf-8")
    shutil.copytree(SPECS / "data" / "shapes", tmp_path / "shapes")
    write_weights(tmp_path)
    (tmp_path / "shapes.csv").write_text(SHAPES, "utf-8")
    spec = tmp_path / "example.yaml"
    spec.write_text(as_spec(blocks(page)[number]), "utf-8")
    checked = check(spec)
    assert checked.plan.steps
    assert checked.notes == ()


def test_the_program_that_loads_a_network_runs(tmp_path, monkeypatch):
    (program,) = blocks(DOCS / "language.md", "python")
    (tmp_path / "digits-cnn.yaml").write_text(blocks(DOCS / "language.md")[0], "utf-8")
    trained = dlrun.train(tmp_path / "digits-cnn.yaml", "train.epochs=3", "tracking=off", runs=tmp_path / "runs")
    (named,) = re.findall(r'"(runs/[^"]+)"', program)
    trained.folder.rename(tmp_path / named)
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(program, found)
    assert found["logits"].shape == (5, 10)


@pytest.mark.parametrize(("page", "number"), numbered("json"))
def test_the_json_is_json(page, number):
    assert json.loads(blocks(page, "json")[number])


def test_every_block_of_code_is_held_by_a_test():
    for page in PAGES:
        for language in re.findall(r"^```(\w+)$", page.read_text("utf-8"), re.MULTILINE):
            assert language in {"yaml", "json"} or (page.name, language) in PROGRAMS


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "language.md"], ids=lambda page: page.name)
def test_the_error_is_the_one_that_check_prints(page, tmp_path):
    (shown,) = re.findall(r"^ *error: unknown setting(?:\n|.)*?\^\^\n", page.read_text("utf-8"), re.MULTILINE)
    shown = textwrap.dedent(shown)
    (path,) = re.findall(r"--> (\S+?):", shown)
    spec = blocks(page)[0] if page.parent == DOCS else (ROOT / path).read_text("utf-8")
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(spec.replace("out_channels: 32", "out_chanels: 32", 1), "utf-8")
    command = [sys.executable, "-m", "dlrun", "check", path]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.strip()) == (2, shown.strip())


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives a page's headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", [*PAGES, GENERATED, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_every_page_and_heading_that_is_linked_is_there(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text("utf-8")):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_of_the_project_that_is_named_is_there(page):
    text = page.read_text("utf-8")
    for name in re.findall(r"(?<!# )(?:^|(?<=[ `(]))((?:specs|docs|tests|benchmarks)/[\w./-]+\w)", text, re.MULTILINE):
        assert (ROOT / name).exists(), name
