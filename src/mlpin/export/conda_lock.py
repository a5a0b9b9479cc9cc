"""A lock as `conda-lock.yml`, version 1 of the unified format, which `conda-lock install` and micromamba read.

The format: https://github.com/conda/conda-lock, `conda_lock/lockfile/v1/models.py`. Every package is of the category
`main`; the lock's other platforms have files of their own.
"""

from __future__ import annotations

from typing import Any

from mlpin.errors import InputError
from mlpin.export import conda
from mlpin.export.model import Exported, public
from mlpin.lock.conda import LockedConda
from mlpin.lock.conda_file import address
from mlpin.lock.file import digest
from mlpin.lock.locked import LockedFile, LockedPackage


def conda_lock(found: Exported) -> str:
    """The file. Raises `InputError` where a conda package has no md5, which the format must have."""
    packages = conda.packages(found, "conda-lock.yml")
    if without := [one.name for one in packages if "md5" not in one.hashes]:
        raise InputError(
            f"conda-lock.yml must have the md5 of every conda package, and the lock has none of {', '.join(without)}",
            where=found.lock.shown,
            hint="`--format conda-explicit` and `--format pixi` need none",
        )
    platform = conda.subdir(found)
    metadata = {
        "content_hash": {platform: digest(found.lock.tables)},
        "channels": [{"url": url, "used_env_vars": []} for url in conda.channels(found)],
        "platforms": [platform],
        "sources": sorted({line.file for line in found.lock.lines("requirements") if line.file}),
    }
    entries = [_conda(one, platform) for one in sorted(packages, key=lambda one: one.name)]
    entries += [_pip(package, file, platform) for package, file in conda.files(found)]
    purpose = f", for {found.made_for}" if found.made_for else ""
    head = [
        f"Made by `mlpin export` from {found.lock.path.name}{purpose}.",
        "conda-lock install -n NAME conda-lock.yml",
    ]
    return conda.yaml({"version": 1, "metadata": metadata, "package": entries}, head)


def _conda(package: LockedConda, platform: str) -> dict[str, Any]:
    return _entry(package.name, package.version, "conda", platform) | {
        "dependencies": dict(conda.specs(package)),
        "url": address(package),
        "hash": {key: package.hashes[key] for key in ("md5", "sha256") if key in package.hashes},
        "category": "main",
        "optional": False,
    }


def _pip(package: LockedPackage, file: LockedFile, platform: str) -> dict[str, Any]:
    asked = dict.fromkeys(package.dependencies, "") | dict(map(_parted, package.requires))
    return _entry(package.name, package.version, "pip", platform) | {
        "dependencies": {name: asked[name] for name in sorted(asked)},
        "url": public(file.url) if file.url else file.path,
        "hash": {"sha256": conda.sha256(file)},
        "category": "main",
        "optional": False,
    }


def _entry(name: str, version: str, manager: str, platform: str) -> dict[str, Any]:
    return {"name": name, "version": version, "manager": manager, "platform": platform}


def _parted(text: str) -> tuple[str, str]:
    """Name and versions of a requirement as the lock has it: `numpy>=1.17`."""
    from mlpin.requirement import name_in

    name = name_in(text)
    return name, text[len(name) :].rpartition("]")[2].strip()
