"""What the bits of a run depend on besides its spec and its data: versions, the device, threads."""

from __future__ import annotations

import contextlib
import platform
import re
from collections.abc import Mapping
from importlib import metadata

from dlrun import __version__

PACKAGES = (
    "mlflow",
    "numpy",
    "pillow",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "rich",
    "safetensors",
    "scikit-learn",
    "scipy",
    "tokenizers",
    "torch",
    "typer",
)
"""The packages that dlrun uses, by the names of their distributions; one of them may not be installed."""
TAG = "run.packages"
"""The tag of a run with the version of each package, a line such as `numpy==2.4.6` for each."""
VERSION = re.compile(r"[0-9][A-Za-z0-9.+!]*")
"""What a version of a package, of dlrun and of Python is."""
NAMES = {
    "dlrun.version": "dlrun",
    "python.version": "Python",
    "device": "device",
    "device.name": "device name",
    "processor": "processor",
    "threads": "threads",
    "torch.version": "torch",
}
"""The other tags that say something of it, and what they are called for people."""


def installed() -> dict[str, str]:
    """The versions of the packages, without importing one."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def versions_here() -> dict[str, str]:
    """The tags of a run that is trained here with the versions of everything, without importing it."""
    return {
        "dlrun.version": __version__,
        "python.version": platform.python_version(),
        TAG: as_tag(installed()),
    }


def as_tag(packages: Mapping[str, str]) -> str:
    """The versions as the text of the tag, which is one that pip reads."""
    return "\n".join(f"{name}=={version}" for name, version in packages.items())


def packages_of(tags: Mapping[str, str]) -> dict[str, str]:
    """The versions of the packages that a run was trained with; none where its run.json has no such tag.

    A run may come from elsewhere, so a name that is none of dlrun's packages is left out, and so is what is no version.
    """
    pairs = (line.partition("==") for line in tags.get(TAG, "").splitlines())
    return {name: version for name, _, version in pairs if name in PACKAGES and VERSION.fullmatch(version)}


def environment_of(tags: Mapping[str, str]) -> dict[str, str]:
    """What the tags of a run say of it, by names for people."""
    return {**{name: tags[tag] for tag, name in NAMES.items() if tag in tags}, **packages_of(tags)}


def differing(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """In what the tags of two runs say that it differs, where both say something."""
    before, after = environment_of(then), environment_of(now)
    return {name: (one, after[name]) for name, one in before.items() if after.get(name, one) != one}
