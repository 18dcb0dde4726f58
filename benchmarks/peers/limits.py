"""Measure the speed of matrix products and of copies with torch: python limits.py [DEVICE]"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import torch

SIDE, NUMBERS = 2048, 64 << 20


def best(work: Callable[[], object], times: int, wait: Callable[[], object]) -> float:
    """Seconds of the fastest of several calls, without the first. `wait` waits until the device has finished."""
    work()
    seconds = []
    for _ in range(times):
        wait()
        started = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def main() -> None:
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    torch.set_default_device(device)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    product = torch.empty(SIDE, SIDE)
    gflops = 2 * SIDE**3 / best(lambda: torch.mm(a, b, out=product), 12, wait) / 1e9
    source, target = torch.ones(NUMBERS), torch.zeros(NUMBERS)
    gigabytes = 2 * 4 * NUMBERS / best(lambda: target.copy_(source), 8, wait) / 1e9
    speeds = {"gflops": gflops, "gigabytes": gigabytes, "threads": torch.get_num_threads(), "torch": torch.__version__}
    print(json.dumps(speeds))


if __name__ == "__main__":
    main()
