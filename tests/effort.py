"""How much a piece of Python computes, compared with a loop that is timed beside it: a busy machine slows both."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


def _one_unit() -> float:
    """The CPU seconds of a million additions, at least."""
    times = []
    for _ in range(3):
        began = time.process_time()
        total = 0
        for number in range(1_000_000):
            total += number
        times.append(time.process_time() - began)
    return min(times)


@contextmanager
def at_most(millions: float) -> Iterator[None]:
    """Hold the block to the CPU time of so many million additions in a loop."""
    unit = _one_unit()
    began = time.process_time()
    yield
    used = (time.process_time() - began) / max(unit, _one_unit())
    assert used < millions, f"as much as {used:.0f} million additions"
