"""What the difference between two locks means: CUDA line, cuDNN, hardware floors, Python, target, download size.

A fact is a text, empty where a lock is known to have none, None where nobody knows; only what both locks know, and
know differently, is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from mlpin.lock.conda import name_in
from mlpin.lock.locked import Lock, LockedFile, LockedPackage
from mlpin.matrix.judge import label_of
from mlpin.matrix.rule import serves

if TYPE_CHECKING:
    from mlpin.matrix.matrix import Matrix
    from mlpin.target import Target

_CUDNN = re.compile(r"nvidia-cudnn(-cu\d+)?")
_AT_LEAST = re.compile(r">=(\d{1,9}(?:\.\d{1,9})*)")
_NAMED = 2
"""How many products stand for the GPUs of one compute capability."""


class Meaning(NamedTuple):
    """One fact that changed. `kind` is for programs; both texts may be empty, which is `none`."""

    kind: str
    """`cuda`, `cudnn`, `driver`, `gpus`, `glibc`, `conda-cuda`, `conda-glibc` (floors); `accelerator`, `python`,
    `requires-python`, `environments`; `platform`, `target-glibc`, `target-driver`, `target-gpus`, `target-cuda` (what
    the target says)."""
    old: str
    new: str
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    """Of `gpus`: those that are served now, or no longer, like `sm_70 (Volta: V100, GV100)`."""


class Download(NamedTuple):
    """How much an installer fetches on the target, in bytes."""

    old: int | None
    new: int | None
    """None where the size of one of the files is not known."""
    delta: int | None
    """None where the size of a file that only one of the locks has is not known."""
    unknown: tuple[int, int]
    """For how many packages the size is not known, before and after."""
    packages: tuple[int, int]


def meanings(old: Lock, new: Lock, rules: Matrix) -> tuple[Meaning, ...]:
    """The facts that both locks know and that differ, in the order of `Meaning.kind`."""
    before, after = _facts(old, rules), _facts(new, rules)
    described = all(facts["python"] and facts["platform"] for facts in (before, after))
    found = []
    for kind, one in before.items():
        other = after[kind]
        if one is None or other is None or one == other or (kind == "environments" and described):
            continue
        if kind == "gpus":
            gained, lost = _gpus(one.split(), other.split(), rules)
            if gained or lost:
                found.append(Meaning(kind, one, other, gained, lost))
        else:
            found.append(Meaning(kind, one, other))
    return tuple(found)


def _facts(lock: Lock, rules: Matrix) -> Mapping[str, str | None]:
    stated = lock.stated
    none = "" if lock.ours else None  # mlpin writes down all that it knows

    def floor(key: str) -> str | None:
        value = lock.floor.get(key)
        return value if isinstance(value, str) else none

    return {
        "cuda": build_line(lock, rules) or None,
        "cudnn": " and ".join(sorted({one.version for one in lock.packages if _CUDNN.fullmatch(one.name)})),
        "driver": floor("driver"),
        "gpus": floor("gpus") or None,
        "glibc": floor("glibc"),
        "conda-cuda": _floor_of("__cuda", lock),
        "conda-glibc": _floor_of("__glibc", lock),
        "accelerator": stated.accelerator or none,
        "python": stated.python[0] if stated.python else None,
        "requires-python": lock.requires_python,
        "environments": "; ".join(lock.environments),
        "platform": stated.platform or None,
        "target-glibc": stated.glibc or none,
        "target-driver": stated.driver or none,
        "target-gpus": " and ".join(sorted(stated.gpus)) if stated.gpus else none,
        "target-cuda": stated.cuda or none,
    }


def _floor_of(virtual: str, lock: Lock) -> str | None:
    """The version of a virtual package that conda's packages ask for at least; None where there are none of them."""
    asked = [text for package in lock.conda for text in package.depends if name_in(text) == virtual]
    floors = {found[1] for text in asked if (found := _AT_LEAST.search(text))}
    return max(floors, key=lambda text: [int(part) for part in text.split(".")], default="") if lock.conda else None


def own_line(package: LockedPackage, rules: Matrix, platform: str = "linux-x86_64") -> str:
    """The build line of a package (`cu124`, `cpu`): as it is recorded, else by its version; empty: not known."""
    return package.build_line or label_of(rules, package.name, package.version, platform).line


def build_line(lock: Lock, rules: Matrix) -> str:
    """The build line of a lock: that of the packages that lead a family (torch), else of all. Empty: not known."""
    platform = re.sub(r"-[\d.]+-", "-", lock.stated.platform or "linux-x86_64")
    heads = {family.packages[0] for family in rules.tables.families}
    leading = [one for one in lock.packages if one.name in heads]
    lines = {own_line(one, rules, platform) for one in leading or lock.packages}
    return "" if leading and "" in lines else " and ".join(sorted(lines - {""}))


def _gpus(old: list[str], new: list[str], rules: Matrix) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The GPUs that the code in one list runs on, and that in the other does not: (gained, lost)."""
    products: dict[tuple[int, int], list[str]] = {}
    for gpu in rules.gpus:
        major, _, minor = gpu.runs.partition(".")
        if major.isdigit() and minor.isdigit():
            products.setdefault((int(major), int(minor)), []).append(gpu.name)
    gained: list[str] = []
    lost: list[str] = []
    for level, names in sorted(products.items()):
        before, after = serves(tuple(old), level), serves(tuple(new), level)
        if before != after:
            some = ", ".join(sorted(names, key=lambda name: (len(name), name))[:_NAMED])
            generation = rules.generation(f"{level[0]}.{level[1]}")
            some = f"{generation}: {some}" if generation else some
            (gained if after else lost).append(f"sm_{level[0]}{level[1]} ({some})")
    return tuple(gained), tuple(lost)


def download(old: Lock, old_target: Target | None, new: Lock, new_target: Target | None) -> Download | None:
    """The download sizes on the targets; None where the same files are fetched, or as much."""
    before, after = _fetched(old, old_target), _fetched(new, new_target)
    same = {key for key in before.keys() & after.keys() if not _other_bytes(before[key], after[key])}
    gone = _sum([one.size for key, one in before.items() if key not in same])
    come = _sum([one.size for key, one in after.items() if key not in same])
    delta = None if gone is None or come is None else come - gone
    if delta == 0:
        return None
    sizes = [[one.size for one in files.values()] for files in (before, after)]
    unknown = [some.count(None) for some in sizes]
    return Download(_sum(sizes[0]), _sum(sizes[1]), delta, (unknown[0], unknown[1]), (len(before), len(after)))


def _other_bytes(one: _Fetched, other: _Fetched) -> bool:
    return bool(one.sha256 and other.sha256) and one.sha256 != other.sha256


def _sum(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


class _Fetched(NamedTuple):
    """A file that an installer fetches; its size is None where it, or which file that is, is not known."""

    size: int | None
    sha256: str


def _fetched(lock: Lock, target: Target | None) -> dict[tuple[str, ...], _Fetched]:
    found: dict[tuple[str, ...], _Fetched] = {}
    for package in lock.packages:
        wanted = _wanted(package.marker, target)
        if wanted is False or (package.tree and package.tree.kind == "directory"):
            continue
        file = _file(package, target) if wanted else None
        if file is None:
            commit = package.tree.commit if package.tree else ""
            found[package.name, package.version, package.marker, commit] = _Fetched(None, "")
        else:
            found[package.name, file.name] = _Fetched(file.size, file.hashes.get("sha256", "").lower())
    for one in lock.conda:
        found["conda", one.name, one.filename] = _Fetched(one.size, one.hashes.get("sha256", ""))
    return found


def _wanted(text: str, target: Target | None) -> bool | None:
    """Whether a package's marker holds on the target; None where that is not known."""
    if not text:
        return True
    if target is None:
        return None
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName

    try:
        return Marker(text).evaluate(target.markers, context="lock_file")
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, ValueError):
        return None


def _file(package: LockedPackage, target: Target | None) -> LockedFile | None:
    """The file that is taken; None where there is none, or nobody knows which of several."""
    if target is None:
        return package.files[0] if len(package.files) == 1 else None
    return package.best(target)
