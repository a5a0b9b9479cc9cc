"""What locked packages ask of the system below them: its glibc, its CUDA, a compiler. Nothing is known of a system."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpin.lock.meaning import own_line
from mlpin.matrix.judge import Facts, Package, rows
from mlpin.target import glibc_minor

if TYPE_CHECKING:
    from mlpin.lock.locked import Lock, LockedPackage
    from mlpin.matrix.matrix import Matrix
    from mlpin.target import Target

_RUNTIME = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")


def glibc_of(package: LockedPackage, target: Target | None) -> int | None:
    """The minor version of the oldest glibc 2.x that its wheels can do with; None where one needs no glibc at all."""
    found: list[int] = []
    for file in package.files:
        platforms = file.tags.rpartition("-")[2]
        if file.kind != "wheel" or not platforms:
            return None
        if target is not None and (platforms == file.tags or target.rank(file.tags) is None):
            continue
        minor = glibc_minor(platforms)
        if minor is not None:
            found.append(minor)
        elif re.search(r"(^|\.)(any|linux_|musllinux)", platforms):
            return None
    return min(found, default=None)


def own_cuda(lock: Lock, rules: Matrix) -> str:
    """The CUDA that locked wheels bring with them, like `12.4`; empty where none does."""
    for package in lock.packages:
        if _RUNTIME.fullmatch(package.name):
            return ".".join(package.version.split(".")[:2])
    lines = {own_line(package, rules) for package in lock.packages if package.name == "torch"}
    return next((found for line in sorted(lines) if (found := rules.cuda(line))), "")


def compiled(lock: Lock, rules: Matrix) -> Sequence[LockedPackage]:
    """Extensions for CUDA that are locked as a source alone: those of which the matrix knows ready wheels elsewhere."""
    return [
        package
        for package in lock.packages
        if rules.wheels(package.name) and not any(file.kind == "wheel" for file in package.files)
    ]


def asked_of_system(lock: Lock, target: Target, rules: Matrix) -> dict[str, list[str]]:
    """By `cuda` and `cudnn`, the ranges of the system that packages need; none where wheels bring their own."""
    found: dict[str, list[str]] = {"cuda": [], "cudnn": []}
    if target.hardware.accelerator != "cuda" or own_cuda(lock, rules):
        return found
    facts = Facts.of(target)
    for package in lock.packages:
        one = Package(package.name, package.version, any(file.kind == "wheel" for file in package.files))
        for rule in rules.rules(package.name):
            if rule.other in found and rule.verb == "needs":
                found[rule.other] += [wanted for wanted in rows(rule, rules, one, facts) if wanted]
    return found
