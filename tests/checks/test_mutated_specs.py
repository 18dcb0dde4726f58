"""Two thousand broken specs: whatever somebody types, the answer is a list of problems with a line each."""

import random
import re
import shutil
from pathlib import Path

import pytest
from places import SPECS

from dlrun.checks.check import check, check_model
from dlrun.errors import SpecError

SPECS = sorted(SPECS.glob("*.yaml"))
MUTATIONS = 2000
SHARES = 8
"""So that a failing share names a small range, and shares run side by side."""

HUGE = ["1" + "0" * 12, "9" * 30, "9" * 60, "-1", "0", "1e308", "1e999", ".nan", "-.inf", "0x" + "f" * 45, "1_000"]
STRANGE = [
    "[]",
    "{}",
    "''",
    "null",
    "true",
    "[1, 2]",
    "{a: 1}",
    "word",
    "$x",
    "$(1",
    "$(1/0)",
    "$(2**999)",
    "!!int",
    "*a",
]
STRANGE += [
    "&a [*a]",
    "- - -",
    "'",
    '"',
    "\t",
    "2026-11-31",
    "0o8",
    "!!python/object:os.system x",
    "{{{{",
    "@",
    "`",
    "%",
]


def misspell_a_word(text: str, chance: random.Random) -> str:
    found = list(re.finditer(r"[A-Za-z_0-9]{2,}", text))
    if not found:
        return text
    match = chance.choice(found)
    word = list(match[0])
    at = chance.randrange(len(word))
    match chance.randrange(4):
        case 0:
            del word[at]
        case 1:
            word.insert(at, chance.choice("aeioux_"))
        case 2:
            word[at] = chance.choice("abcxyz9")
        case _:
            word = list("".join(word).swapcase())
    return text[: match.start()] + "".join(word) + text[match.end() :]


def replace_a_value(text: str, chance: random.Random, values: list[str]) -> str:
    found = list(re.finditer(r"(?<=: )[^\s,{}\[\]]+", text))
    if not found:
        return text
    match = chance.choice(found)
    return text[: match.start()] + chance.choice(values) + text[match.end() :]


def swap_types(text: str, chance: random.Random) -> str:
    return replace_a_value(text, chance, STRANGE)


def make_a_value_huge(text: str, chance: random.Random) -> str:
    return replace_a_value(text, chance, HUGE)


def delete_a_line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    del lines[chance.randrange(len(lines))]
    return "\n".join(lines)


def double_a_line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    return "\n".join([*lines[: at + 1], *lines[at:]])


def indent_a_line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    lines[at] = lines[at].removeprefix("  ") if chance.random() < 0.5 else "  " + lines[at]
    return "\n".join(lines)


def put_a_character(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    return text[:at] + chance.choice("{}[]:,#&*!|>'\"%@`$()-\t\x00\x07é\ud800\ufeff") + text[at:]


def cut_short(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(len(text))]


KINDS = [
    misspell_a_word,
    swap_types,
    make_a_value_huge,
    delete_a_line,
    double_a_line,
    indent_a_line,
    put_a_character,
    cut_short,
]


@pytest.mark.parametrize("share", range(SHARES))
def test_every_mutated_spec_is_right_or_told_with_a_line(share: int, tmp_path: Path) -> None:
    shutil.copy(SPECS[0].parent / "wine.csv", tmp_path)
    as_validation_error = 0
    for number in range(share, MUTATIONS, SHARES):
        chance = random.Random(number)
        text = chance.choice(SPECS).read_text()
        for _ in range(chance.choice((1, 1, 2, 3))):
            text = chance.choice(KINDS)(text or " ", chance)
        file = tmp_path / f"{number}.yaml"
        file.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        for command in (check, check_model):
            try:
                command(file)
            except SpecError as error:
                as_validation_error += 1
                assert error.problems
                for problem in error.problems:
                    assert problem.place is not None, f"{number}: {problem.message}\n{text}"
                    assert problem.place.line >= 1
                    assert problem.message in problem.render()
                    problem.as_data()
    assert as_validation_error > MUTATIONS / SHARES / 2, "the mutations no longer break anything"
