"""A lock as `pixi.lock`, version 6 of the format: one environment, `default`, on the lock's platform.

The format: https://github.com/conda/rattler, `crates/rattler_lock`. What pixi could read off a file's name is written
all the same.
"""

from __future__ import annotations

from typing import Any

from mlpin.conda.names import provides
from mlpin.errors import InputError
from mlpin.export import conda
from mlpin.export.model import Exported, public
from mlpin.lock.conda import LockedConda
from mlpin.lock.conda_file import address
from mlpin.lock.locked import LockedFile, LockedPackage


def pixi_lock(found: Exported) -> str:
    """The file. Raises `InputError`, also for files of a local channel that have no URL: pixi takes no paths."""
    packages = sorted(conda.packages(found, "pixi.lock"), key=lambda one: (one.name, one.version))
    if local := [one.name for one in packages if address(one).startswith(".")]:
        more = f" and {len(local) - 1} more" if local[1:] else ""
        raise InputError(
            f"pixi takes no conda package by a path from the lock's folder, as the lock has {local[0]}{more}",
            where=found.lock.shown,
            hint="lock with the channel at a URL; for conda, `--format conda-explicit` takes paths",
        )
    wheels = conda.files(found)
    environment: dict[str, Any] = {"channels": [{"url": f"{url}/"} for url in conda.channels(found)]}
    if wheels:
        environment["indexes"] = list(found.indexes)
    entries = [{"conda": address(one)} for one in packages] + [{"pypi": _place(file)} for _, file in wheels]
    environment["packages"] = {conda.subdir(found): entries}
    records = [_conda(one) for one in packages] + [_pypi(*one) for one in wheels]
    tables = {"version": 6, "environments": {"default": environment}, "packages": records}
    purpose = f", for {found.made_for}" if found.made_for else ""
    return conda.yaml(tables, [f"Made by `mlpin export` from {found.lock.path.name}{purpose}."])


def _place(file: LockedFile) -> str:
    return public(file.url) if file.url else file.path if file.path.startswith(("/", ".")) else f"./{file.path}"


def _conda(package: LockedConda) -> dict[str, Any]:
    record: dict[str, Any] = {"conda": address(package)}
    record |= {"name": package.name, "version": package.version, "build": package.build}
    record |= {"build_number": package.build_number, "subdir": package.subdir}
    if package.noarch:
        record["noarch"] = package.noarch
    record |= {key: package.hashes[key] for key in ("sha256", "md5") if key in package.hashes}
    for key in ("depends", "constrains"):
        if specs := getattr(package, key):
            record[key] = list(specs)
    if package.license:
        record["license"] = package.license
    record["purls"] = [f"pkg:pypi/{name}" for name in _distributions(package)]
    if package.size is not None:
        record["size"] = package.size
    if package.timestamp:
        record["timestamp"] = package.timestamp
    return record


def _distributions(package: LockedConda) -> list[str]:
    """What it carries of PyPI, also where nothing in the lock asks for that.

    None at all says to pixi that it carries nothing; without the key, pixi takes a package of conda-forge for the
    distribution of its name. A version that is not one of PEP 440 ends in an error there.
    """
    from packaging.version import InvalidVersion, Version

    try:
        Version(package.version)
    except InvalidVersion:
        return []
    return sorted({*package.provides, *provides(package.record)})


def _pypi(package: LockedPackage, file: LockedFile) -> dict[str, Any]:
    record: dict[str, Any] = {"pypi": _place(file), "name": package.name, "version": package.version}
    record["sha256"] = conda.sha256(file)
    if package.requires or package.dependencies:
        record["requires_dist"] = sorted({*package.requires, *_bare(package)})
    if package.requires_python:
        record["requires_python"] = package.requires_python
    return record


def _bare(package: LockedPackage) -> set[str]:
    """The names that it depends on without saying which versions."""
    from mlpin.requirement import name_in

    return {*package.dependencies} - {name_in(text) for text in package.requires}
