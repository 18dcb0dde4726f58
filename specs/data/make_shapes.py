"""Draw the folder shapes: 40 small images for each of three shapes, of random sizes, places and colours.

python specs/data/make_shapes.py [FOLDER]
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

EACH, SIZE, SEED = 40, 16, 7


def shape(name: str, draw: random.Random) -> Image.Image:
    """One image."""
    image = Image.new("RGB", (SIZE, SIZE), tuple(draw.randrange(80) for _ in range(3)))
    width = draw.randint(7, 12)
    left, top = (draw.randint(1, SIZE - width - 1) for _ in range(2))
    colour = tuple(draw.randint(110, 255) for _ in range(3))
    right, bottom = left + width - 1, top + width - 1
    pen = ImageDraw.Draw(image)
    if name == "circle":
        pen.ellipse((left, top, right, bottom), colour)
    elif name == "square":
        pen.rectangle((left, top, right, bottom), colour)
    else:
        pen.polygon(((left, bottom), (right, bottom), ((left + right) // 2, top)), colour)
    return image


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("shapes")
    draw = random.Random(SEED)
    for name in ("circle", "square", "triangle"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(EACH):
            shape(name, draw).save(folder / name / f"{number:02}.png", optimize=True)


if __name__ == "__main__":
    main()
