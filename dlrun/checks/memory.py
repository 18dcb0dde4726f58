"""Whether the training fits into this machine's memory."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.checks.reading import Reading
from dlrun.errors import Problem
from dlrun.language.experiment import TrainSection
from dlrun.plan.memory import Memory, machine_memory
from dlrun.plan.network import Plan
from dlrun.shapes import readable_bytes


def check_memory(reading: Reading, planned: Plan, train: TrainSection, memory: Memory) -> Iterator[Problem]:
    """Refuse a network, or a batch, that needs more than the machine has; a GPU's memory is not known here."""
    available = machine_memory()
    if not available or train.device == "cuda":
        return
    absolute_store = memory.weights + memory.gradients + memory.state
    if absolute_store > available:
        worst = max(planned.steps, key=lambda step: step.params)
        message = (
            f"the network can never fit: its weights, gradients and optimizer state need "
            f"{readable_bytes(absolute_store)}, and this machine has {readable_bytes(available)}"
        )
        yield Problem(message, worst.place, f"{worst.name} alone has {worst.params:,} weights")
    elif memory.training > available and reading.data.info is not None:
        spare = available - (memory.training - memory.activations)
        fits = int(spare * memory.batch / memory.activations) if memory.activations else 0
        message = f"a step needs {readable_bytes(memory.training)}, and this machine has {readable_bytes(available)}"
        fit = f"about {fits} rows a batch would fit; `accumulate` takes several batches a step"
        hint = fit if fits > 0 else "the data alone takes too much"
        yield reading.problem(message, ("train", "batch_size"), hint)
    elif memory.preparing > available:
        message = f"reading and preparing the data needs {readable_bytes(memory.preparing)}, and this machine has "
        yield reading.problem(message + readable_bytes(available), ("data",), "use fewer rows, or float32 in an npz")
