"""`dlrun new --from`: the spec fits the file, `check` accepts it, and it trains; mistakes are errors."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pandas
import pytest
import yaml
from new_command import refused, run

import dlrun
from dlrun.checks.check import check

ROWS = 60


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def table(delimiter: str = ",", rows: int = ROWS, **columns) -> str:
    """A table; each column is a function of the row's number and of random numbers."""
    draw = random.Random(7)
    lines = [list(columns)]
    lines += [[str(make(row, draw)) for make in columns.values()] for row in range(rows)]
    return "".join(delimiter.join(line) + "\n" for line in lines)


def amount(row, draw):
    return round(draw.gauss(10, 3), 2)


def comma(row, draw):
    return str(amount(row, draw)).replace(".", ",")


def count(row, draw):
    return draw.randint(0, 30)


def colour(row, draw):
    return draw.choice(["red", "green", "blue"])


def kind(row, draw):
    return "abc"[row % 3]


FILES = {
    "numbers": (".csv", table(a=amount, b=amount, c=count, target=lambda row, draw: row % 2)),
    "texts": (".csv", table(colour=colour, size=lambda row, draw: draw.choice(["s", "m"]), kind=kind)),
    "blanks": (
        ".csv",
        table(
            a=lambda row, draw: "" if row % 7 == 0 else amount(row, draw),
            b=lambda row, draw: "NA" if row % 9 == 1 else count(row, draw),
            colour=lambda row, draw: "?" if row % 11 == 2 else colour(row, draw),
            kind=kind,
        ),
    ),
    "blanks in the target": (
        ".csv",
        table(a=amount, kind=kind, churn=lambda row, draw: "" if row == 3 else "yes" if row % 2 else "no"),
    ),
    "ids": (
        ".csv",
        table(
            id=lambda row, draw: 1000 + row,
            code=lambda row, draw: f"x{row}",
            zip_code=lambda row, draw: f"0{draw.randint(1000, 9999)}",
            a=amount,
            kind=kind,
        ),
    ),
    "dates": (".csv", table(day=lambda row, draw: f"2024-03-{row % 28 + 1:02}", a=amount, kind=kind)),
    "a time in each row": (
        ".csv",
        table(at=lambda row, draw: f"{1900 + row}-03-01T08:30", a=amount, kind=kind),
    ),
    "dates of another form": (
        ".csv",
        table(day=lambda row, draw: f"{row % 28 + 1:02}/03/2024", a=amount, kind=kind),
    ),
    "times with blanks": (
        ".csv",
        table(at=lambda row, draw: "" if row % 7 == 2 else f"2024-03-{row % 28 + 1:02} 08:30", a=amount, kind=kind),
    ),
    "a constant": (
        ".csv",
        table(
            same=lambda row, draw: 1,
            none=lambda row, draw: "",
            flag=lambda row, draw: "" if row % 5 else "x",
            a=amount,
            kind=kind,
        ),
    ),
    "free text": (
        ".csv",
        table(note=lambda row, draw: f"a note about {row // 2 * 7} things", a=amount, kind=kind, rows=160),
    ),
    "many categories": (
        ".csv",
        table(city=lambda row, draw: f"city {min(row % 40, 25)}", a=amount, kind=kind, rows=400),
    ),
    "tabs": (".tsv", table("\t", a=amount, colour=colour, kind=kind)),
    "a target of many numbers": (".csv", table(a=amount, colour=colour, price=lambda row, draw: 100 * row + 0.5)),
    "yes and no": (".csv", table(a=amount, colour=colour, churn=lambda row, draw: draw.choice(["yes", "no"]))),
    "names that need quotes": (
        ".csv",
        table(
            **{
                "a b": amount,
                "yes": lambda row, draw: "" if row % 5 == 0 else count(row, draw),
                "id": lambda row, draw: row,
                "1st": colour,
                "2": amount,
                "x: y #z": lambda row, draw: colour(row, draw) if row % 4 else "",
                "$cost": lambda row, draw: "" if row % 6 == 0 else amount(row, draw),
                '"two\nlines"': lambda row, draw: '"always\nthe same"',
                "- dash": lambda row, draw: "" if row % 6 == 1 else colour(row, draw),
                "null": amount,
                "[odd]*": colour,
                "class": kind,
            }
        ),
    ),
    "a column like the word target": (".csv", table(Class=kind, a=amount, b=amount)),
    "many rare categories": (".csv", table(city=lambda row, draw: f"city {row % 30}", a=amount, kind=kind)),
    "few values": (
        ".csv",
        table(
            once=lambda row, draw: 3 if row == 9 else "",
            flag=lambda row, draw: "" if row % 4 else 1,
            a=amount,
            kind=kind,
        ),
    ),
    "a usual name that is free text": (
        ".csv",
        table(label=lambda row, draw: f"row {row}", a=amount, kind=kind, last=lambda row, draw: f"no {row}"),
    ),
    "semicolons": (".csv", table(";", a=amount, colour=colour, kind=kind)),
    "decimal commas": (".csv", table(";", a=comma, b=comma, colour=colour, kind=kind)),
    "a target in two lines": (".csv", table(a=amount, **{'"which\nkind"': kind})),
    "rare classes": (".csv", table(a=amount, b=amount, kind=lambda row, draw: "odd" if row == 5 else "ab"[row % 2])),
}


def written(text: str, name: str = "table.csv", *words: str) -> dict:
    """The spec for a table, read as any program reads YAML."""
    Path(name).write_text(text, "utf-8")
    run("--from", name, "spec.yaml", *words)
    return yaml.safe_load(Path("spec.yaml").read_text("utf-8"))


@pytest.mark.parametrize("sort", FILES)
def test_the_spec_for_a_file_is_accepted_and_trains(sort, tmp_path):
    suffix, text = FILES[sort]
    written(text, f"my table{suffix}")
    assert check(tmp_path / "spec.yaml", training=True).plan.steps
    outcome = dlrun.train("spec.yaml", "train.epochs=1", "tracking=off", runs="runs")
    assert outcome.status == "FINISHED"
    assert outcome.test


@pytest.mark.parametrize(
    ("sort", "target"),
    [
        ("numbers", "target"),
        ("blanks in the target", "kind"),
        ("a target of many numbers", "price"),
        ("yes and no", "churn"),
        ("names that need quotes", "class"),
        ("a column like the word target", "Class"),
        ("texts", "kind"),
        ("a usual name that is free text", "kind"),
    ],
)
def test_the_column_to_predict_is_guessed_from_the_names_or_is_the_last_without_blanks(sort, target):
    assert written(FILES[sort][1])["data"]["target"] == target


@pytest.mark.parametrize(
    ("sort", "left_out"),
    [
        ("numbers", set()),
        ("ids", {"id", "code"}),
        ("dates", set()),
        ("a time in each row", set()),
        ("dates of another form", {"day"}),
        ("a constant", {"same", "none"}),
        ("free text", {"note"}),
        ("few values", {"once"}),
        ("a usual name that is free text", {"label", "last"}),
        ("many categories", set()),
    ],
)
def test_a_column_that_says_nothing_is_left_out_and_the_spec_says_why(sort, left_out, tmp_path):
    data = written(FILES[sort][1])["data"]
    columns = set(FILES[sort][1].partition("\n")[0].split(",")) - {data["target"]}
    assert set(data.get("features", columns)) == columns - left_out
    (said,) = [line for line in (tmp_path / "spec.yaml").read_text().splitlines() if "# without" in line] or [""]
    assert all(f"{name} (" in said for name in left_out)


def test_each_step_names_the_columns_that_it_is_for():
    steps = written(FILES["blanks"][1])["data"]["preprocess"]
    assert steps[:3] == [
        {"impute": {"columns": ["a", "b"], "with": "median", "indicator": True}},
        {"impute": {"columns": "colour", "with": "constant", "value": "missing"}},
        {"one_hot": {"columns": "colour"}},
    ]


@pytest.mark.parametrize(
    ("sort", "steps"),
    [
        ("dates", [{"date": {"columns": "day"}}]),
        (
            "times with blanks",
            [
                {"impute": {"columns": "at", "with": "most_frequent", "indicator": True}},
                {"date": {"columns": "at"}},
            ],
        ),
    ],
)
def test_times_get_their_parts(sort, steps):
    assert written(FILES[sort][1])["data"]["preprocess"] == [*steps, "standardize"]


def test_a_target_of_numbers_gets_a_regression_and_one_of_texts_a_classification():
    spec = written(FILES["a target of many numbers"][1])
    assert (spec["loss"], spec["data"]["target_preprocess"]) == ("mse", ["standardize"])


def test_the_target_can_be_named(tmp_path):
    spec = written(FILES["numbers"][1], "table.csv", "--target", "b")
    assert (spec["data"]["target"], spec["loss"]) == ("b", "mse")
    assert check(tmp_path / "spec.yaml", training=True).plan.steps


def test_a_target_with_blanks_that_is_named_is_told_before_anything_is_written(tmp_path):
    (tmp_path / "table.csv").write_text(FILES["blanks in the target"][1])
    message = refused("--from", "table.csv", "spec.yaml", "--target", "churn")
    assert "'churn' has no value in some rows" in message
    assert not (tmp_path / "spec.yaml").exists()


@pytest.mark.parametrize(
    ("sort", "target", "why"),
    [("ids", "code", "it names the row"), ("a constant", "same", "always 1"), ("dates", "day", "it holds times")],
)
def test_a_target_that_nothing_can_predict_is_told(sort, target, why, tmp_path):
    (tmp_path / "table.csv").write_text(FILES[sort][1])
    message = refused("--from", "table.csv", "spec.yaml", "--target", target)
    assert f"the column '{target}' cannot be predicted" in message and why in message


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl", "t.csv.gz"])
def test_a_table_in_another_form_gets_the_same_spec(name, tmp_path):
    frame = pandas.read_csv(io.StringIO(table(a=amount, colour=colour, kind=kind))).assign(
        flag=[True, False, True] * 20
    )
    frame.to_csv("t.csv", index=False)
    expected = written(
        Path("t.csv").read_text().replace("True", "1").replace("False", "0"), "t.csv", "--target", "kind"
    )
    Path("spec.yaml").unlink()
    if name == "t.jsonl":
        frame.to_json(name, orient="records", lines=True)
    else:
        frame.to_parquet(name) if name == "t.parquet" else frame.to_csv(name, index=False)
    run("--from", name, "spec.yaml", "--target", "kind")
    spec = yaml.safe_load(Path("spec.yaml").read_text("utf-8"))
    assert check(tmp_path / "spec.yaml", training=True).plan.steps
    source = spec["data"].pop("source")
    assert source == {name.split(".")[1]: name} and expected["data"].pop("source") == {"csv": "t.csv"}
    if name != "t.csv.gz":  # a csv's booleans are texts
        assert spec == expected


def test_numbers_with_a_decimal_comma_are_found():
    spec = written(FILES["decimal commas"][1], "t.csv")
    assert spec["data"]["source"] == {"csv": {"path": "t.csv", "delimiter": ";", "decimal": ","}}
    assert spec["data"]["preprocess"] == [{"one_hot": {"columns": "colour"}}, "standardize"]


def test_the_path_starts_from_the_folder_of_the_spec(tmp_path):
    (tmp_path / "in" / "data").mkdir(parents=True)
    (tmp_path / "in" / "data" / "t.csv").write_text(FILES["numbers"][1])
    assert "wrote in/spec.yaml" in run("--from", "in/data/t.csv", "in/spec.yaml")
    assert yaml.safe_load((tmp_path / "in" / "spec.yaml").read_text())["data"]["source"] == {"csv": "data/t.csv"}
    assert check(tmp_path / "in" / "spec.yaml", training=True).plan.steps


def test_the_next_commands_are_printed(tmp_path):
    (tmp_path / "t.csv").write_text(FILES["numbers"][1])
    shown = run("--from", "t.csv", "t.yaml")
    assert "wrote t.yaml (from t.csv)" in shown
    assert "dlrun check t.yaml" in shown and "dlrun train t.yaml" in shown


def test_a_file_that_is_not_there_is_an_error():
    assert "no.csv does not exist" in refused("--from", "no.csv", "a.yaml")


def test_a_column_that_is_not_there_is_an_error_with_the_nearest_name(tmp_path):
    (tmp_path / "t.csv").write_text(FILES["blanks"][1])
    message = refused("--from", "t.csv", "a.yaml", "--target", "color")
    assert "t.csv has no column 'color'; did you mean 'colour'?" in message
    assert not (tmp_path / "a.yaml").exists()


def test_a_file_of_another_kind_is_an_error(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    assert "`--from` reads csv, tsv, jsonl and parquet files; received t.xlsx" in refused("--from", "t.xlsx", "a.yaml")
    (tmp_path / "t.csv").write_bytes(b"PK\x03\x04\x00\x00\xff\xfe")
    assert "t.csv" in refused("--from", "t.csv", "a.yaml")
    (tmp_path / "empty.csv").write_text("")
    assert "empty.csv" in refused("--from", "empty.csv", "a.yaml")
    (tmp_path / "one.csv").write_text("a,b\n")
    assert "one.csv has no rows" in refused("--from", "one.csv", "a.yaml")
    assert not (tmp_path / "a.yaml").exists()


def test_a_table_without_a_column_to_learn_from_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_text(table(kind=kind))
    assert "no column to learn from besides 'kind'" in refused("--from", "t.csv", "a.yaml")
    (tmp_path / "t.csv").write_text(table(a=lambda row, draw: 1, b=lambda row, draw: 1))
    assert "no column of t.csv can be predicted" in refused("--from", "t.csv", "a.yaml")


def test_a_spec_that_is_there_is_not_changed(tmp_path):
    (tmp_path / "t.csv").write_text(FILES["numbers"][1])
    (tmp_path / "mine.yaml").write_text("mine")
    assert "mine.yaml already exists" in refused("--from", "t.csv", "mine.yaml")
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"mine.yaml", "t.csv"}


def test_a_target_without_a_file_is_an_error(tmp_path):
    assert "`--target` needs `--from`" in refused("a.yaml", "--target", "b")
    assert list(tmp_path.iterdir()) == []


def test_two_names_of_specs_are_an_error(tmp_path):
    (tmp_path / "t.csv").write_text(FILES["numbers"][1])
    assert "takes one file to write" in refused("images", "a.yaml", "--from", "t.csv")
    assert "the name of the file is missing" in refused("--from", "t.csv")
