"""A lock as an `environment.yml` with exact pins, for `conda env create` and its like.

These solve again, so the file is only as good as the channels still are; the lock's own files are exact.
"""

from __future__ import annotations

from typing import Any

from mlpin.export import conda
from mlpin.export.model import Exported
from mlpin.export.requirements import requirement
from mlpin.lock.conda import LockedConda
from mlpin.lock.locked import LockedPackage
from mlpin.report.wrap import wrapped


def environment_yml(found: Exported) -> str:
    """The file: `name=version=build`, and PyPI's packages in its pip section. Raises `InputError`."""
    packages = sorted(conda.packages(found, "an environment.yml"), key=lambda one: one.name)
    channels = list(found.lock.channels) or list(dict.fromkeys(one.channel for one in packages))
    dependencies: list[Any] = [_pin(one, several=len(channels) > 1) for one in packages]
    if found.packages:
        if not any(one.name == "pip" for one in packages):
            dependencies.append("pip")
        dependencies.append({"pip": [*_indexes(found), *(_line(one, found) for one in found.packages)]})
    purpose = f", for {found.made_for}" if found.made_for else ""
    head = f"Made by `mlpin export` from {found.lock.path.name}{purpose}. conda env create -n NAME -f environment.yml"
    return conda.yaml({"channels": [*channels, "nodefaults"], "dependencies": dependencies}, wrapped(head, "", ""))


def remarks(found: Exported) -> list[str]:
    """What must be known to use the file, each a sentence or two without a full stop at the end."""
    said = ["an environment.yml has no hashes, and what reads it solves again; the explicit file is exact"]
    if found.overridden or found.excluded:
        said.append("pip will not take overrides and exclusions from it: install PyPI's part with --no-deps")
    return said


def _pin(package: LockedConda, *, several: bool) -> str:
    # A channel by its URL has no form here that every client reads.
    named = several and "/" not in package.channel
    channel = f"{package.channel}::" if named and package.channel else ""
    return f"{channel}{package.name}={package.version}={package.build}"


def _indexes(found: Exported) -> list[str]:
    urls = [index for index in found.indexes if index != found.default_index]
    first = "--index-url" if found.indexes and found.indexes[0] != found.default_index else "--extra-index-url"
    return [f"{'--extra-index-url' if position else first} {url}" for position, url in enumerate(urls)]


def _line(package: LockedPackage, found: Exported) -> str:
    return requirement(package, found) + (f" ; {package.marker}" if package.marker else "")
