"""Time the reading of a folder of small images: the first time, from the cache, and by `dlrun check`.

    python benchmarks/images.py [count] [size]

draws `count` (20,000) colour images of `size` (64) pixels a side in a folder that is removed at the end. Each line is
of a process of its own; `import` is what such a process takes before it reads anything.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

CLASSES = ("a", "b", "c", "d")
SPEC = """
data: {source: {images: images}}
model: {layers: [flatten, linear: $classes]}
loss: cross_entropy
optimizer: adam
"""
IMPORT = "import numpy, PIL.Image; from dlrun.components.sources.images import Images"
READ = f"{IMPORT}; from pathlib import Path; Images(path='images').open(Path()).numbers(['image'])"


def make(folder: Path, count: int, size: int) -> int:
    """Draw the images, smooth in parts and noisy in others, as photographs; returns how many bytes they have."""
    draw, size_of_all = random.Random(0), 0
    noise = Image.frombytes("RGB", (4 * size, 4 * size), draw.randbytes(48 * size * size))
    for number in range(count):
        path = folder / CLASSES[number % len(CLASSES)] / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (size, size), tuple(draw.randbytes(3)))
        left, top = (draw.randrange(3 * size) for _ in range(2))
        image.paste(noise.crop((left, top, left + size // 2, top + size // 2)), (size // 4, size // 4))
        image.save(path)
        size_of_all += path.stat().st_size
    return size_of_all


def measure(folder: Path, command: list[str]) -> tuple[float, float, float]:
    """Seconds, seconds of a processor, and peak MiB of a process, with the processes that it starts."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    count, size = [*map(int, sys.argv[1:]), *(20_000, 64)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DLRUN_CACHE"] = str(folder / "cache")
        os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
        (folder / "spec.yaml").write_text(SPEC)
        size_of_all = make(folder / "images", count, size)
        decoded = 3 * size**2 * count
        print(f"{count:,} images of {size} x {size}: {size_of_all / 2**20:.0f} MiB, {decoded / 2**20:.0f} MiB decoded")
        for title, command in {
            "import": ["-c", IMPORT],
            "first time": ["-c", READ],
            "from the cache": ["-c", READ],
            "and again": ["-c", READ],
            "dlrun check": ["-m", "dlrun", "check", "spec.yaml"],
            "dlrun params": ["-m", "dlrun", "params", "spec.yaml"],
        }.items():
            seconds, busy, peak = measure(folder, command)
            print(f"{title:<16} {seconds:7.2f} s, {busy:5.2f} s of a processor, peak {peak:5.0f} MiB")


if __name__ == "__main__":
    main()
