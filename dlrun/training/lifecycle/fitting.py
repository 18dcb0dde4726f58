"""Fitting the preprocessing; of rows in files, what was learned is found in the cache by the next run."""

from __future__ import annotations

from importlib.metadata import version

import torch

from dlrun import cache
from dlrun.cache import Writer
from dlrun.data.fit import Fitted, fit
from dlrun.data.load import Loaded
from dlrun.network.preprocessing import as_tensors, from_tensors
from dlrun.plan.network import Plan

VERSION = 1
"""Of how steps are fitted; another one fits them anew."""


def fit_or_recall(plan: Plan, loaded: Loaded) -> Fitted:
    """The steps of every input, fitted on the training rows alone.

    Raises:
        SpecError: the training rows do not allow a step.
    """
    in_files = [entry for entry in plan.inputs if entry.preprocess and entry.name in loaded.surveys]
    if not in_files:
        return fit(plan.inputs, loaded)
    steps = [(step.name, step.columns, repr(step.step)) for step in plan.preprocess]
    recipe = {
        "version": VERSION,
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "threads": torch.get_num_threads(),
        "data": loaded.digest,
        "split": loaded.split_digest,
        "steps": steps,
    }
    found: Fitted = {}

    def make(writer: Writer) -> dict[str, str]:
        found.update(fit(plan.inputs, loaded))
        for name, tensor in as_tensors(found).items():
            writer.add(name, tensor.numpy()[None])
        return {}

    try:
        entry = cache.entry(cache.key("fitted", recipe, ()), "what the preprocessing learned", 0, make)
    except cache.CacheError:
        return found or fit(plan.inputs, loaded)
    return from_tensors(plan, {name: torch.from_numpy(one.values[:][0]) for name, one in entry.arrays.items()})
