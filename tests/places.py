"""Where things are in the project."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
SPECS, NETS = ROOT / "specs", ROOT / "specs" / "nets"
DOCS, BENCHMARKS = ROOT / "docs", ROOT / "benchmarks"
