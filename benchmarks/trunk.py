"""Time a training with a frozen trunk of convolutions, with the trunk computed once and with it in each step.

    python benchmarks/trunk.py [rows] [epochs]

trains a new head on `rows` (2000) images of 32 x 32 for `epochs` (20), in the same process and in turns, and prints the
seconds of each training from its first line to its end, with the computing of the trunk, and their ratio.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import dlrun
from dlrun.training.lifecycle import trunk as computing

ROUNDS = 3
SPEC = """
data: {{source: {{npz: images.npz}}, features: x, target: y, split: {{validation: 0.1, test: 0.1}}}}
model:
  input: [1, 32, 32]
  freeze: trunk
  layers:
    - sequential:
        name: trunk
        layers:
          - repeat:
              times: 3
              layers:
                - conv2d: {{out_channels: 32, kernel_size: 3, padding: same}}
                - batch_norm
                - relu
                - max_pool2d: 2
          - flatten
    - dropout: 0.3
    - linear: 64
    - relu
    - linear: 10
loss: cross_entropy
metrics: [accuracy]
optimizer: adam
train: {{epochs: {epochs}, batch_size: 64, device: cpu}}
tracking: off
baselines: off
"""


def write(folder: Path, rows: int, epochs: int) -> Path:
    """Write the spec and its images: blurred noise, darker in one of ten places for each class."""
    draw = np.random.default_rng(0)
    y = draw.integers(0, 10, rows)
    x = draw.normal(size=(rows, 1, 32, 32)).astype("f4")
    for row, number in enumerate(y):
        x[row, 0, 3 * number : 3 * number + 4] -= 1
    np.savez(folder / "images.npz", x=x, y=y)
    (folder / "spec.yaml").write_text(SPEC.format(epochs=epochs))
    return folder / "spec.yaml"


@contextlib.contextmanager
def in_each_step() -> Iterator[None]:
    """Let no trunk be computed once."""
    own, computing.trunk = computing.trunk, lambda *_: None
    try:
        yield
    finally:
        computing.trunk = own


def seconds(spec: Path) -> float:
    started = time.perf_counter()
    dlrun.train(spec, runs=spec.parent / "runs")
    return time.perf_counter() - started


def main() -> None:
    rows, epochs = [*map(int, sys.argv[1:]), *(2000, 20)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as name:
        spec = write(Path(name), rows, epochs)
        once, each = [], []
        dlrun.train(spec, "train.epochs=1", runs=spec.parent / "runs")  # imports
        for _ in range(ROUNDS):
            once.append(seconds(spec))
            with in_each_step():
                each.append(seconds(spec))
    print(
        f"{rows:,} rows, {epochs} epochs: once {min(once):.2f} s, in each step {min(each):.2f} s, "
        f"ratio {min(each) / min(once):.1f}"
    )


if __name__ == "__main__":
    main()
