"""What a machine brings along, as conda's virtual packages say it (CEP 30). From the target, never looked up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpin.conda.record import CondaRecord
from mlpin.errors import InputError
from mlpin.target import Platform, Target

if TYPE_CHECKING:
    from mlpin.matrix.matrix import Matrix

_SUBDIRS = {
    "linux-x86_64": "linux-64",
    "linux-aarch64": "linux-aarch64",
    "macos-x86_64": "osx-64",
    "macos-arm64": "osx-arm64",
    "windows-amd64": "win-64",
}
# By subdir, the least that every machine of it runs. rattler detects `m1` on Apple's processors; the CEP's appendix,
# for tools that cannot detect anything, says aarch64.
_PROCESSORS = {"linux-aarch64": "aarch64", "osx-arm64": "m1"}

# What rattler assumes of a machine that it does not see (rattler_virtual_packages, `default_linux_version` and
# `default_windows_version`), and with it pixi: the kernel of RHEL 8. conda-lock assumes 5.10 and 0.
_LINUX, _WINDOWS = "4.18", "10.0"


def subdir(platform: Platform) -> str:
    """The name that conda has for a platform: `linux-64`."""
    return _SUBDIRS[platform.kind]


def platform_of(subdir: str) -> str:
    """The platform that conda calls so, without a release: `linux-x86_64` of `linux-64`. Raises `InputError`."""
    for name, known in _SUBDIRS.items():
        if known == subdir:
            return name
    raise InputError(
        f"`{subdir}` is not a platform of conda that mlpin can lock for", hint="one of: " + ", ".join(_SUBDIRS.values())
    )


def virtual_packages(target: Target, cuda: str, outright: Sequence[tuple[str, str]] = ()) -> tuple[CondaRecord, ...]:
    """The virtual packages of a target, sorted by name; they have no channel, no file and no URL.

    `cuda` is the newest CUDA that its driver runs, empty where there is none (`cuda_of`). `outright` has what the user
    says himself, (name, `version` or `version=build`); an empty version takes the package away. Raises `InputError`
    where such a version is none.
    """
    platform = target.platform
    where = subdir(platform)
    found = {"__archspec": ("1", _PROCESSORS.get(where, "x86_64"))}
    if platform.system == "windows":
        found["__win"] = (_WINDOWS, "0")
    else:
        found["__unix"] = ("0", "0")
    if platform.system == "macos":
        found["__osx"] = (f"{platform.release[0]}.{platform.release[1]}", "0")
    if platform.system == "linux":
        found["__linux"] = (_LINUX, "0")
        found["__glibc"] = (platform.glibc, "0")
    said = dict(outright)
    if cuda:
        found["__cuda"] = (cuda, "0")
    if said.get("__cuda", cuda) and (oldest := _oldest_gpu(target)):
        found["__cuda_arch"] = (oldest, "0")
    for name, text in said.items():
        number, _, build = text.partition("=")
        if number:
            found[name] = (_checked(name, number), build or "0")
        else:
            found.pop(name, None)
    return tuple(CondaRecord(name, *found[name], 0, "", where, "", "") for name in sorted(found))


def cuda_of(target: Target, matrix: Matrix) -> str:
    """The newest CUDA version that the target's driver runs, as `__cuda` and nvidia-smi say it; empty: none.

    That is the CUDA which the driver's branch came with: that code of a newer minor version runs on it as well does not
    raise `__cuda`. Where no driver is named it is the newest CUDA of the matrix, or of those that the target asks for.
    """
    from mlpin.matrix.ranges import version, within

    hardware = target.hardware
    if hardware.accelerator != "cuda":
        return ""
    branch = int(hardware.driver.partition(".")[0]) if hardware.driver else None
    known = []
    for toolkit in matrix.tables.toolkits:
        number = version(toolkit.cuda)
        if not toolkit.shipped or number is None:
            continue
        if branch is not None:
            fits = int(toolkit.shipped.partition(".")[0]) <= branch
        else:
            fits = not hardware.cuda or within(hardware.cuda, number)
        if fits:
            known.append((number, toolkit.cuda))
    return max(known)[1] if known else ""


def _oldest_gpu(target: Target) -> str:
    """The lowest compute capability among the GPUs of the target; empty where none is named."""
    found = [runs for _, runs in target.hardware.gpus if not runs.startswith("gfx")]
    return min(found, key=lambda runs: [int(part) for part in runs.split(".")], default="")


def _checked(name: str, text: str) -> str:
    from mlpin.conda.spec import version

    try:
        version(text)
    except InputError as error:
        raise InputError(
            f"virtual package {name}: {error}", hint='written like "12.4", or "1=x86_64" with a build'
        ) from None
    return text
