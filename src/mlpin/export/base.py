"""Which base image a lock is installed on: the smallest one that the matrix knows to exist and to serve it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from mlpin.errors import InputError
from mlpin.lock.runtime import asked_of_system, compiled, glibc_of, own_cuda
from mlpin.matrix.images import distribution, facts_of
from mlpin.matrix.ranges import stated_within, version

if TYPE_CHECKING:
    from packaging.version import Version

    from mlpin.lock.locked import Lock
    from mlpin.matrix.matrix import Matrix
    from mlpin.target import Target

_CUDA, _PYTHON, _DEBIAN, _UV = "nvidia/cuda", "python", "debian", "ghcr.io/astral-sh/uv"
_MICROMAMBA = "mambaorg/micromamba:2-debian12-slim"
"""By major version and base image (https://micromamba-docker.readthedocs.io/en/latest/tags.html)."""


class Base(NamedTuple):
    """The base images of the two stages, and why."""

    build: str
    """What everything is installed in."""
    run: str
    """What is kept."""
    python: bool
    """Whether they have the Python of the lock; else uv brings it."""
    why: str
    """A sentence without a full stop."""


class _Tag(NamedTuple):
    name: str
    facts: Mapping[str, str]
    glibc: Version | None


def base_of(lock: Lock, target: Target, rules: Matrix) -> Base:
    """The base images for a lock. Raises `InputError` where no image that is known serves it."""
    floor = _floor(lock, target)
    if lock.conda:
        why = "conda brings everything along but the C library and the driver"
        return Base(_MICROMAMBA, _bare(rules, floor, lock).name, python=False, why=why)
    own, asked = own_cuda(lock, rules), asked_of_system(lock, target, rules)
    built = [package.name for package in compiled(lock, rules)]
    if built and own and target.hardware.accelerator in {"", "cuda"}:
        found = [tag for tag in _cuda(rules, target, floor) if _line(tag.facts["cuda"]) == _line(own)]
        found = found or [tag for tag in _cuda(rules, target, floor) if _major(tag.facts["cuda"]) == _major(own)]
        build = [tag for tag in found if tag.facts.get("nvcc") == "yes"]
        if not build:
            raise InputError(
                f"{', '.join(built)} would be compiled, and no image with the compiler of CUDA {own} is known",
                where=lock.shown,
                hint="lock wheels of them",
            )
        why = f"`{'`, `'.join(built)}` is compiled, with the compiler of the CUDA that torch is built for"
        return Base(build[0].name, _bare(rules, floor, lock).name, python=False, why=why)
    if asked["cuda"] or asked["cudnn"]:
        found = [tag for tag in _cuda(rules, target, floor) if tag.facts.get("nvcc") == "no" and _serves(tag, asked)]
        if not found:
            raise InputError(
                f"no image with a CUDA that serves this lock is known (CUDA {', '.join(asked['cuda']) or 'any'})",
                where=lock.shown,
                hint="lock builds that bring their CUDA along, or write the Dockerfile by hand",
            )
        return Base(found[0].name, found[0].name, python=False, why="the locked builds take CUDA from the system")
    made = _plain(rules, target, floor, lock)
    why = f"the locked wheels bring CUDA {own} along, so the image needs none" if own else ""
    return made._replace(why=why)


def _floor(lock: Lock, target: Target) -> str:
    """The glibc that the locked builds need; of conda's the lock says it."""
    needed = [minor for package in lock.packages if (minor := glibc_of(package, target)) is not None]
    return str(lock.floor.get("glibc", "")) or f"2.{max(needed, default=0)}"


def uv_image(rules: Matrix) -> str:
    """The image that uv itself is copied from."""
    return _known(rules, _UV)[0].name


def _plain(rules: Matrix, target: Target, floor: str, lock: Lock) -> Base:
    """An image with the lock's Python; a bare one where no such image is known."""
    if target.python.count(".") == 1:
        found = [
            tag for tag in _known(rules, _PYTHON) if tag.facts.get("python") == target.python and _fits(tag, floor)
        ]
        if found:
            newest = max(found, key=_age)
            return Base(newest.name, newest.name, python=True, why="")
    bare = _bare(rules, floor, lock)
    return Base(bare.name, bare.name, python=False, why="")


def _bare(rules: Matrix, floor: str, lock: Lock) -> _Tag:
    found = [tag for tag in _known(rules, _DEBIAN) if _fits(tag, floor)]
    if not found:
        raise InputError(f"no base image with glibc {floor} is known", where=lock.shown)
    return max(found, key=_age)


def _cuda(rules: Matrix, target: Target, floor: str) -> list[_Tag]:
    """Images with CUDA that start on the target's driver on every GPU, the newest first."""
    found = [tag for tag in _known(rules, _CUDA) if _fits(tag, floor) and _starts(tag, target, rules)]
    return sorted(found, key=lambda tag: version(tag.facts["cuda"]) or 0, reverse=True)


def _starts(tag: _Tag, target: Target, rules: Matrix) -> bool:
    stated = version(target.hardware.driver) if target.hardware.driver else None
    if stated is None:
        return True
    # Older branches that an image lists are for some brands of GPUs alone.
    shipped = rules.driver_for(_line(tag.facts["cuda"]))
    if shipped:
        return stated.major >= int(shipped)
    floor = rules.driver_floor(_line(tag.facts["cuda"]), target.platform.name)[0]
    return not floor or stated_within(f">={floor}", stated) is True


def _serves(tag: _Tag, asked: Mapping[str, list[str]]) -> bool:
    for name, ranges in asked.items():
        there = version(tag.facts.get(name, ""))
        if ranges and (there is None or any(stated_within(wanted, there) is False for wanted in ranges)):
            return False
    return True


def _fits(tag: _Tag, floor: str) -> bool:
    wanted = version(floor)
    return tag.glibc is not None and wanted is not None and tag.glibc >= wanted


def _age(tag: _Tag) -> Version:
    assert tag.glibc is not None
    return tag.glibc


def _known(rules: Matrix, name: str) -> list[_Tag]:
    """The tags of an image that are known to exist, with what they say."""
    return list(_tags(rules, name))


def _tags(rules: Matrix, name: str) -> Iterator[_Tag]:
    for image in rules.images:
        for tag in image.known if name in image.names else ():
            facts = facts_of(image, tag) or {}
            release = distribution(rules.distributions, facts.get("system", ""))
            yield _Tag(f"{name}:{tag}", facts, version(release.glibc) if release else None)


def _line(cuda: str) -> str:
    return ".".join(cuda.split(".")[:2])


def _major(cuda: str) -> str:
    return cuda.partition(".")[0]
