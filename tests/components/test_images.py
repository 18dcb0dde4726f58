"""Images as Pillow and NumPy read them: the numbers of every sort of file, and what each resize and rule does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from dlrun.components.sources import SourceError, Table
from dlrun.components.sources._decoding import DecodingError, decoded
from dlrun.components.sources._pixels import Rule
from dlrun.components.sources.images import Images
from dlrun.data.survey import digest as _digest
from dlrun.stored import StoredArray

RANDOM = np.random.default_rng(5)
COLOURS = RANDOM.integers(0, 256, (6, 9, 3), dtype=np.uint8)
GREY = RANDOM.integers(0, 256, (6, 9), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (6, 9), dtype=np.uint16)


def folder(root: Path, *images: Image.Image, ending: str = "png", **options: Any) -> Path:
    """A folder with the images in the class `a`, and again in `b`."""
    for label in ("a", "b"):
        (root / "set" / label).mkdir(parents=True)
        for number, image in enumerate(images):
            image.save(root / "set" / label / f"{number}.{ending}", **options)
    return root / "set"


def read(root: Path, **settings: Any) -> np.ndarray:
    """The numbers of the first image."""
    return table(root, **settings).numbers(["image"])[:][0]


def table(root: Path, whole: bool = True, **settings: Any) -> Table:
    found = Images.read({"path": str(root), **settings}).open(Path(), whole)
    assert found.rows == found.read_rows
    return found


def planes(values: np.ndarray) -> np.ndarray:
    """(height, width, channels) as (channels, height, width)."""
    return values.transpose(2, 0, 1) if values.ndim == 3 else values[np.newaxis]


@pytest.mark.parametrize(
    ("ending", "options"), [("png", {}), ("bmp", {}), ("webp", {"lossless": True, "exact": True})], ids=str
)
def test_a_lossless_file_has_the_numbers_that_were_saved(ending: str, options: dict, tmp_path: Path) -> None:
    values = read(folder(tmp_path, Image.fromarray(COLOURS), ending=ending, **options))
    assert values.dtype == np.uint8 and np.array_equal(values, planes(COLOURS))


def test_grey_has_one_channel_unless_three_are_asked_for(tmp_path: Path) -> None:
    root = folder(tmp_path, Image.fromarray(GREY))
    assert np.array_equal(read(root), planes(GREY))
    assert np.array_equal(read(root, channels=3), np.stack([GREY] * 3))


def test_colours_become_grey_by_the_weights_of_television(tmp_path: Path) -> None:
    values = read(folder(tmp_path, Image.fromarray(COLOURS)), channels=1)
    assert np.abs(values[0] - COLOURS @ [0.299, 0.587, 0.114]).max() <= 0.51


def test_black_and_white_is_0_and_255(tmp_path: Path) -> None:
    assert np.array_equal(read(folder(tmp_path, Image.fromarray(GREY > 99)))[0], np.where(GREY > 99, 255, 0))


def test_a_jpeg_is_as_pillow_reads_it_and_so_is_cmyk(tmp_path: Path) -> None:
    root = folder(tmp_path, Image.fromarray(COLOURS), Image.fromarray(COLOURS).convert("CMYK"), ending="jpg")
    values = table(root).numbers(["image"])[:]
    for number in (0, 1):
        with Image.open(root / "a" / f"{number}.jpg") as image:
            assert image.mode == ("RGB", "CMYK")[number]
            assert np.array_equal(values[number], planes(np.asarray(image.convert("RGB"))))


def test_a_palette_is_its_colours_and_a_gif_its_first_frame(tmp_path: Path) -> None:
    few = Image.fromarray(COLOURS).quantize(8, dither=Image.Dither.NONE)
    root = folder(tmp_path, few, ending="gif", save_all=True, append_images=[Image.new("P", few.size)])
    with Image.open(root / "a" / "0.gif") as image:
        assert image.n_frames == 2
    assert np.array_equal(read(root), planes(np.asarray(few.convert("RGB"))))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_behind_transparent_pixels_is_white(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(COLOURS).convert(mode)
    alpha = np.resize(np.array([0, 255, 128, 30], np.uint8), GREY.shape)
    image.putalpha(Image.fromarray(alpha))
    shown, share = np.asarray(image.convert("RGB"), float), alpha[..., None] / 255
    values = read(folder(tmp_path, image), channels=3)
    assert np.abs(values - planes(shown * share + 255 * (1 - share))).max() <= 1
    assert (values[:, alpha == 0] == 255).all() and np.array_equal(
        values[:, alpha == 255], planes(shown)[:, alpha == 255]
    )


def test_a_transparent_colour_of_a_palette_is_white(tmp_path: Path) -> None:
    few = Image.fromarray(COLOURS).quantize(8, dither=Image.Dither.NONE)
    values = read(folder(tmp_path, few, transparency=3))
    assert np.array_equal(
        values, planes(np.where((np.asarray(few) == 3)[..., None], 255, np.asarray(few.convert("RGB"))))
    )


def test_grey_of_16_bits_keeps_them_and_in_colours_the_high_ones(tmp_path: Path) -> None:
    root = folder(tmp_path, Image.fromarray(DEEP))
    assert read(root).dtype == np.uint16 and np.array_equal(read(root), planes(DEEP))
    assert np.array_equal(read(root, channels=3), np.stack([DEEP >> 8] * 3))
    small = read(root, size=[3, 4])
    wanted = Image.fromarray(DEEP.astype(np.int32)).resize((4, 3), Image.Resampling.BILINEAR)
    assert np.array_equal(small, planes(np.asarray(wanted)))


UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
"""What EXIF's orientations ask for, as the standard says where row 0 and column 0 are."""


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_turns_an_image_upright(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = table(folder(tmp_path, Image.fromarray(COLOURS), exif=exif))
    wanted = planes(UPRIGHT[orientation](COLOURS))
    assert found.fields["image"].shape == wanted.shape
    assert np.array_equal(found.numbers(["image"])[:][0], wanted)


LARGE = RANDOM.integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(10, 12), (80, 60)], ids=["smaller", "larger"])
def test_stretch_is_bilinear_as_in_pillow_and_torch(size: tuple[int, int], tmp_path: Path) -> None:
    values = read(folder(tmp_path, Image.fromarray(LARGE)), size=list(size))
    assert np.array_equal(
        values, planes(np.asarray(Image.fromarray(LARGE).resize(size[::-1], Image.Resampling.BILINEAR)))
    )
    floats = torch.from_numpy(planes(LARGE).astype(np.float32))[None]
    wanted = torch.nn.functional.interpolate(floats, size=size, mode="bilinear", antialias=True)[0].numpy()
    assert np.abs(values - wanted).max() <= 1


@pytest.mark.parametrize("size", [(10, 12), (12, 30)], ids=["higher", "wider"])
def test_fit_shows_all_between_zeros_and_crop_the_middle(size: tuple[int, int], tmp_path: Path) -> None:
    root, image, (height, width) = folder(tmp_path, Image.fromarray(LARGE)), Image.fromarray(LARGE), size
    fit, crop = (read(root, size=list(size), resize=how) for how in ("fit", "crop"))
    bilinear = Image.Resampling.BILINEAR
    assert np.array_equal(fit, planes(np.asarray(ImageOps.pad(image, size[::-1], bilinear, color=0))))
    assert np.array_equal(crop, planes(np.asarray(ImageOps.fit(image, size[::-1], bilinear))))
    if height / width > 40 / 60:  # in fit the width is full, and in crop the height
        whole, part = round(width * 40 / 60), 40 * width / height
        assert (fit[:, : (height - whole) // 2] == 0).all() and fit[:, (height - whole) // 2].any()
        box = (30 - part / 2, 0, 30 + part / 2, 40)
    else:
        whole, part = round(height * 60 / 40), 60 * height / width
        assert (fit[:, :, : (width - whole) // 2] == 0).all() and fit[:, :, (width - whole) // 2].any()
        box = (0, 20 - part / 2, 60, 20 + part / 2)
    assert np.array_equal(crop, planes(np.asarray(image.resize(size[::-1], bilinear, box=box))))


@pytest.mark.parametrize("resize", ["stretch", "fit", "crop"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_decoded_at_a_part_of_its_size_to_nearly_the_same(
    resize: str, orientation: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    down, across = np.mgrid[:300, :500] / 40
    smooth = np.stack([np.sin(down), np.cos(across), np.sin(down + across)], axis=2) * 120 + 128
    exif = Image.Exif()
    exif[0x0112] = orientation
    root = folder(tmp_path, Image.fromarray(smooth.astype(np.uint8)), ending="jpg", quality=95, exif=exif)
    drafts = []
    draft = JpegImageFile.draft
    monkeypatch.setattr(JpegImageFile, "draft", lambda *given: drafts.append(draft(*given)))
    part = read(root, size=[30, 35], resize=resize).astype(int)
    assert drafts[0] and drafts[0][1][2:] == (500 / 4, 300 / 4)
    monkeypatch.setattr(JpegImageFile, "draft", lambda *given: None)
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "other"))
    assert np.abs(part - read(root, size=[30, 35], resize=resize)).max() <= 4


def test_processes_decode_the_same_bytes_in_the_same_order(tmp_path: Path) -> None:
    paths = []
    for number in range(150):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(RANDOM.integers(0, 256, (5, 4, 3), dtype=np.uint8)).save(paths[-1])
    (tmp_path / "70.png").write_bytes(b"no image")
    rule = Rule(6, 6, 3, 8, "fit", False, "0.png")
    here, there = (list(decoded(paths, rule, processes)) for processes in (0, 3))
    assert here == there
    assert [len(errors) for errors, _ in here] == [64, 64, 22]
    errors = [error for part, _ in here for error in part]
    assert [number for number, error in enumerate(errors) if error] == [70]
    stopped = decoded(paths, rule, 2)
    next(stopped)
    stopped.close()  # as an error between two answers does


def test_a_process_that_ends_by_itself_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ends.py").write_text("import sys; sys.stdin.readline(); sys.exit(1)")
    monkeypatch.setattr("dlrun.components.sources._pixels.__file__", str(tmp_path / "ends.py"))
    with pytest.raises(DecodingError, match="ended before its time, at one of 2 from a"):
        list(decoded(["a.png", "b.png"], Rule(6, 6, 3, 8, "fit", False, ""), 1))


def test_the_digest_is_that_of_the_array_and_the_array_is_on_the_disk(tmp_path: Path) -> None:
    found = table(folder(tmp_path, Image.fromarray(COLOURS)))
    values = found.numbers(["image"])
    assert isinstance(values, StoredArray)
    assert found.digest(["image"]) == _digest(values) and found.digest(["label"]) is None
    assert table(tmp_path / "set").digest(["image"]) == _digest(values)


def test_a_changed_file_is_decoded_again(tmp_path: Path) -> None:
    root = folder(tmp_path, Image.fromarray(COLOURS))
    read(root)
    Image.fromarray(255 - COLOURS).save(root / "a" / "0.png")
    assert np.array_equal(read(root), planes(255 - COLOURS))


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path, Image.fromarray(COLOURS))

    def changing(paths: list[str], rule: Rule) -> Any:
        yield from decoded(paths, rule)
        Image.fromarray(255 - COLOURS).save(root / "b" / "0.png")

    monkeypatch.setattr("dlrun.components.sources._images.decoded", changing)
    with pytest.raises(SourceError) as caught:
        read(root)
    assert caught.value.message == "1 images changed while they were read:\n  b/0.png"
