"""Where things are in the project."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
SPECS = ROOT / "specs"
NETS, CLASSICS, TRANSFER = SPECS / "nets", SPECS / "classics", SPECS / "transfer"
DOCS, BENCHMARKS = ROOT / "docs", ROOT / "benchmarks"
SHIPPED = sorted({*SPECS.rglob("*.yaml")} - {*(NETS / "names").iterdir()})
"""Every shipped spec; files of names are none."""
DRAWN_SPECS = [*SHIPPED, ROOT / "benchmarks" / "specs" / "vgg16.yaml"]
"""The specs that every test of drawing draws."""
