"""Why files do not fit a target, in words, and what would help."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpin.candidate import Artifact
from mlpin.errors import InputError

if TYPE_CHECKING:
    from mlpin.target import Target

_MANYLINUX = re.compile(r"manylinux_2_(\d+)_(\w+)")
_LEGACY = {"manylinux2014_": "manylinux_2_17_", "manylinux2010_": "manylinux_2_12_", "manylinux1_": "manylinux_2_5_"}
_MACOS = re.compile(r"macosx_(\d+)_(\d+)_(\w+)")


def uploaded(file: Artifact, index: str) -> str:
    """When a file was uploaded. Raises `InputError` where the index does not say."""
    if not file.upload_time:
        project = file.filename.split("-")[0].lower().replace("_", "-")
        raise InputError(
            f"exclude-newer needs to know when `{file.filename}` was uploaded, and the index does not say",
            where=index,
            hint="use an index with upload times (PEP 700), or leave the package out of it: "
            f"[tool.mlpin] exclude-newer-package = {{ {project} = false }}",
        )
    # To the second, which is how a cutoff is written: compared as text, `05.6Z` would come before `05Z`.
    return f"{file.upload_time[:19]}Z"


def days_between(older: str, newer: str) -> float:
    """Days from one upload to another."""
    from datetime import datetime

    return (datetime.fromisoformat(newer) - datetime.fromisoformat(older)).total_seconds() / 86400


def _platforms(file: Artifact) -> list[str]:
    found = []
    for stated in file.tags.split("-")[2].split("."):
        platform = stated
        for old, new in _LEGACY.items():
            platform = platform.replace(old, new)
        found.append(platform)
    return found


def tags(files: Sequence[Artifact], target: Target) -> tuple[str, str, str]:
    """Why no wheel among `files` fits the target, what would help, and which fact of the target it rests on."""
    wheels = [file for file in files if file.is_wheel]
    system, machine = target.platform.system, target.platform.machine
    mine = [file for file in wheels if _fits_python_tag(file, target)]
    if not mine:
        versions = sorted({found for file in wheels for found in _pythons(file)})
        if versions:
            shown = ", ".join(f"3.{minor}" for minor in versions)
            return (
                f"its wheels are for Python {shown}, the target has {target.python}",
                f"a target with Python 3.{versions[-1]}",
                "python",
            )
        return "its wheels are for another kind of Python", "", "python"
    if system == "linux":
        floors = [
            int(match[1])
            for file in mine
            for platform in _platforms(file)
            if (match := _MANYLINUX.fullmatch(platform)) and match[2] == machine
        ]
        if floors:
            floor = min(floors)
            return (
                f"its wheels need glibc 2.{floor} or newer, the target has {target.platform.glibc}",
                f'glibc = "2.{floor}" in the target',
                "glibc",
            )
        if any("musllinux" in file.tags and machine in file.tags for file in mine):
            return "its Linux wheels are for musl only", "", "platform"
    if system == "macos":
        versions_needed = [
            (int(match[1]), int(match[2]))
            for file in mine
            for platform in _platforms(file)
            if (match := _MACOS.fullmatch(platform)) and match[3] in {machine, "universal2"}
        ]
        if versions_needed:
            major, minor = min(versions_needed)
            wanted = f"{major}" if not minor else f"{major}.{minor}"
            return (
                f"its wheels need macOS {wanted} or newer, the target has {target.platform.release[0]}",
                f'platform = "macos-{wanted}-{machine}"',
                "platform",
            )
    there = sorted({_family(platform) for file in mine for platform in _platforms(file)})
    return f"its wheels are for {', '.join(there)}; none for {target.platform.name}", "", "platform"


def _family(platform: str) -> str:
    if match := _MANYLINUX.fullmatch(platform):
        return f"linux-{match[2]}"
    if match := _MACOS.fullmatch(platform):
        return f"macos-{match[3]}"
    return platform.replace("_", "-", 1)


def _pythons(file: Artifact) -> list[int]:
    return [int(match[1]) for tag in file.tags.split("-")[0].split(".") if (match := re.fullmatch(r"cp3(\d+)", tag))]


def _fits_python_tag(file: Artifact, target: Target) -> bool:
    """Whether the wheel is for the target's Python, whatever the platform."""
    pythons, abis, _ = file.tags.split("-")
    minor = target.minor[1]
    for python in pythons.split("."):
        if python in {"py3", f"py3{minor}"}:
            return True
        if python == f"cp3{minor}" and any(abi in {f"cp3{minor}", "abi3", "none"} for abi in abis.split(".")):
            return True
        match = re.fullmatch(r"cp3(\d+)", python)
        if match and "abi3" in abis.split(".") and int(match[1]) <= minor:
            return True
    return False
