"""What is asked of the matrix: rules by package, build lines, GPUs. The shipped one, with a project's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.matrix.labels import cuda_of
from mlpin.matrix.packed import Packed, Tables
from mlpin.matrix.ranges import version, within
from mlpin.matrix.rule import Rule, any_of
from mlpin.matrix.tables import BaseImage, Distribution, Gpu, Line, Supplied, Wheels

if TYPE_CHECKING:
    from packaging.version import Version

    from mlpin.candidate import Listing
    from mlpin.matrix.labels import Built
    from mlpin.matrix.read import Source

SHIPPED = Path(__file__).with_name("matrix.jsonl")


class Matrix:
    """The packed matrix, joined with a project's own; rules switched off by id are left out."""

    def __init__(self, packed: Packed, own: Source | None = None, off: Mapping[str, str] | None = None) -> None:
        self._packed = packed
        self._own: dict[str, list[Rule]] = {}
        for rule in own.rules if own else ():
            self._own.setdefault(rule.package, []).append(rule)
        self._extra = own
        self._replaced = {rule.id for rule in own.rules} if own else set()
        self.off = dict(off or {})
        self.own = repr(own) if own else ""
        """A project's own part as text: equal text, equal rules."""
        self.version = packed.version
        self.digest = packed.digest
        mine = {rule.other for rule in own.rules if not rule.of_target} if own else set()
        self.others: frozenset[str] = packed.others | mine
        self._rules: dict[str, tuple[Rule, ...]] = {}
        self._wheels: dict[str, tuple[Wheels, ...]] = {}
        self.labels: dict[tuple[str, str, str], Built] = {}
        """What `judge.label_of` has worked out, by package, version and platform."""
        self.listings: dict[str, Listing | None] = {}
        """What `listing.listing` has made, by package."""

    @classmethod
    def shipped(cls, own: Source | None = None, off: Mapping[str, str] | None = None) -> Matrix:
        """The matrix that comes with mlpin."""
        return cls(Packed(SHIPPED.read_bytes()), own, off)

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages that have rules, sorted."""
        return tuple(sorted({*self._packed.packages, *self._own}))

    @property
    def listed(self) -> tuple[str, ...]:
        """The packages that have release files or metadata here, sorted."""
        own = {item.package for item in self._extra.wheels} if self._extra else set()
        own |= {item.package for item in self._extra.metadata} if self._extra else set()
        return tuple(sorted({*self._packed.listed, *own}))

    def rules(self, package: str) -> tuple[Rule, ...]:
        """The rules about a package that are in force."""
        known = self._rules.get(package)
        if known is None:
            known = tuple(rule for rule in self.all_rules(package) if rule.id not in self.off)
            self._rules[package] = known
        return known

    def all_rules(self, package: str) -> tuple[Rule, ...]:
        """The rules about a package, those that are switched off as well."""
        shipped = [rule for rule in self._packed.rules(package) if rule.id not in self._replaced]
        return (*shipped, *self._own.get(package, ()))

    def has(self, rule: str) -> bool:
        """Whether there is a rule of this id, in force or switched off."""
        return rule in self._ids

    @cached_property
    def _ids(self) -> frozenset[str]:
        own = {rule.id for rules in self._own.values() for rule in rules}
        return frozenset(own | {rule.id for name in self._packed.packages for rule in self._packed.rules(name)})

    def knows(self, package: str) -> bool:
        """Whether any rule speaks of the package."""
        return package in self.others or bool(self.rules(package))

    @cached_property
    def tables(self) -> Tables:
        """The small tables, with a project's own entries after the shipped ones."""
        shipped, own = self._packed.tables(), self._extra
        if own is None:
            return shipped
        return Tables(
            (*shipped.families, *own.families),
            (*shipped.lines, *own.lines),
            (*shipped.defaults, *own.defaults),
            (*shipped.abis, *own.abis),
            (*shipped.aliases, *own.aliases),
            (*shipped.toolkits, *own.toolkits),
            (*shipped.archs, *own.archs),
        )

    @cached_property
    def gpus(self) -> tuple[Gpu, ...]:
        return (*self._packed.gpus(), *(self._extra.gpus if self._extra else ()))

    @cached_property
    def distributions(self) -> tuple[Distribution, ...]:
        """Distributions; a project's own come first, so that they count."""
        return (*(self._extra.distributions if self._extra else ()), *self._packed.images()[0])

    @cached_property
    def images(self) -> tuple[BaseImage, ...]:
        """Base images; a project's own come first, so that they count."""
        return (*(self._extra.images if self._extra else ()), *self._packed.images()[1])

    @cached_property
    def aliases(self) -> dict[str, str]:
        """By conda's name, the distribution that the package carries."""
        return {alias.conda: alias.package for alias in self.tables.aliases}

    def line(self, label: str) -> Line | None:
        """The build line of this label."""
        return next((line for line in self.tables.lines if line.label == label), None)

    def cuda(self, label: str) -> str:
        """The CUDA version of a build line; empty where it has none."""
        known = self.line(label)
        return known.cuda if known else cuda_of(label)

    def driver_for(self, cuda: str) -> str:
        """The branch of drivers that reports this CUDA version; empty where it is not known."""
        shipped = next((one.shipped for one in self.tables.toolkits if one.cuda == cuda and one.shipped), "")
        return shipped.partition(".")[0]

    def driver_floor(self, cuda: str, platform: str) -> tuple[str, str]:
        """The oldest driver that runs code built for a CUDA version, and the source; empty where it is not known."""
        for toolkit in self.tables.toolkits:
            floor = toolkit.windows if platform.startswith("windows") else toolkit.linux
            if floor and toolkit.cuda in {cuda, cuda.partition(".")[0]}:
                return floor, "; ".join(toolkit.source)
        return "", ""

    def first_cuda(self, capability: str) -> str:
        """The oldest CUDA version that knows GPUs of a compute capability; empty where it is not known."""
        return next((part[2:].strip() for part in self._compiles(capability).split(",") if part.startswith(">=")), "")

    def dropped(self, capability: str, cuda: str) -> bool:
        """Whether a CUDA version no longer compiles for GPUs of a compute capability that older ones did."""
        first, found = version(self.first_cuda(capability) or "0"), version(cuda)
        wanted = self._compiles(capability)
        return bool(wanted and first and found and found > first and not within(wanted, found))

    def _compiles(self, capability: str) -> str:
        return next((arch.cuda for arch in self.tables.archs if arch.capability == capability), "")

    def generation(self, capability: str) -> str:
        """What NVIDIA calls GPUs of a compute capability: `Volta`; empty where it is not known."""
        return next((arch.generation for arch in self.tables.archs if arch.capability == capability), "")

    def first_driver(self, capability: str) -> str:
        """The driver that the first CUDA which knows such GPUs was shipped with; empty where it is not known."""
        first = self.first_cuda(capability)
        return next((toolkit.shipped for toolkit in self.tables.toolkits if first and toolkit.cuda == first), "")

    def default_line(self, package: str, release: Version, platform: str) -> str:
        """The line of the package index's own builds of a release, empty where it is not known."""
        for entry in self.tables.defaults:
            if entry.package == package and any_of(entry.platforms, platform) and within(entry.versions, release):
                return entry.line
        return ""

    def cxx11(self, package: str, release: Version, line: str, platform: str) -> bool | None:
        """Whether a release uses the new C++ ABI; None where it is not known."""
        for entry in self.tables.abis:
            if (
                entry.package == package
                and any_of(entry.platforms, platform)
                and (not entry.lines or any_of(entry.lines, line))
                and within(entry.versions, release)
            ):
                return entry.cxx11
        return None

    def wheels(self, package: str) -> tuple[Wheels, ...]:
        """Files of the package that no index lists."""
        known = self._wheels.get(package)
        if known is None:
            own = [item for item in self._extra.wheels if item.package == package] if self._extra else []
            known = self._wheels[package] = (*self._packed.wheels(package), *own)
        return known

    def supplied(self, package: str, text: str) -> Supplied | None:
        """Metadata for a release whose own cannot be read: of a listed release file, else what stands for a range."""
        found = version(text)
        if found is None:
            return None
        for release in self.wheels(package):
            if release.requires and version(release.version) == version(found.public):
                return Supplied(package, "", release.requires, release.requires_python, source=release.source)
        return next((item for item in self.metadata(package) if within(item.versions, found)), None)

    def metadata(self, package: str) -> tuple[Supplied, ...]:
        """Metadata that the matrix supplies for a package."""
        own = [item for item in self._extra.metadata if item.package == package] if self._extra else []
        return (*self._packed.metadata(package), *own)
