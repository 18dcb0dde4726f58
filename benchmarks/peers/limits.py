"""How fast products and copies are here, by torch: python limits.py"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import torch

SIDE, NUMBERS = 2048, 64 << 20


def best(work: Callable[[], object], times: int) -> float:
    """The seconds of the fastest of several calls; the first does not count."""
    work()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def main() -> None:
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    product = torch.empty(SIDE, SIDE)
    gflops = 2 * SIDE**3 / best(lambda: torch.mm(a, b, out=product), 12) / 1e9
    source, target = torch.ones(NUMBERS), torch.zeros(NUMBERS)
    gigabytes = 2 * 4 * NUMBERS / best(lambda: target.copy_(source), 8) / 1e9
    told = {"gflops": gflops, "gigabytes": gigabytes, "threads": torch.get_num_threads(), "torch": torch.__version__}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
