"""From the file of an image to the numbers of its pixels; and the program of a process that decodes images.

It is run as a file of its own, and imports nothing of dlrun, so that a process is ready at once: see `_decoding.py`.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
MOST_PIXELS = 89_478_485
"""The largest image that is decoded, as Pillow limits it: a file of a few bytes can say that it has more."""
SPARE = 2
"""How many times the wanted size a JPEG has that was decoded at a part of its own."""
GREY = ("1", "L", "LA")
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes of grey images with 16 bits."""
ALPHA = ("LA", "PA", "RGBA")
SWAPPING = (5, 6, 7, 8)
"""The EXIF orientations of images that lie on their side."""
ORIENTATION = 0x0112


class ImageError(Exception):
    """A file cannot be used; the text says why, after the file's name."""


class Header(NamedTuple):
    """What a file says of its image before the pixels."""

    height: int
    width: int
    """Of the upright image."""
    channels: int
    bits: int


class Rule(NamedTuple):
    """What every image becomes."""

    height: int
    width: int
    channels: int
    """1: grey, 3: red, green, blue."""
    bits: int
    """8 or 16 a number."""
    resize: str | None
    """`stretch`, `fit`, `crop`; None where every image must have this size."""
    to_grey: bool
    """Whether colours become grey; otherwise a file with colours among grey ones is an error."""
    like: str
    """An image that is so, for errors."""

    @property
    def bytes(self) -> int:
        """How many an image takes."""
        return self.height * self.width * self.channels * self.bits // 8


def header(path: str) -> Header:
    """What a file says of its image; nothing is decoded.

    Raises:
        ImageError: it is no image, or too large.
    """
    with _opened(path) as image:
        return _header(image)


def pixels(path: str, rule: Rule) -> bytes:
    """The numbers of an image, channel after channel, each row after row; of 16 bits with the low byte first.

    Transparent pixels show white behind them. Grey is 0.299 R + 0.587 G + 0.114 B. In colours, a grey of 16 bits keeps
    the high 8.

    Raises:
        ImageError: it is no image, is damaged, too large, or not as the rule says.
    """
    with _opened(path) as image:
        _shrink(image, rule)
        image.load()
        found = _header(image)
        if rule.resize is None and (found.height, found.width) != (rule.height, rule.width):
            size = f"{found.height} x {found.width}"
            raise ImageError(f"is {size} pixels, and {rule.like} is {rule.height} x {rule.width}")
        if found.channels > rule.channels and not rule.to_grey:
            raise ImageError(f"has colours, and {rule.like} is grey")
        if found.bits != rule.bits and rule.channels == 1:
            raise ImageError(f"has {found.bits} bits a pixel, and {rule.like} has {rule.bits}")
        return _bytes(_resized(_converted(_upright(image), rule), rule))


@contextmanager
def _opened(path: str) -> Iterator[Image]:
    """An image whose pixels are not read yet; whatever a damaged file ends in becomes one error."""
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS
    try:
        with open(path, "rb", opener=_open_at_once) as file, warnings.catch_warnings():
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ImageError("is not a regular file")
            warnings.simplefilter("ignore")
            Image.MAX_IMAGE_PIXELS = None  # Pillow's own error does not say the size
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise ImageError(f"is {image.height} x {image.width} pixels; at most {MOST_PIXELS:,} are decoded")
                yield image
    except ImageError:
        raise
    except MemoryError:
        raise ImageError("is too large for the memory that is left") from None
    except Image.UnidentifiedImageError:
        raise ImageError(f"is damaged, or no image of the formats {', '.join(FORMATS)}") from None
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from None
    except Exception as error:  # Pillow raises errors of many types
        what = str(error).partition("\n")[0] or type(error).__name__
        raise ImageError(f"is damaged: {what}") from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; of a pipe without waiting for who writes into it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _header(image: Image) -> Header:
    # Of a PNG, the EXIF block may stand after the pixels, which Pillow would decode to look for it.
    turned = (image.format != "PNG" or "exif" in image.info) and image.getexif().get(ORIENTATION) in SWAPPING
    height, width = (image.width, image.height) if turned else (image.height, image.width)
    return Header(height, width, 1 if image.mode in GREY + DEEP else 3, 16 if image.mode in DEEP else 8)


def _shrink(image: Image, rule: Rule) -> None:
    """Let a JPEG be decoded at a half, a quarter or an eighth of its size, if that is still `SPARE` times the rule's.

    This takes a fraction of the time, and each pixel is the mean of those that it covers.
    """
    if rule.resize is None or image.format not in ("JPEG", "MPO"):
        return
    found = _header(image)
    upright = (found.height, found.width) == (image.height, image.width)
    size = (rule.width, rule.height) if upright else (rule.height, rule.width)
    image.draft(image.mode, (SPARE * size[0], SPARE * size[1]))


def _upright(image: Image) -> Image:
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _converted(image: Image, rule: Rule) -> Image:
    """The image in the mode of the rule: L, RGB, or I for 16 bits."""
    from PIL.Image import alpha_composite, new

    if rule.bits == 16:
        return image.convert("I")
    if image.mode in DEEP:
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif image.mode in ALPHA or "transparency" in image.info:
        image = image.convert("RGBA")
        image = alpha_composite(new("RGBA", image.size, "white"), image)
    return image.convert("L" if rule.channels == 1 else "RGB")


def _resized(image: Image, rule: Rule) -> Image:
    from PIL import ImageOps
    from PIL.Image import Resampling

    size = (rule.width, rule.height)
    if image.size == size:
        return image
    if rule.resize == "fit":
        return ImageOps.pad(image, size, Resampling.BILINEAR, color=0)
    if rule.resize == "crop":
        return ImageOps.fit(image, size, Resampling.BILINEAR)
    return image.resize(size, Resampling.BILINEAR)


def _bytes(image: Image) -> bytes:
    if image.mode == "I":
        return image.convert("I;16").tobytes()
    return b"".join(band.tobytes() for band in image.split())


def decode(paths: list[str], rule: Rule) -> tuple[list[str | None], bytes]:
    """The bytes of some images, one after the other, and for each why it cannot be used, or None."""
    errors: list[str | None] = []
    found = []
    for path in paths:
        try:
            found.append(pixels(path, rule))
            errors.append(None)
        except ImageError as error:
            errors.append(str(error))
    return errors, b"".join(found)


def main() -> None:
    """Read the rule, then lists of paths, each on a line as JSON; answer each with the errors as JSON, and the bytes.

    The process ends when its input does, so it outlives nobody.
    """
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches every process of a terminal; the one that asks ends us
    rule = Rule(**json.loads(sys.stdin.buffer.readline()))
    for line in sys.stdin.buffer:
        errors, found = decode(json.loads(line), rule)
        sys.stdout.buffer.write(json.dumps([errors, len(found)]).encode() + b"\n")
        sys.stdout.buffer.write(found)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
