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
    """What it needs besides torch."""
    backend: str = ""
    """Keras' backend."""
    together: tuple[str, ...] = ()
    """The works all of whose steps it can do in one call."""
    devices: tuple[str, ...] = ("cpu",)
    """Where it can train."""


PEERS = {
    "plain": Peer("plain.py", devices=("cpu", "cuda")),
    "tuned": Peer("tuned.py", devices=("cpu", "cuda")),
    "lightning": Peer("on_lightning.py", ("lightning",)),
    "skorch": Peer("on_skorch.py", ("skorch",)),
    "keras-torch": Peer("on_keras.py", ("keras",), "torch"),
    "keras-jax": Peer("on_keras.py", ("keras", "jax"), "jax", ("tabular",)),
}


class Environment:
    """An interpreter that has what was asked for: that of a folder, or the one that runs this."""

    def __init__(self, folder: Path, here: bool = False):
        """With `here`, nothing is made or installed."""
        self.folder, self.here = folder, here
        self.bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.python = Path(sys.executable) if here else self.bin / "python"

    def install(self, peers: list[str]) -> dict[str, str]:
        """Install torch, dlrun and the peers, unless they are there; gives why a peer cannot be had."""
        if self.here:
            lacking = {name: [one for one in PEERS[name].packages if not self.has(one)] for name in peers}
            return {name: f"there is no {packages[0]}" for name, packages in lacking.items() if packages}
        if not self.python.exists():
            say(f"making an environment in {self.folder}")
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
        """torch for CPUs, which is a tenth of the one for GPUs; where its index is out of reach, any."""
        version = re.search(r"^torch==(\S+)", CONSTRAINTS.read_text(), re.M)
        exact = f"torch=={version[1]}" if version else "torch"
        ways = [(f"{exact}+cpu",), (f"{exact}+cpu", "--index-url", CPU_WHEELS), (exact,)]
        wrong = [self.pip(*way) for way in ways if not self.has("torch")]
        if not self.has("torch"):
            raise SystemExit(f"torch cannot be installed: {wrong[-1]}")

    def pip(self, *arguments: str) -> str:
        """Install, with the project's constraints; gives what went wrong."""
        say(f"installing {' '.join(arguments)}")
        command = [self.python, "-m", "pip", "install", "--quiet", "--constraint", CONSTRAINTS, *arguments]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        told = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return "" if not done.returncode else (told or done.stderr.splitlines() or ["pip failed"])[-1]

    def has(self, module: str) -> bool:
        """Whether a module can be found."""
        code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
        return not subprocess.run([str(self.python), "-c", code], check=False).returncode


def say(text: str) -> None:
    """What goes on, beside the tables."""
    print(text, file=sys.stderr, flush=True)
