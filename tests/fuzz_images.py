"""Images with random damage: each is decoded or named as an error, and nothing else happens.

    python tests/fuzz_images.py [COUNT] [SEED]

changes files of every format in random places, and reports how many were refused, and the slowest. A file that ends in
a traceback or takes longer than `SECONDS` is printed with its number.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from PIL import Image

from dlrun.components.sources._pixels import ImageError, Rule, header, pixels

SECONDS = 5.0
SIZES = ((16, 16), (7, 30), (64, 48))


def originals() -> list[tuple[str, bytes]]:
    """Whole files: each format in the modes that it has."""
    random_bytes = random.Random(1)
    found = []
    exif = Image.Exif()
    exif[0x0112] = 6
    for size in SIZES:
        colours = Image.frombytes("RGB", size, random_bytes.randbytes(3 * size[0] * size[1]))
        for ending, modes in {
            "png": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"),
            "jpeg": ("RGB", "L", "CMYK"),
            "webp": ("RGB", "RGBA"),
            "gif": ("P", "L"),
            "bmp": ("RGB", "P", "1"),
        }.items():
            for mode in modes:
                image = colours.convert("I").convert("I;16") if mode == "I;16" else colours.convert(mode)
                more = {"exif": exif} if ending in ("png", "jpeg", "webp") else {}
                more |= {"save_all": True, "append_images": [image]} if ending == "gif" else {}
                file = io.BytesIO()
                image.save(file, ending, **more)
                found.append((ending, file.getvalue()))
    return found


def damaged(data: bytes, draw: random.Random) -> bytes:
    """A file with random changes."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 5, 40))):
        at = min(
            len(changed) - 1, int(draw.expovariate(1 / 40)) if draw.random() < 0.5 else draw.randrange(len(changed))
        )
        how = draw.randrange(6)
        if how == 0:
            changed[at] = draw.randrange(256)
        elif how == 1:
            changed[at] ^= 1 << draw.randrange(8)
        elif how == 2:
            changed[at : at + 4] = draw.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"))
        elif how == 3:
            del changed[at : at + draw.randrange(1, 60)]
        elif how == 4:
            changed[at:at] = draw.randbytes(draw.randrange(1, 60))
        else:
            del changed[max(1, at) :]
        if not changed:
            return b""
    return bytes(changed)


def fuzz(count: int, seed: int, folder: Path) -> tuple[Counter[str], float]:
    """Decode damaged images; returns how many were refused by the beginning of the error, and the longest time.

    Raises:
        AssertionError: one ended in anything but its pixels or an `ImageError`.
    """
    files, draw = originals(), random.Random(seed)
    found: Counter[str] = Counter()
    longest = 0.0
    for number in range(count):
        ending, data = files[number % len(files)]
        path = folder / f"fuzzed.{ending}"
        path.write_bytes(damaged(data, draw))
        channels = draw.choice((1, 3))
        rule = Rule(9, 11, channels, 8, draw.choice(("stretch", "fit", "crop")), True, "another")
        start = time.perf_counter()
        try:
            header(str(path))
            assert len(pixels(str(path), rule)) == rule.bytes
            found["decoded"] += 1
        except ImageError as error:
            assert str(error) and "\n" not in str(error)
            found[" ".join(str(error).split()[:3])] += 1
        except BaseException as error:
            raise AssertionError(f"number {number} of seed {seed}") from error
        longest = max(longest, time.perf_counter() - start)
        assert longest < SECONDS, f"number {number} of seed {seed} took {longest:.1f} s"
    return found, longest


def main() -> None:
    count, seed = [*map(int, sys.argv[1:]), *(2000, 0)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as folder:
        found, longest = fuzz(count, seed, Path(folder))
    for what, number in found.most_common():
        sys.stdout.write(f"{number:6} {what}\n")
    sys.stdout.write(f"{count} files, the slowest {longest:.3f} s\n")


if __name__ == "__main__":
    main()
