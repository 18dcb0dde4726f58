"""`dlrun reproduce --in-new-environment`: the same command in an environment with the versions that a run recorded."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun import __version__
from dlrun.commands import interrupts, screen
from dlrun.errors import RunError

if TYPE_CHECKING:
    from dlrun.runs.info import RunInfo

WHEELS = "https://download.pytorch.org/whl/"
"""Where torch has the builds of which the version ends in a plus sign and a name, such as `+cpu`."""
PYTHON_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables that would bring packages of this environment into the new one."""


def run_in_new_environment(info: RunInfo, arguments: Sequence[str]) -> int:
    """Run dlrun in a new environment, which is removed afterwards; returns the exit code.

    Args:
        info: the run that recorded the versions.
        arguments: of the command line.

    Raises:
        RunError: the environment cannot be made.
    """
    from dlrun.runs.environment import VERSION, packages_of
    from dlrun.runs.folder import name_of

    packages = packages_of(info.tags)
    python, version = info.tags.get("python.version", ""), info.tags.get("dlrun.version", "")
    if not packages or not all(map(VERSION.fullmatch, (python, version))):
        raise RunError(f"run.json of {name_of(info.folder)} does not have the versions of the packages of its training")
    interrupts.raise_from_now_on()
    with tempfile.TemporaryDirectory(prefix="dlrun-environment-") as place:
        folder = Path(place)
        several = "1 package" if len(packages) == 1 else f"{len(packages)} packages"
        screen.say_folded(f"environment  {folder}: Python {python}, dlrun {version}, {several}", 13)
        program = make(folder, python)
        own = version == __version__
        _install(program, {**packages, **({} if own else {"dlrun": version})})
        if own:  # perhaps no index has it; to pack it would leave files in its folder, so it is copied
            _copy_dlrun(program)
        return run_there([str(program), "-m", "dlrun", *arguments], _variables())


def make(folder: Path, python: str) -> Path:
    """Make an environment with pip in a folder; returns its Python.

    Raises:
        RunError: there is no Python of this version, or no environment can be made.
    """
    minor = ".".join(python.split(".")[:2])
    here = ".".join(map(str, sys.version_info[:2]))
    if minor == here:
        command = [sys.executable, "-m", "venv"]
    elif found := shutil.which(f"python{minor}"):
        command = [found, "-m", "venv"]
    elif found := shutil.which("uv"):
        command = [found, "venv", "--seed", "--clear", "--quiet", "--python", minor]
    else:
        message = f"the run was trained with Python {python}, and here is {here}"
        raise RunError(f"{message}\n  a program python{minor} on the PATH is used, or uv, which installs one")
    done = _quietly([*command, str(folder)])
    if done.returncode:
        raise RunError(f"no environment can be made in {folder}: {_error(done)}")
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def _install(program: Path, packages: Mapping[str, str]) -> None:
    """Install packages, each in one version.

    Raises:
        RunError: with what pip says.
    """
    wanted = [f"{name}=={version}" for name, version in packages.items()]
    done = _quietly([str(program), "-m", "pip", "install", "--quiet", *wanted])
    if not done.returncode:
        return
    what = f"pip cannot install the versions that the run was trained with: {_error(done)}"
    build = packages.get("torch", "").partition("+")[2]
    if build and "torch" in what:
        what += f"\n  PIP_EXTRA_INDEX_URL={WHEELS}{build} names the index that has torch {packages['torch']}"
    raise RunError(what)


def _copy_dlrun(program: Path) -> None:
    """Copy this dlrun into an environment."""
    import dlrun

    done = _quietly([str(program), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    package = Path(dlrun.__file__).parent
    shutil.copytree(package, Path(done.stdout.strip()) / package.name, ignore=shutil.ignore_patterns("__pycache__"))


def _variables() -> dict[str, str]:
    """The variables of this process without those that lead to its packages, also not to those in its folder."""
    kept = {name: value for name, value in os.environ.items() if name not in PYTHON_VARIABLES}
    return {**kept, "PYTHONSAFEPATH": "1"}


def _quietly(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, without a screen.

    Raises:
        RunError: it cannot be started.
    """
    try:
        return subprocess.run(command, env=_variables(), capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise RunError(f"cannot start {command[0]}: {error.strerror}") from None


def _error(done: subprocess.CompletedProcess[str]) -> str:
    """The last error that a program has printed, or else its last line."""
    lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
    errors = [line.partition(": ")[2] for line in lines if line.casefold().startswith("error: ")]
    return [*lines, *errors][-1]


def run_there(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a program on this screen. A signal is for that program, which saves what it has; then this one goes on."""
    with subprocess.Popen(command, env=dict(variables)) as process:

        def pass_on(number: int, _frame: Any) -> None:
            if number != signal.SIGINT:  # Ctrl-C reaches both
                process.send_signal(number)

        previous = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            code = process.wait()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
    return code if code >= 0 else 128 - code
