"""An installed environment as a stack: of each package the version that its Python imports."""

from __future__ import annotations

from pathlib import Path

from mlpin.requirement import normalise
from mlpin.stack import distributions
from mlpin.stack.model import Pinned, Stack


def read(path: Path, shown: str) -> Stack:
    """The packages installed in the environment at `path`. Raises `InputError` where there is none."""
    found = distributions.read(path, shown)
    owned = {normalise(one.name): one.version for one in found.conda}
    first: dict[str, Path] = {}
    packages = dict.fromkeys(found.conda)
    for one in found.packages:
        # What an earlier folder has comes before it, and what conda installed is among its own already.
        conda = bool(owned) and (one.installer == "conda" or _same(owned.get(one.name, ""), one.version))
        if not conda and first.setdefault(one.name, one.folder) == one.folder:
            packages[Pinned(one.name, one.version)] = None
    return Stack(shown, "environment", tuple(packages), found.python, found.platform, None, found.skipped)


def _same(one: str, other: str) -> bool:
    return one.partition("+")[0] == other.partition("+")[0]
