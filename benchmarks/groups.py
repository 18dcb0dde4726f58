"""Time a step with the weights in two groups beside one with all of them in one, for each optimizer.

    python benchmarks/groups.py [optimizer ...]

trains a network of two hidden layers on the digits, of 48 and of 256 units, in turns in the same process. It prints for
each optimizer the microseconds of a step with one group, and how much more one with two groups takes: the least of many
rounds of an epoch. muon moves matrices alone, so there lion moves the biases.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from dlrun.checks.check import check
from dlrun.components.optimizers import SearchingOptimizer
from dlrun.language.kinds import find, kinds
from dlrun.training.lifecycle.setup import prepare_training
from dlrun.training.loop import Training
from dlrun.training.state import TrainingState

ROUNDS = 50
NETWORKS = {48: 32, 256: 64}
"""Units of a hidden layer, and rows of a batch."""
SPEC = """
data: {{source: {{sklearn: digits}}, preprocess: [minmax], split: {{validation: 0, test: 0}}}}
model: {{layers: [linear: {units}, relu, linear: {units}, relu, linear: $classes]}}
loss: cross_entropy
optimizer: [{optimizer}]
train: {{epochs: 1000, batch_size: {batch}, device: cpu}}
"""


class Silent:
    """Watches a training, and writes no checkpoint."""

    def progress(self, progress: object) -> None: ...
    def epoch(self, epoch: int, metrics: dict[str, float], epochs: int) -> None: ...
    def after_step(self, training: Training) -> None: ...
    def after_epoch(self, training: Training) -> None: ...


def begun(folder: Path, optimizer: str, units: int, batch: int) -> Training:
    """A training after its first epoch, in which its steps are captured."""
    file = folder / "spec.yaml"
    file.write_text(SPEC.format(optimizer=optimizer, units=units, batch=batch))
    training = Training(prepare_training(check(file, training=True)).task, Silent(), Silent(), TrainingState())
    training.task.network.train()
    training._epoch()
    return training


def written(kind: str) -> tuple[str, str]:
    """An optimizer with all weights in one group, and with those of the first layer in another."""
    settings = "lr: 0.01" + (", momentum: 0.9" if kind == "sgd" else "")
    first, all_left, others = "linear_1", "", ""
    if kind == "muon":
        first, all_left, others = "linear_1.weight", ", weights: '*.weight'", ", lion: {}"
    one = f"{kind}: {{{settings}{all_left}}}{others}"
    return one, f"{kind}: {{{settings}, weights: {first}}}, {one}"


def seconds(training: Training) -> float:
    """Of a step, over the next epoch."""
    start = time.perf_counter()
    training._epoch()
    return (time.perf_counter() - start) / training.length.per_epoch


def main(chosen: list[str]) -> None:
    """Time and print."""
    stepping = [kind for kind in kinds("optimizers") if not issubclass(find("optimizers", kind), SearchingOptimizer)]
    print(f"{'':10}" + "".join(f"  {units:>4} units: one group, two" for units in NETWORKS))
    with tempfile.TemporaryDirectory() as folder:
        for kind in chosen or stepping:
            line = f"{kind:10}"
            for units, batch in NETWORKS.items():
                pair = [begun(Path(folder), optimizer, units, batch) for optimizer in written(kind)]
                least = [min(times) for times in zip(*([*map(seconds, pair)] for _ in range(ROUNDS)), strict=True)]
                line += f"  {least[0] * 1e6:>13.1f} us {least[1] / least[0] - 1:>+9.1%}"
            print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
