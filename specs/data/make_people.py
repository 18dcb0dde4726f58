"""Write people.csv: 400 invented people, as messy as tables of people are. Nobody in it is real.

python specs/data/make_people.py [FILE]
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

ROWS, SEED = 400, 7
COLUMNS = ("id", "age", "work", "education", "hours_week", "hours_travel", "owner", "income")
WORK = {"private": 0.0, "public": -0.3, "own firm": 0.6, "none": -1.5, "army": 0.2}
"""What each kind of work adds to the chance of a high income."""
SHARES = (60, 22, 12, 5, 1)
EDUCATION = {"school": -1.2, "college": 0.0, "university": 1.2, "doctor": 2.2}
BLANK = 0.08
"""The share of the cells without a value, in the columns that have such cells."""


def person(number: int, draw: random.Random) -> tuple[object, ...]:
    """One row."""
    age = draw.randint(18, 75)
    work = draw.choices(list(WORK), SHARES)[0]
    education = draw.choices(list(EDUCATION), (40, 30, 25, 5))[0]
    week = 0 if work == "none" else max(8, round(draw.gauss(38, 9)))
    travel = round(max(0.0, draw.gauss(4, 2)), 1)
    score = WORK[work] + EDUCATION[education] + (week - 35) / 10 + (age - 42) / 20 + draw.gauss(0, 0.6)
    owner = "yes" if draw.random() < 1 / (1 + math.exp(-score)) else "no"
    blank = draw.random() < BLANK
    return (
        1000 + number,
        age,
        "" if blank else work,
        education,
        week,
        "" if draw.random() < BLANK else travel,
        owner if draw.random() >= BLANK / 2 else "?",
        "high" if score > 0.5 else "low",
    )


def main(file: Path) -> None:
    """Write the file."""
    draw = random.Random(SEED)
    rows = [COLUMNS, *(person(number, draw) for number in range(ROWS))]
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "people.csv")
