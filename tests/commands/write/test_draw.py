"""dlrun draw: whole files, text on the screen, and the errors where it cannot draw."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from places import ROOT

NET = "model: {input: 4, layers: [{linear: 3}, relu, {sequential: [{linear: 5}, {linear: 2}]}]}"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "net.yaml"
    file.write_text(NET)
    return file


def draw(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dlrun", "draw", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_svg_is_written_beside_the_spec_by_default(spec: Path) -> None:
    done = draw(ROOT, str(spec))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"wrote {spec.with_suffix('.svg')}\n", "")
    assert names(spec.parent) == ["net.svg", "net.yaml"]
    assert "linear 3" in {text.text for text in ElementTree.parse(spec.with_suffix(".svg")).iter() if text.text}


@pytest.mark.parametrize(("kind", "start"), [("mermaid", "---\ntitle: 'net'"), ("dot", 'digraph "net" {')])
def test_text_goes_to_the_screen_and_nowhere_else(spec: Path, kind: str, start: str) -> None:
    done = draw(spec.parent, "net.yaml", "--format", kind)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(start)
    assert names(spec.parent) == ["net.yaml"]


@pytest.mark.parametrize(
    ("name", "start"), [("a.svg", "<svg"), ("a.mmd", "---"), ("a.mermaid", "---"), ("a.dot", "dig"), ("A.GV", "dig")]
)
def test_the_ending_of_the_file_gives_the_format(spec: Path, name: str, start: str) -> None:
    done = draw(spec.parent, "net.yaml", "--output", name)
    assert (done.returncode, done.stdout) == (0, f"wrote {name}\n")
    assert (spec.parent / name).read_text("utf-8").startswith(start)


@pytest.mark.skipif(importlib.util.find_spec("resvg_py") is None, reason="resvg_py is not installed")
def test_a_png_has_two_dots_a_unit(spec: Path) -> None:
    assert draw(spec.parent, "net.yaml").returncode == 0
    assert draw(spec.parent, "net.yaml", "-o", "net.png").returncode == 0
    data = (spec.parent / "net.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width = float(ElementTree.parse(spec.parent / "net.svg").getroot().get("width", ""))
    assert abs(int.from_bytes(data[16:20], "big") - 2 * width) <= 1


def test_a_png_without_its_package_is_an_error_that_says_how_to_install_it(spec: Path) -> None:
    code = "import sys; sys.modules['resvg_py'] = None; sys.argv = ['dlrun', 'draw', 'net.yaml', '-f', 'png']; "
    code += "from dlrun.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=spec.parent, timeout=120)
    assert done.returncode == 2
    assert done.stderr == (
        "error: a PNG needs the package resvg_py, which is not installed\n"
        "   = help: pip install 'dlrun[draw]', or draw an SVG, which needs no package\n"
    )
    assert names(spec.parent) == ["net.yaml"]


def test_overrides_depth_and_weights_change_the_picture(spec: Path) -> None:
    done = draw(spec.parent, "net.yaml", "model.layers[0].linear=7", "-f", "dot", "--depth", "0", "--weights")
    assert done.returncode == 0, done.stderr
    assert 'label="linear 7\\nrelu\\n35 weights"' in done.stdout
    assert 'label="sequential\\n2 layers\\n52 weights"' in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "mermiad"], "unknown format 'mermiad'; did you mean 'mermaid'?"),
        (["--format", "SVG"], "unknown format 'SVG'"),
        (["--output", "net.jpg"], "the ending of net.jpg is not that of a format"),
        (["--output", "net"], "the ending of net is not that of a format"),
        (["--output", "gone/net.svg"], "there is no folder gone"),
        (["--output", ".", "--format", "svg"], ". is a folder"),
        (["--output", "net.yaml", "--format", "svg"], "net.yaml is the spec itself"),
    ],
)
def test_what_cannot_be_written_is_an_error_and_changes_nothing(spec: Path, arguments: list[str], message: str) -> None:
    done = draw(spec.parent, "net.yaml", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {message}")
    assert names(spec.parent) == ["net.yaml"]
    assert spec.read_text() == NET


def test_a_wrong_spec_leaves_the_picture_that_was_there(spec: Path) -> None:
    (spec.parent / "net.svg").write_text("old")
    done = draw(spec.parent, "net.yaml", "model.layers[0].linear=no")
    assert done.returncode == 2
    assert "'out_features'" in done.stderr
    assert (spec.parent / "net.svg").read_text() == "old"


def test_the_picture_in_the_documentation_is_current(tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.svg"
    assert draw(ROOT, "specs/digits_residual.yaml", "--output", str(drawn)).returncode == 0
    committed = ROOT / "docs" / "pictures" / "digits_residual.svg"
    assert drawn.read_text("utf-8") == committed.read_text("utf-8"), "dlrun draw it again, as docs/drawing.md says"


TRAINED = """
data: {source: {sklearn: iris}}
model: {layers: [linear: $classes]}
loss: cross_entropy
optimizer: {sgd: {lr: 0.1}}
schedule: {exponential: 0.5}
train: {epochs: 4}
"""


def test_a_schedule_is_drawn_on_the_screen_or_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(TRAINED)
    shown = draw(tmp_path, "net.yaml", "--schedule")
    assert (shown.returncode, shown.stderr) == (0, "") and names(tmp_path) == ["net.yaml"]
    assert shown.stdout.split()[0] == "0.1" and shown.stdout.rstrip().endswith("4 epochs")
    written = draw(tmp_path, "net.yaml", "--schedule", "--format", "svg")
    assert written.stdout == "wrote net-schedule.svg\n"
    assert ElementTree.parse(tmp_path / "net-schedule.svg").getroot().tag.endswith("svg")


def test_a_schedule_that_follows_a_metric_is_drawn_with_a_word_about_it(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(TRAINED)
    done = draw(tmp_path, "net.yaml", "--schedule", "schedule={reduce_on_plateau: 0.5}")
    assert "reduce_on_plateau lowers the rate as validation/loss decides" in done.stdout


def test_a_schedule_that_cannot_be_drawn_is_an_error(spec: Path) -> None:
    for arguments, message in ((("-f", "dot"), "not drawn as dot"), ((), "describes only a network")):
        done = draw(spec.parent, "net.yaml", "--schedule", *arguments)
        assert done.returncode == 2 and message in done.stderr
        assert names(spec.parent) == ["net.yaml"]
