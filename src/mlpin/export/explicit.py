"""The conda packages of a lock as an explicit file, which every conda client installs without solving (CEP 23)."""

from __future__ import annotations

from mlpin.export import conda
from mlpin.export.model import Exported
from mlpin.lock import conda_file


def explicit(found: Exported) -> str:
    """The file, byte for byte the one that `mlpin lock` writes beside the lock. Raises `InputError`."""
    packages = conda.packages(found, "an explicit file")
    name = found.lock.conda_file[0] if found.lock.conda_file else conda_file.name_of(found.lock.path.name)
    return conda_file.explicit(packages, conda.subdir(found), name)


def remarks(found: Exported) -> list[str]:
    """What must be known to use the file, each a sentence or two without a full stop at the end."""
    if not found.packages:
        return []
    return ["the packages of PyPI have no place in an explicit file; install them from the lock itself"]
