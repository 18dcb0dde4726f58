"""Every YAML example in the handwritten pages is right.

A list is layers, on the input that its first line says (``# input: [1, 8, 8]``). A mapping with a `model` is
a spec of its own; one without starts from the first example of the language page, which is `base.yaml`.
"""

from __future__ import annotations

import re
import textwrap

import pytest
from places import DOCS

from dlrun.checks.check import check
from dlrun.language.text.document import parse_text

PAGES = ("language.md", "editor.md")
WINE = "alcohol,ash,hue,intensity,grower\n" + "".join(
    f"{12 + row / 10},{row % 7},{row % 5},{row % 4},{'abc'[row % 3]}\n" for row in range(30)
)


def examples(page: str) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def as_spec(example: str) -> str:
    root = parse_text(example, "example").root
    if isinstance(root.value, list):
        match = re.match(r"# input: (.*)\n", example)
        assert match, "the first line of layers is `# input: shape`"
        return f"model:\n  input: {match[1]}\n  layers:\n" + textwrap.indent(example, "    ")
    assert isinstance(root.value, dict)
    return example if {"model", "extends"} & root.value.keys() else f"extends: base.yaml\n{example}"


@pytest.mark.parametrize(
    ("page", "number"), [(page, number) for page in PAGES for number in range(len(examples(page)))]
)
def test_the_example_checks(page, number, tmp_path):
    (tmp_path / "base.yaml").write_text(examples("language.md")[0], "utf-8")
    (tmp_path / "wine.csv").write_text(WINE, "utf-8")
    spec = tmp_path / "example.yaml"
    spec.write_text(as_spec(examples(page)[number]), "utf-8")
    assert check(spec).plan.steps


def test_every_page_that_is_linked_is_there():
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
