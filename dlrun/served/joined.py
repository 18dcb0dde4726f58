"""One forward pass for the rows of all requests that wait."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
import torch

from dlrun.trained.answers import Array
from dlrun.trained.predict import BLOCK, outputs_of
from dlrun.trained.run import TrainedRun

Outputs = Mapping[str, torch.Tensor]


@dataclass(slots=True, eq=False)
class _Asked:
    numbers: Array
    inputs: Sequence[torch.Tensor]
    outputs: Future[Outputs] = field(default_factory=Future)


class JoinedPasses:
    """The network in a thread of its own: rows that come while it computes are computed together afterwards."""

    def __init__(self, run: TrainedRun):
        self.run = run
        self.passes = 0
        """How many forward passes there were."""
        self._waiting: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="network", daemon=True)
        self._thread.start()

    def outputs(self, numbers: Array, inputs: Sequence[torch.Tensor]) -> Outputs:
        """The outputs for some rows by name; waits for them.

        Raises:
            SpecError: a step of the preprocessing is not defined for a number of a row.
        """
        asked = _Asked(numbers, inputs)
        self._waiting.put(asked)
        return asked.outputs.result()

    def close(self) -> None:
        """End the thread, once all that wait have their outputs."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        with torch.inference_mode():
            while (first := self._waiting.get()) is not None:
                self._answer(self._joined_to(first))

    def _joined_to(self, first: _Asked) -> list[_Asked]:
        """All that wait, up to the rows of one pass."""
        found, rows = [first], len(first.numbers)
        while rows < BLOCK:
            try:
                asked = self._waiting.get_nowait()
            except queue.Empty:
                break
            if asked is None:  # the last one
                self._waiting.put(None)
                break
            found.append(asked)
            rows += len(asked.numbers)
        return found

    def _answer(self, asked: Sequence[_Asked]) -> None:
        self.passes += 1
        try:
            inputs = [torch.cat(parts) for parts in zip(*(one.inputs for one in asked), strict=True)]
            numbers = np.concatenate([one.numbers for one in asked])
            found = outputs_of(self.run.network, numbers, inputs, self.run.outputs[0].name)
        except Exception as error:
            if len(asked) == 1:
                asked[0].outputs.set_exception(error)
            else:  # the rows of one are wrong, and the others are to have their answers
                for one in asked:
                    self._answer([one])
            return
        counts = [len(one.numbers) for one in asked]
        parts = {name: values.split(counts) for name, values in found.items()}
        for place, one in enumerate(asked):
            one.outputs.set_result({name: split[place] for name, split in parts.items()})
