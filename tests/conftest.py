"""Settings of the whole test run, and what tests of several folders need."""

import os
import shutil
from pathlib import Path

import pytest

# Networks as small as the tests' gain nothing from more threads, and on a busy machine threads that wait for each other
# multiply the time. torch reads this when it is imported, so it stands before every import of it; the programs that
# tests start read it as well.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Whoever runs the tests may use MLflow: runs of the tests do not go to that store.
for variable in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[variable]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The tests neither fill nor use the cache of whoever runs them."""
    os.environ["DLRUN_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def without_automatic_baselines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """`baselines: auto` chooses none in the process of the tests, save in those marked `baselines`: each run with
    baselines starts a process with scikit-learn, and most tests of runs are about something else."""
    if request.node.get_closest_marker("baselines") is None:
        monkeypatch.setattr("dlrun.plan.baselines.AUTO", ())


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow store; to copy one is quicker than to make one."""
    from dlrun.tracking.mlflow_run import import_quietly
    from dlrun.tracking.store import make_store

    import_quietly()
    file = tmp_path_factory.mktemp("template") / "mlflow.db"
    make_store(file)
    return file


@pytest.fixture
def runs(template: Path, tmp_path: Path) -> Path:
    """A folder of runs, with an empty MLflow store and no runs."""
    folder = tmp_path / "runs"
    folder.mkdir()
    shutil.copy(template, folder)
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests that try many faults say of how many they have tried, also where output is captured."""
    found = [report for report in terminalreporter.stats.get("passed", ()) if "counts" in report.keywords]
    lines = [line.strip() for report in found for line in report.capstdout.splitlines() if line.startswith("  ")]
    if lines:
        terminalreporter.section("faults tried")
        for line in sorted(set(lines)):
            terminalreporter.write_line(line)
