"""Lock and machine: whether what is locked runs on the machine as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from mlpin.check.matrix import broken, packages, said
from mlpin.check.model import Drift, Severity
from mlpin.matrix.judge import Facts
from mlpin.matrix.ranges import version

if TYPE_CHECKING:
    from mlpin.lock.locked import Lock
    from mlpin.machine import Machine
    from mlpin.matrix.matrix import Matrix
    from mlpin.target import Target


def drifts(
    lock: Lock, target: Target | None, machine: Machine, rules: Matrix, pythons: Collection[str] | None
) -> Iterator[Drift]:
    """What of the machine is not as the lock needs it.

    `pythons` are the minor versions that are installed there (`3.11`); None: an environment's Python is looked at
    elsewhere. What could not be found out about the machine is not held against it.
    """
    if target is not None:
        yield from _platform(target, machine)
        minor = ".".join(map(str, target.minor))
        if pythons is not None and minor not in pythons:
            there = ", ".join(sorted(pythons, key=lambda text: [int(part) for part in text.split(".")])) or "none"
            message = f"the lock is for Python {minor}, and none of that version is on the PATH here"
            yield _drift("python", message, minor, there, hint=f"install Python {minor}, or let uv do it")
    yield from _glibc(lock, target, machine)
    yield from _hardware(lock, target, machine, rules)


def _platform(target: Target, machine: Machine) -> Iterator[Drift]:
    from mlpin.target import parse_platform

    if not machine.platform:
        return
    here = parse_platform(machine.platform)
    if here.kind != target.platform.kind:
        message = f"the lock is for {target.platform.kind}, this machine is {here.kind}"
        yield _drift("platform", message, target.platform.kind, here.kind)
    elif here.system == "macos" and here.release < target.platform.release:
        message = f"the lock is for macOS {target.platform.release[0]}, this machine has macOS {here.release[0]}"
        yield _drift("platform", message, target.platform.name, here.name)


def _glibc(lock: Lock, target: Target | None, machine: Machine) -> Iterator[Drift]:
    floor = str(lock.floor.get("glibc", ""))
    if not floor or (target is not None and target.platform.system != "linux"):
        return
    if machine.libc.startswith("musl"):
        message = f"the locked wheels need glibc {floor}, and the C library of this machine is {machine.libc}"
        yield _drift("glibc", message, floor, machine.libc)
    elif machine.glibc and _older(machine.glibc, floor):
        message = f"the locked wheels need glibc {floor}, and this machine has {machine.glibc}"
        yield _drift("glibc", message, floor, machine.glibc, hint=f'lock with glibc = "{machine.glibc}" in the target')


def _hardware(lock: Lock, target: Target | None, machine: Machine, rules: Matrix) -> Iterator[Drift]:
    """Driver and GPUs, by the matrix: with what is there, not with what the lock was made for."""
    wanted = target.hardware.accelerator if target else ""
    nvidia = bool(machine.gpus or machine.driver)
    if wanted == "cuda" and not nvidia:
        message = "the lock is for CUDA, and this machine has no NVIDIA driver that answers"
        yield _drift("driver", message, str(lock.floor.get("driver", "")), "none")
        return
    if wanted == "rocm" and not machine.amd:
        yield _drift("gpu", "the lock is for ROCm, and this machine has no AMD GPU that can be used", "AMD", "none")
        return
    if not nvidia or wanted not in {"cuda", ""}:
        return
    # Where the lock says nothing of hardware, it may well be meant for the processor alone.
    severity: Severity = "error" if wanted else "warning"
    gpus = tuple(dict.fromkeys((gpu.name or f"sm_{gpu.capability}", gpu.capability) for gpu in machine.gpus))
    platform = target.platform.kind if target else "linux-x86_64"
    python = target.python if target else ""
    facts = Facts(platform, python, machine.glibc, "cuda", machine.driver, gpus)
    for finding in broken(packages(lock, target), facts, rules):
        other = finding.packages[1][0]
        if other in {"driver", "gpu"}:
            name, found = finding.packages[0][0], finding.packages[1][1]
            remedy = finding.rule.remedy
            yield _drift(other, said(finding), finding.wanted, found, name, severity=severity, hint=remedy)
    stated = target.hardware.driver if target else ""
    if machine.driver and stated and _older(machine.driver, stated):
        message = f"the driver here is {machine.driver}, older than the {stated} that the lock was made for"
        yield _drift("driver", message, stated, machine.driver, severity="note")


def _older(one: str, other: str) -> bool:
    found, wanted = version(one), version(other)
    return found is not None and wanted is not None and found < wanted


def _drift(
    kind: str,
    message: str,
    expected: str,
    found: str,
    package: str = "",
    *,
    severity: Severity = "error",
    hint: str = "",
) -> Drift:
    return Drift("host", kind, message, package, expected, found, severity=severity, hint=hint)
