from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self

import pytest

from dlrun.components.baselines import Baseline


class Here:
    """Fits baselines in the process of the tests, which has scikit-learn loaded."""

    def __init__(self, stopped: Callable[[], bool]): ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...

    def limit(self, seconds: float) -> None: ...

    def fit(self, baseline: Baseline, blocks: Iterable[Any], classes: int | None, seed: int) -> Any:
        self.fitted = baseline.fit(blocks, classes, seed)
        return self.fitted.figures, self.fitted.remark

    def predict(self, rows: Any) -> Any:
        return self.fitted.predict(rows)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started: what is computed is tested, and not who computes it."""
    monkeypatch.setattr("dlrun.training.baselines.compare.Worker", Here)
