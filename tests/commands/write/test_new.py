"""`dlrun new`: the templates are whole, nothing is overwritten, and mistakes are errors."""

from __future__ import annotations

import json

import pytest
from new_command import refused, run

from dlrun.checks.check import check
from dlrun.commands.write import new as command
from dlrun.views.reference.json_schema import language_schema

TEMPLATES = ("images", "regression", "tabular_classification")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_template_is_a_complete_spec_that_could_train(template, tmp_path):
    run(template, "first.yaml")
    checked = check(tmp_path / "first.yaml", (), training=True)
    assert checked.experiment.train.early_stopping is not None
    assert (tmp_path / "first.yaml").read_text().startswith("# yaml-language-server: $schema=dlrun.schema.json\n")


def test_these_are_all_the_templates():
    assert tuple(command._templates()) == TEMPLATES


def test_the_file_alone_starts_from_tabular_classification_and_the_next_commands_are_printed(tmp_path):
    shown = run("wine.yaml")
    assert (tmp_path / "wine.yaml").read_text() == command._templates()["tabular_classification"]
    assert "dlrun check wine.yaml" in shown and "dlrun train wine.yaml" in shown


def test_the_schema_is_written_beside_the_spec_and_this_is_printed(tmp_path):
    (tmp_path / "specs").mkdir()
    assert "wrote specs/dlrun.schema.json" in run("specs/wine.yaml")
    assert json.loads((tmp_path / "specs" / "dlrun.schema.json").read_text()) == language_schema()
    assert "schema" not in run("specs/second.yaml")


def test_another_versions_schema_is_kept_and_the_command_that_updates_it_is_printed(tmp_path):
    (tmp_path / "dlrun.schema.json").write_text("{}")
    assert "`dlrun schema > dlrun.schema.json` updates it" in run("wine.yaml")
    assert (tmp_path / "dlrun.schema.json").read_text() == "{}"


def test_a_file_that_is_there_is_never_overwritten(tmp_path):
    (tmp_path / "mine.yaml").write_text("mine")
    assert "mine.yaml already exists" in refused("mine.yaml")
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path):
    (tmp_path / "mine.yaml").symlink_to(tmp_path / "elsewhere")
    assert "mine.yaml already exists" in refused("mine.yaml")
    assert not (tmp_path / "elsewhere").exists()


def test_where_there_are_no_hard_links_the_file_is_renamed_into_its_place(tmp_path, monkeypatch):
    def no_links(old, new, **_folders):
        raise PermissionError("no links here")

    monkeypatch.setattr("os.link", no_links)
    run("wine.yaml")
    assert {path.name for path in tmp_path.iterdir()} == {"wine.yaml", "dlrun.schema.json"}
    assert "already exists" in refused("wine.yaml")


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def no_room(old, new, **_folders):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.link", no_room)
    monkeypatch.setattr("os.replace", no_room)
    assert "cannot write wine.yaml: No space left on device" in refused("wine.yaml")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error_and_is_not_made(tmp_path):
    assert "there is no folder nowhere" in refused("nowhere/wine.yaml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("word", "meant"), [("regresion", "regression"), ("cnn", "images"), ("tabular", "tabular_classification")]
)
def test_a_misspelt_template_names_the_nearest(word, meant):
    assert f"did you mean '{meant}'?" in refused(word, "a.yaml")


def test_a_template_that_resembles_none_lists_them():
    assert "templates: images, regression, tabular_classification" in refused("qqqqq", "a.yaml")


def test_a_missing_file_name_is_an_error():
    assert "dlrun new images images.yaml" in refused("images")
    assert "the name of the file is missing" in refused()


def test_a_file_that_is_not_called_yaml_is_refused():
    assert "write wine.yaml" in refused("wine")
