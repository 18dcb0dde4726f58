"""The process-wide settings that a run changes and then restores, so that no run depends on an earlier one."""

from __future__ import annotations

import contextlib
import os
import random
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from dlrun.training.speed.allocator import kept_memory

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@contextlib.contextmanager
def process_of_a_run() -> Iterator[None]:
    """Within it a run may set threads, precision, determinism, warnings, the allocator and the generators.

    Afterwards all of them are as before; the allocator has glibc's defaults, since its settings cannot be read.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(kept_memory())
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
        stack.callback(setattr, torch.backends.cudnn, "allow_tf32", torch.backends.cudnn.allow_tf32)
        stack.callback(torch.set_deterministic_debug_mode, torch.get_deterministic_debug_mode())
        deterministic: Any = torch.utils.deterministic  # type: ignore[attr-defined]
        fill = deterministic.fill_uninitialized_memory
        stack.callback(setattr, deterministic, "fill_uninitialized_memory", fill)
        stack.callback(_set_variable, CUBLAS, os.environ.get(CUBLAS))
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())
        stack.callback(torch.set_rng_state, torch.get_rng_state())
        if torch.cuda.is_available():
            stack.callback(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
        yield


def _set_variable(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
