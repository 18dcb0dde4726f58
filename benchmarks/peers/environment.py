"""A virtual environment with torch, dlrun and every peer that can be installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
LOOPS = Path(__file__).parent / "loops"


@dataclass(frozen=True)
class Peer:
    """A contender other than dlrun."""

    loop: str
    """Its file in loops/."""
    packages: tuple[str, ...] = ()
    """The packages that it needs in addition to torch."""
    backend: str = ""
    """Keras' backend."""
    together: tuple[str, ...] = ()
    """The works for which it runs all steps of an epoch in one call."""
    devices: tuple[str, ...] = ("cpu",)
    """The devices that it can train on."""


PEERS = {
    "plain": Peer("plain.py", devices=("cpu", "cuda")),
    "tuned": Peer("tuned.py", devices=("cpu", "cuda")),
    "lightning": Peer("on_lightning.py", ("lightning",)),
    "skorch": Peer("on_skorch.py", ("skorch",)),
    "keras-torch": Peer("on_keras.py", ("keras",), "torch"),
    "keras-jax": Peer("on_keras.py", ("keras", "jax"), "jax", ("tabular",)),
}


class Environment:
    """An interpreter with the needed packages: one in a folder, or the running one."""

    def __init__(self, folder: Path, here: bool = False):
        """With `here`, nothing is created or installed."""
        self.folder, self.here = folder, here
        self.bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.python = Path(sys.executable) if here else self.bin / "python"

    def install(self, peers: list[str]) -> dict[str, str]:
        """Install torch, dlrun and the peers, if they are missing; returns why a peer cannot be installed."""
        if self.here:
            lacking = {name: [one for one in PEERS[name].packages if not self.has(one)] for name in peers}
            return {name: f"{packages[0]} is missing" for name, packages in lacking.items() if packages}
        if not self.python.exists():
            say(f"creating an environment in {self.folder}")
            venv.create(self.folder / "venv", with_pip=True)
        if not self.has("torch"):
            self.torch()
        if not (self.bin / "dlrun").exists():
            wrong = self.pip("-e", str(ROOT))
            if wrong:
                raise SystemExit(f"dlrun cannot be installed: {wrong}")
        missing = {}
        for name in peers:
            for package in PEERS[name].packages:
                if not self.has(package) and (wrong := self.pip(package)):
                    missing[name] = f"{package}: {wrong}"
        return missing

    def torch(self) -> None:
        """Install torch for CPUs, a tenth of the size of torch for GPUs; if its index cannot be reached, any torch."""
        version = re.search(r"^torch==(\S+)", CONSTRAINTS.read_text(), re.M)
        exact = f"torch=={version[1]}" if version else "torch"
        ways = [(f"{exact}+cpu",), (f"{exact}+cpu", "--index-url", CPU_WHEELS), (exact,)]
        wrong = [self.pip(*way) for way in ways if not self.has("torch")]
        if not self.has("torch"):
            raise SystemExit(f"torch cannot be installed: {wrong[-1]}")

    def pip(self, *arguments: str) -> str:
        """Install, with the project's constraints; returns the error, or an empty text."""
        say(f"installing {' '.join(arguments)}")
        command = [self.python, "-m", "pip", "install", "--quiet", "--constraint", CONSTRAINTS, *arguments]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return "" if not done.returncode else (errors or done.stderr.splitlines() or ["pip failed"])[-1]

    def has(self, module: str) -> bool:
        """Whether a module is installed."""
        code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
        return not subprocess.run([str(self.python), "-c", code], check=False).returncode


def say(text: str) -> None:
    """Print progress to stderr, apart from the tables."""
    print(text, file=sys.stderr, flush=True)
