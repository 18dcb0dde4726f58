"""Where things are in the project."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
SPECS, NETS, CLASSICS = ROOT / "specs", ROOT / "specs" / "nets", ROOT / "specs" / "classics"
DOCS, BENCHMARKS = ROOT / "docs", ROOT / "benchmarks"
