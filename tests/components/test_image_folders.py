"""Which files of a folder or a csv are images, of which class and split; and what is wrong with others."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz_images import fuzz
from PIL import Image

from dlrun import cache
from dlrun.api import train
from dlrun.checks.check import check
from dlrun.commands.train.run_screen import RunScreen
from dlrun.components.sources import SourceError, Table
from dlrun.components.sources._images import NAMED
from dlrun.components.sources.images import Images
from dlrun.errors import SpecError

SPEC = """
data:
  source: {{images: {source}}}
  split: {{validation: 0.25, test: 0.25}}
model: {{layers: [flatten, linear: $classes]}}
loss: cross_entropy
optimizer: adam
"""


ROWS = [("cat", 0), ("cat", 1), ("cat", 2), ("cat", 3), ("dog", 4), ("dog", 5), ("dog", 6), ("dog", 7)]


def draw(path: Path, value: int = 0, size: tuple[int, int] = (4, 3), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of two classes with four images each, whose first numbers are 0 to 7 in the order of the rows."""
    for number in range(8):
        draw(tmp_path / "set" / ("cat", "dog")[number // 4] / f"{number}.png", number)
    return tmp_path / "set"


def opened(path: Path, whole: bool = True, **settings: Any) -> Table:
    return Images.read({"path": str(path), **settings}).open(Path(), whole)


def labels(table: Table) -> list[str]:
    texts = table.texts("label")
    return [texts.distinct[number] for number in texts.rows]


def test_each_folder_is_a_class_and_rows_are_in_the_order_of_names(root: Path) -> None:
    table = opened(root)
    assert labels(table) == ["cat"] * 4 + ["dog"] * 4 and table.counts("label") == {"cat": 4, "dog": 4}
    assert table.numbers(["image"])[:][:, 0, 0, 0].tolist() == list(range(8))
    assert table.fields["image"].shape == (3, 3, 4) and table.fields["image"].type == "image"
    assert table.own_target == "label" and not table.own_splits
    assert table.cell("image", 5) == "the image of dog/5.png"


def test_folders_of_numbers_are_classes_in_the_order_of_numbers(tmp_path: Path) -> None:
    for label in ("10", "9", "2"):
        draw(tmp_path / label / "a.png")
    assert list(opened(tmp_path).counts("label") or ()) == ["2", "9", "10"]


@pytest.mark.parametrize("name", ["validation", "val", "valid"])
def test_folders_above_the_classes_are_the_splits(name: str, tmp_path: Path) -> None:
    for number, (split, label) in enumerate(
        [("train", "a"), ("train", "b"), (name, "a"), (name, "b"), ("test", "a"), ("test", "c")]
    ):
        draw(tmp_path / split / label / "1.png", number)
    table = opened(tmp_path)
    assert table.own_splits == {"validation": range(2, 4), "test": range(4, 6)}
    assert labels(table) == ["a", "b", "a", "b", "a", "c"]
    assert table.counts("label") == {"a": 3, "b": 2, "c": 1}
    assert table.numbers(["image"])[:][:, 0, 0, 0].tolist() == list(range(6))


def test_hidden_files_are_left_out_and_others_with_a_note(root: Path) -> None:
    for name in (".DS_Store", "cat/.hidden.png", "__MACOSX/cat/1.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    assert opened(root).notes() == ()
    (root / "readme.txt").write_text("")
    (root / "dog" / "Thumbs.db").write_text("")
    (root / "bird").mkdir()
    table = opened(root)
    assert labels(table) == ["cat"] * 4 + ["dog"] * 4
    assert {note.name: note.message for note in table.notes()} == {
        "other_files": "set has other files than images, which are left out: dog/Thumbs.db and 1 more",
        "empty_folders": "set has folders without an image, which are no classes: bird",
    }


def no_classes(root: Path) -> Path:
    return root / "cat"


def nothing(root: Path) -> Path:
    (root / "none" / "cat").mkdir(parents=True)
    return root / "none"


def beside(root: Path) -> None:
    draw(root / "1.png")


def nested(root: Path) -> None:
    draw(root / "cat" / "more" / "1.png")


def images_in_a_split(root: Path) -> Path:
    draw(root / "parts" / "train" / "cat" / "1.png")
    draw(root / "parts" / "test" / "1.png")
    return root / "parts"


def two_validations(root: Path) -> Path:
    for split in ("train", "val", "validation"):
        draw(root / "parts" / split / "cat" / "1.png")
    return root / "parts"


def link_outside(root: Path) -> None:
    draw(root.parent / "far.png")
    (root / "cat" / "far.png").symlink_to(root.parent / "far.png")


def another_size(root: Path) -> None:
    draw(root / "dog" / "6.png", size=(5, 3))


def turned(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 3)).save(root / "dog" / "6.png", exif=exif)


def grey(root: Path) -> None:
    draw(root / "dog" / "6.png", mode="L")


def deep(root: Path) -> None:
    for number in range(8):
        draw(root / ("cat", "dog")[number // 4] / f"{number}.png", mode="I;16" if number == 6 else "L")


def bomb(root: Path) -> None:
    """A few bytes that say 100000 x 100000."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 90_000, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    (root / "dog" / "6.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))


def no_image(root: Path) -> None:
    (root / "dog" / "6.png").write_bytes(b"<svg/>")
    (root / "dog" / "7.png").write_bytes(b"")


def same_class_twice(root: Path) -> None:
    draw(root / "1" / "a.png")
    draw(root / "1.0" / "a.png")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (no_classes, "the folder cat has no folder of a class in it"),
        (nothing, "the folder none holds no images"),
        (beside, "set/1.png lies beside the folders of the classes"),
        (nested, "set/cat/more is a folder in the folder of a class"),
        (images_in_a_split, "the folder parts/test holds images, such as 1.png, and must have a folder for each class"),
        (two_validations, "val and validation are folders for one split"),
        (link_outside, "set/cat/far.png is a link that leads out of the folder, to {above}/far.png"),
        (another_size, "cat/0.png is 3 x 4 pixels, and dog/6.png is 3 x 5 pixels"),
        (turned, "cat/0.png is 3 x 4 pixels, and dog/6.png is 4 x 3 pixels"),
        (grey, "cat/0.png has colours, and dog/6.png is grey"),
        (deep, "cat/0.png has 8 bits a pixel, and dog/6.png has 16 bits a pixel"),
        (
            bomb,
            "1 of 8 images cannot be used:\n  dog/6.png is 90000 x 100000 pixels; at most 89,478,485 are decoded",
        ),
        (
            no_image,
            "2 of 8 images cannot be used:\n"
            "  dog/6.png is damaged, or no image of the formats BMP, GIF, JPEG, PNG, WEBP\n"
            "  dog/7.png is damaged, or no image of the formats BMP, GIF, JPEG, PNG, WEBP",
        ),
        (same_class_twice, "the folder set has the same number in two forms, '1' and '1.0'"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_with_a_folder_is_one_error(
    prepare: Callable[[Path], Path | None], message: str, root: Path
) -> None:
    place = prepare(root) or root
    with pytest.raises(SourceError) as caught:
        opened(place, whole=False)
    assert caught.value.message == message.format(above=root.parent)
    assert caught.value.at == ("source", "images", "path")


def test_links_may_lead_outside_where_the_spec_says_so(root: Path) -> None:
    link_outside(root)
    assert opened(root, outside=True).rows == 9
    (root / "cat" / "far.png").unlink()
    (root / "cat" / "near.png").symlink_to(root / "dog" / "4.png")
    assert opened(root).rows == 9


def test_all_images_that_cannot_be_decoded_are_named_at_once(root: Path) -> None:
    no_image(root)
    draw(root / "dog" / "8.png", 3, size=(300, 300))
    whole = (root / "dog" / "8.png").read_bytes()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)).save(root / "dog" / "8.png")
    whole = (root / "dog" / "8.png").read_bytes()
    (root / "dog" / "8.png").write_bytes(whole[:60])
    with pytest.raises(SourceError) as caught:
        opened(root).numbers(["image"])
    assert caught.value.message.startswith("3 of 9 images cannot be used:\n  dog/6.png is damaged, or no image")
    assert "dog/8.png cannot be read: " in caught.value.message or "dog/8.png is damaged: " in caught.value.message
    for number in range(100):
        (root / "dog" / f"b{number}.png").write_bytes(b"")
    with pytest.raises(SourceError) as caught:
        opened(root).numbers(["image"])
    lines = caught.value.message.splitlines()
    assert lines[0] == "103 of 109 images cannot be used:"
    assert len(lines) == 1 + NAMED + 1 and lines[-1] == "  and 83 more"


def listed(root: Path, *lines: str) -> Path:
    file = root / "list.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_the_columns_of_a_csv_are_fields_beside_the_images(root: Path) -> None:
    file = listed(root, "photo,age,kind", "dog/5.png,3.5,x", "cat/1.png,2,y", "dog/5.png,1,x")
    table = opened(file, column="photo")
    assert {name: field.type for name, field in table.fields.items()} == {
        "photo": "image",
        "age": "number",
        "kind": "text",
    }
    table.read({"photo": ("features",), "age": ("target",)}, {"kind": ("features",)})
    assert table.numbers(["photo"])[:][:, 0, 0, 0].tolist() == [5, 1, 5]
    assert table.numbers(["age"]).tolist() == [[3.5], [2], [1]]
    assert table.texts("kind").distinct == ("x", "y")


def test_images_beside_other_columns_need_features(root: Path, tmp_path: Path) -> None:
    listed(root, "image,age,label", *(f"{label}/{number}.png,{number},{label}" for label, number in ROWS))
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(source="set/list.csv"))
    with pytest.raises(SpecError) as caught:
        check(spec, ["data.target=label"])
    (problem,) = caught.value.problems
    assert problem.message == "images needs `features`, the name of a column"
    assert check(spec, ["data.target=label", "data.features=image"]).plan.input_shapes == {"input": (3, 3, 4)}
    by_name = "{picture: image, table: age}"
    with pytest.raises(SpecError) as caught:
        check(spec, ["data.target=label", "data.features=[image, age]"])
    (problem,) = caught.value.problems
    assert problem.message == "the column 'image' has the shape (3, 3, 4) and stands alone"
    with pytest.raises(SpecError, match="input 'table'"):  # which this network does not use
        check(spec, ["data.target=label", f"data.features={by_name}"])


def test_paths_of_a_csv_that_lead_outside_or_nowhere_are_told_at_once(root: Path) -> None:
    draw(root.parent / "far.png")
    (root / "link").symlink_to(root.parent)
    (root / "cat" / "far.png").symlink_to(root.parent / "far.png")
    paths = ["cat/0.png", "../far.png", "/far.png", "link/far.png", "cat/far.png", "cat/none.png", "", "cat/1.png"]
    file = listed(root, "image,label", *(f"{path},{number % 2}" for number, path in enumerate(paths)))
    with pytest.raises(SourceError) as caught:
        opened(file)
    out = "which is outside of the folder of the file"
    assert caught.value.message.splitlines() == [
        "6 paths cannot be read:",
        f"  list.csv:3: column 'image' is '../far.png', {out}",
        f"  list.csv:4: column 'image' is '/far.png', {out}",
        f"  list.csv:5: column 'image' is 'link/far.png', {out}",
        f"  list.csv:6: column 'image' is 'cat/far.png', {out}",
        "  list.csv:7: column 'image' is 'cat/none.png', which cannot be read: No such file or directory",
        "  list.csv:8: column 'image' is '', and a path is expected",
    ]
    assert caught.value.hint == "`outside: true` allows paths out of the folder"
    file = listed(root, "image,label", f"{root.parent}/far.png,1", "../far.png,2", "link/far.png,3")
    assert opened(file, outside=True).rows == 3


def test_a_pipe_in_a_csv_is_refused_and_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe.png")
    with pytest.raises(SourceError, match=r"pipe\.png is not a regular file"):
        opened(listed(root, "image,label", "pipe.png,1"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"column": "imag"}, "list.csv has no column 'imag' of paths; did you mean 'image'?"),
        ({"path": "nowhere"}, "the folder or file nowhere does not exist"),
    ],
)
def test_a_setting_that_names_nothing_says_what_there_is(change: dict, message: str, root: Path) -> None:
    file = listed(root, "image,label", "cat/0.png,1")
    with pytest.raises(SourceError) as caught:
        Images.read({"path": str(file), **change}).open(Path())
    assert caught.value.message == message


def test_check_looks_at_headers_and_decodes_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "spec.yaml").write_text(SPEC.format(source="set"))
    (root / "cat" / "1.png").write_bytes((root / "cat" / "1.png").read_bytes()[:44])  # its header is whole
    checked = check(tmp_path / "spec.yaml")
    assert checked.plan.input_shapes == {"input": (3, 3, 4)} and checked.notes == ()
    assert not (tmp_path / "cache").exists()


def test_what_is_decoded_is_reported_and_shown_once(root: Path, tmp_path: Path, capsys: Any) -> None:
    seen: list[tuple[str, float]] = []
    with cache.watching(lambda what, share: seen.append((what, share))):
        opened(root, size=2).numbers(["image"])
        opened(root, size=2).numbers(["image"])  # from the cache
    assert seen == [("decoding 8 images of set", share) for share in (0, 1)]
    (tmp_path / "spec.yaml").write_text(SPEC.format(source="set"))
    screen = RunScreen(check(tmp_path / "spec.yaml"))
    for one in seen:
        screen.caching(*one)
    assert capsys.readouterr().out == "  cache   decoding 8 images of set\n"


def test_training_on_images_that_cannot_be_decoded_is_one_error_and_writes_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "spec.yaml").write_text(SPEC.format(source="set"))
    (root / "cat" / "1.png").write_bytes((root / "cat" / "1.png").read_bytes()[:44])  # its header is whole
    assert check(tmp_path / "spec.yaml").notes == ()
    with pytest.raises(SpecError) as caught:
        train(tmp_path / "spec.yaml", "tracking=off", runs=tmp_path / "runs")
    assert str(caught.value) == (
        "error: 1 of 8 images cannot be used:\n"
        "  cat/1.png cannot be read: image file is truncated\n"
        f" --> {tmp_path}/spec.yaml:3:20  data.source.images\n"
        "  |\n"
        "3 |   source: {images: set}\n"
        "  |                    ^^^\n"
        "   = help: mend or remove them"
    )
    assert not (tmp_path / "runs").exists()
    assert [entry.suffix for entry in (tmp_path / "cache").iterdir()] == [".lock"]


def test_damaged_images_are_decoded_or_refused_and_nothing_else_happens(tmp_path: Path) -> None:
    found, _ = fuzz(200, 11, tmp_path)  # `python tests/fuzz_images.py 2000` tries more
    assert found.total() == 200 and 10 < found["decoded"] < 100
