"""Many snapshots against a lock and against one another: what differs, on which nodes, and what those have in common.

Without a lock, and for what a lock does not say, the value that more than half of the nodes have is the reference;
where there is none, each value is named. How many nodes are alike counts here; what any of it means does not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mlpin.check import environment, host
from mlpin.check.facts import Fact, Facts, Masks, of_hosts
from mlpin.check.model import Drift, Severity
from mlpin.check.nodes import ordered, shown
from mlpin.errors import InputError
from mlpin.snapshot import Conda, Contents, Installed, Snapshot, as_environment
from mlpin.stack.distributions import TOOLS

if TYPE_CHECKING:
    from mlpin.lock.locked import Lock, LockedPackage
    from mlpin.machine import Machine
    from mlpin.matrix.matrix import Matrix
    from mlpin.target import Target

_Value = TypeVar("_Value")
_Named = TypeVar("_Named", Installed, Conda)
_LOCAL = frozenset({"directory", "editable"})
_FEW = 8
"""More values than these without a majority are counted, not listed."""
_WIDTH = 60
_COMMIT = 12


class Difference(NamedTuple):
    """One thing that is otherwise than the reference has it, wherever that is."""

    kind: str
    """`missing`, `version`, `driver`, …"""
    package: str
    """Empty where it is about the host."""
    found: str
    """`torch 2.6.0+cu126`, `driver 470.57.02`, in words."""
    wanted: str
    """What the reference has, in words: `the lock has 2.6.0+cu124`; empty where there is no reference."""
    expected: str = ""
    """What the reference has, as a value."""
    severity: Severity = "error"
    line: int = 0
    """Of the lock; 0 where it says nothing of it."""


class Group(NamedTuple):
    """All that differs on the very same nodes."""

    nodes: tuple[str, ...]
    """As people count."""
    differences: tuple[Difference, ...]
    fact: Fact | None
    """What these nodes have in common with no other; None where that is not known or says nothing."""

    @property
    def severity(self) -> Severity:
        """The worst of its differences."""
        return min((one.severity for one in self.differences), key=("error", "warning", "note").index)


class Fleet(NamedTuple):
    """What a comparison came to."""

    nodes: tuple[str, ...]
    """All that were compared, as people count."""
    lock: str
    """As messages name it; empty where the nodes were compared with one another alone."""
    packages: int
    """Distributions and conda packages that were compared, each name once."""
    groups: tuple[Group, ...]
    """The largest first. A node may be in several."""
    notes: tuple[Group, ...]
    """How hosts differ, and what else is no drift by itself."""
    unreadable: tuple[InputError, ...]
    """Files that are no snapshots."""

    @property
    def alike(self) -> int:
        """How many nodes are in no group."""
        return len(self.nodes) - len({node for group in self.groups for node in group.nodes})

    @property
    def partition(self) -> tuple[tuple[tuple[str, ...], tuple[int, ...]], ...]:
        """(nodes, numbers of the groups that they are in) of all nodes that differ, the most nodes first."""
        member: defaultdict[str, list[int]] = defaultdict(list)
        for number, group in enumerate(self.groups):
            for node in group.nodes:
                member[node].append(number)
        found: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
        for node in self.nodes:
            if node in member:
                found[tuple(member[node])].append(node)
        return tuple((tuple(nodes), groups) for groups, nodes in sorted(found.items(), key=lambda one: -len(one[1])))

    @property
    def drift(self) -> tuple[Drift, ...]:
        """All of it as the common formats show it, notes on hosts included."""
        found = []
        for error in self.unreadable:
            file, line = _place(error.where or "")
            reason = error.message if error.message.startswith("`") else f"it {error.message}"
            said = f"the snapshot cannot be compared: {reason}"
            found.append(Drift("fleet", "unreadable", said, file=file, line=line, hint=error.hint or ""))
        for group in (*self.groups, *self.notes):
            common = f", exactly the nodes {group.fact.after_nodes}" if group.fact else ""
            nodes = shown(group.nodes, _WIDTH)
            where = nodes if len(group.nodes) == 1 else f"{len(group.nodes)} nodes ({nodes}{common})"
            for one in group.differences:
                said = f"{one.found} on {where}" + (f"; {one.wanted}" if one.wanted else "")
                place = self.lock if one.line else ""
                found.append(
                    Drift("fleet", one.kind, said, one.package, one.expected, one.found, place, one.line, one.severity)
                )
        return tuple(found)


def _place(where: str) -> tuple[str, int]:
    """File and line of `file:line`; 0 where there is no line."""
    file, _, line = where.rpartition(":")
    return (file, int(line)) if file and line.isdecimal() else (where, 0)


def compare(
    lock: Lock | None,
    target: Target | None,
    snapshots: Sequence[Snapshot],
    rules: Matrix,
    unreadable: Sequence[InputError] = (),
    own: Collection[str] = (),
) -> Fleet:
    """How the nodes differ from the lock and from one another.

    `own` are the projects that are installed beside what is locked. Two snapshots have two names: see `gather`.
    """
    return _Comparison(lock, target, snapshots, rules, frozenset(own)).fleet(unreadable)


class _Comparison:
    def __init__(
        self,
        lock: Lock | None,
        target: Target | None,
        snapshots: Sequence[Snapshot],
        rules: Matrix,
        own: frozenset[str],
    ) -> None:
        self.lock = lock
        self.target = target
        numbers = {name: number for number, name in enumerate(ordered(one.name for one in snapshots))}
        self.snapshots = sorted(snapshots, key=lambda one: numbers[one.name])
        self.rules = rules
        self.own = own
        self.every = (1 << len(snapshots)) - 1
        self.found: defaultdict[Difference, int] = defaultdict(int)
        """By difference, the nodes that have it."""

    def fleet(self, unreadable: Sequence[InputError]) -> Fleet:
        hosts = of_hosts(self.snapshots)
        facts = Facts(self.snapshots, hosts)
        packages = {name: masks for name, masks in self.packages.items() if self._counts(name, masks)}
        if self.lock is not None:
            self._against_lock(self.lock)
        for name in sorted(packages):
            self._package(name, packages[name])
        for name in sorted(self.conda.keys() - TOOLS):
            self._conda(name, self.conda[name])
        self._environments()
        self._hosts()
        for name in sorted(self.packages.keys() - packages.keys()):
            for one, mask in self.packages[name].items():
                facts.add(Fact("package", f"{name} {one.version}"), mask)
        notes = {one: mask for one, mask in self.found.items() if one.severity == "note"}
        drift = {one: mask for one, mask in self.found.items() if one.severity != "note"}
        told = {(one.kind, mask) for one, mask in self.found.items()}
        for about, masks in hosts.items():
            notes |= {one: mask for one, mask in _deviating(about, masks) if (about, mask) not in told}
        return Fleet(
            tuple(one.name for one in self.snapshots),
            self.lock.shown if self.lock else "",
            len({*packages, *self.locked}) + len(self.conda),
            self._groups(drift, facts),
            self._groups(notes, None),
            tuple(unreadable),
        )

    def _groups(self, found: Mapping[Difference, int], facts: Facts | None) -> tuple[Group, ...]:
        """What differs on the same nodes as one group, the largest group first."""
        alike: defaultdict[int, list[Difference]] = defaultdict(list)
        for difference, mask in found.items():
            alike[mask].append(difference)
        made = []
        for mask, differences in alike.items():
            nodes = tuple(one.name for number, one in enumerate(self.snapshots) if mask >> number & 1)
            fact = facts.exactly(mask, {one.kind for one in differences}) if facts else None
            differences.sort(key=lambda one: (not one.package, one.package, one.kind, one.found))
            made.append(Group(nodes, tuple(differences), fact))
        return tuple(sorted(made, key=lambda group: -len(group.nodes)))

    # What is there

    @cached_property
    def contents(self) -> Masks[Contents]:
        """By what environments hold, the nodes: most nodes hold the same."""
        found: Masks[Contents] = {}
        for number, one in enumerate(self.snapshots):
            if one.environment is not None:
                found[one.environment] = found.get(one.environment, 0) | 1 << number
        return found

    @cached_property
    def inhabited(self) -> int:
        """The nodes that have an environment."""
        return sum(self.contents.values())

    @cached_property
    def packages(self) -> dict[str, Masks[Installed]]:
        return _by_name((one, mask) for contents, mask in self.contents.items() for one in contents.packages)

    @cached_property
    def conda(self) -> dict[str, Masks[Conda]]:
        return _by_name((one, mask) for contents, mask in self.contents.items() for one in contents.conda)

    @cached_property
    def locked(self) -> Mapping[str, Sequence[LockedPackage]]:
        return self.lock.by_name if self.lock else {}

    def _counts(self, name: str, masks: Masks[Installed]) -> bool:
        """Whether it is compared: not what some nodes have for the sake of a tool alone, as mlpin itself."""
        if name in self.locked:
            return True
        return name not in TOOLS and name not in self.own and not any(one.tool for one in masks)

    # What differs

    def _against_lock(self, lock: Lock) -> None:
        """By the rules of `mlpin check --env`; what is installed from a directory of a node's own is left out."""
        alike: Masks[Contents] = {}
        for contents, mask in self.contents.items():
            plain = contents._replace(packages=tuple(one._replace(files="") for one in contents.packages))
            alike[plain] = alike.get(plain, 0) | mask
        for contents, mask in alike.items():
            here = {one.name: one for one in contents.packages}
            for drift in environment.drifts(lock, self.target, as_environment(contents), own=self.own):
                one = here.get(drift.package)
                if drift.kind != "extra" or (one and one.source not in _LOCAL):
                    self.found[_of_environment(drift, one)] |= mask

    def _package(self, name: str, masks: Masks[Installed]) -> None:
        locked = self.locked.get(name)
        if self.lock is None or (not locked and all(one.source in _LOCAL for one in masks)):
            self._among_nodes(name, masks)
        if self.lock is None or any(file.kind == "wheel" for package in locked or () for file in package.files):
            self._files(name, masks)

    def _among_nodes(self, name: str, masks: Masks[Installed]) -> None:
        """Versions and sources."""
        values: Masks[str] = {}
        for one, mask in masks.items():
            values[_value(one)] = values.get(_value(one), 0) | mask
        for difference, mask in self._by_majority(name, name, values):
            self.found[difference] |= mask

    def _conda(self, name: str, masks: Masks[Conda]) -> None:
        """A conda package that is a distribution as well, and differs as such, is told once."""
        values = {f"{one.version} {one.build}".strip(): mask for one, mask in masks.items()}
        told = {(one.package, mask) for one, mask in self.found.items()}
        told |= {(name, mask) for one, mask in self.found.items() if (one.kind, one.package) == ("missing", "")}
        for difference, mask in self._by_majority(name, f"conda's {name}", values):
            if (name, mask) not in told:
                self.found[difference] |= mask

    def _by_majority(self, name: str, title: str, values: Masks[str]) -> Iterator[tuple[Difference, int]]:
        """What is not as most nodes have it; where there is no such thing, what each of them has.

        Where there is a lock, it says nothing of these: that they differ is a doubt, and no error.
        """
        if absent := self.inhabited & ~_union(values):
            values[""] = absent
        if len(values) == 1:
            return
        usual = _majority(values)
        severity: Severity = "error" if self.lock is None else "warning"
        if usual is None and len(values) > _FEW:
            found = f"{title} in {len(values)} states, none of them on most nodes"
            yield Difference("version", name, found, "", severity=severity), self.inhabited
            return
        wanted = f"most nodes have {usual}" if usual else "most nodes do not have it" if usual == "" else ""
        for value, mask in values.items():
            if value != usual:
                kind = "extra" if usual == "" else _kind(values if usual is None else (value, usual))
                found = f"{title} {value}" if value else f"{title} is missing"
                yield Difference(kind if value else "missing", name, found, wanted, usual or "", severity), mask

    def _files(self, name: str, masks: Masks[Installed]) -> None:
        """Other files in the same version, where an installer would have taken the same wheel."""
        classes: defaultdict[tuple[str, ...], Masks[str]] = defaultdict(dict)
        for one, mask in masks.items():
            if not one.files:
                continue
            for platform, part in self._platforms.items():
                if mask & part:
                    digests = classes[one.version, one.source, *platform]
                    digests[one.files] = digests.get(one.files, 0) | mask & part
        for (version, *_), digests in classes.items():
            usual = _majority(digests)
            if usual is None:
                # Many builds are built by many nodes: that may well be what somebody wanted.
                severity: Severity = "note" if len(digests) > _FEW else "warning"
                found = f"{name} {version} in {len(digests)} builds"
                self.found[Difference("files", name, found, "", severity=severity)] |= _union(digests)
                continue
            wanted = "most nodes of the same kind have other files in the same version"
            for files, mask in digests.items():
                if files != usual:
                    found = f"{name} {version} in another build"
                    self.found[Difference("files", name, found, wanted, severity="warning")] |= mask

    @cached_property
    def _platforms(self) -> Masks[tuple[str, ...]]:
        """Nodes for which an installer takes the same wheels."""
        found: Masks[tuple[str, ...]] = {}
        for number, one in enumerate(self.snapshots):
            key = (one.host.platform, one.host.libc, ".".join(one.python.split(".")[:2]))
            found[key] = found.get(key, 0) | 1 << number
        return found

    def _environments(self) -> None:
        """Nodes without an environment, where others have one or there is a lock."""
        absent = self.every & ~self.inhabited
        if absent and (self.lock or self.inhabited):
            wanted = "there is a lock" if self.lock else "other nodes have one"
            self.found[Difference("environment", "", "no environment", wanted)] |= absent

    def _hosts(self) -> None:
        """What the lock needs of a machine. What several nodes lack in the same way is told once, in all its values."""
        if self.lock is None:
            return
        machines: Masks[Machine] = {}
        for number, one in enumerate(self.snapshots):
            machines[one.host] = machines.get(one.host, 0) | 1 << number
        lacking: defaultdict[tuple[str, str, str, Severity], Masks[str]] = defaultdict(dict)
        for machine, mask in machines.items():
            for drift in host.drifts(self.lock, self.target, machine, self.rules, None):
                values = lacking[drift.kind, drift.package, drift.expected, drift.severity]
                values[drift.found] = values.get(drift.found, 0) | mask
        for (kind, package, expected, severity), values in lacking.items():
            found = ", ".join(sorted(values)) if len(values) <= _FEW else f"{len(values)} different ones"
            verb = "was made for" if severity == "note" else "needs"
            if kind == "gpu" and expected.startswith(("sm_", "compute_")):
                verb = "has code for"
            needed = f"glibc {expected}" if kind == "glibc" and expected else expected
            wanted = f"{package or 'the lock'} {verb} {needed or 'one'}"
            self.found[Difference(kind, package, _lacking(kind, found), wanted, expected, severity)] |= _union(values)


def _lacking(kind: str, found: str) -> str:
    """`driver 470.57.02`, `no driver`, `musl 1.2.4`."""
    title = {"gpu": "GPU"}.get(kind, kind)
    return f"no {title}" if found == "none" else found if found.startswith("musl") else f"{title} {found}"


def _deviating(about: str, masks: Masks[str]) -> Iterator[tuple[Difference, int]]:
    """How hosts differ in one thing, as notes."""
    if len(masks) == 1:
        return
    usual = _majority(masks)
    if usual is None and len(masks) > _FEW:
        yield Difference("host", "", f"{len(masks)} kinds of {about}", "", severity="note"), _union(masks)
        return
    wanted = f"most: {usual}" if usual else ""
    for words, mask in masks.items():
        if words != usual:
            yield Difference("host", "", words, wanted, usual or "", "note"), mask


def _by_name(found: Iterator[tuple[_Named, int]]) -> dict[str, Masks[_Named]]:
    made: dict[str, Masks[_Named]] = {}
    for one, mask in found:
        masks = made.setdefault(one.name, {})
        masks[one] = masks.get(one, 0) | mask
    return made


def _union(masks: Mapping[_Value, int]) -> int:
    union = 0
    for mask in masks.values():
        union |= mask
    return union


def _majority(masks: Mapping[_Value, int]) -> _Value | None:
    """The value of more than half of the nodes that have any."""
    total = sum(mask.bit_count() for mask in masks.values())
    return next((value for value, mask in masks.items() if 2 * mask.bit_count() > total), None)


def _kind(values: Iterable[str]) -> str:
    """How values of one package differ: in `version`, in `build` (a local part, conda's build), in `source` alone."""
    from mlpin.matrix.ranges import version

    words = [value.split(" ", 1) for value in values if value]
    known = {first: version(first) for first, *_ in words}
    if len({found.public if found else first for first, found in known.items()}) > 1:
        return "version"
    return "source" if len(known) == 1 and any(rest and rest[0].startswith("(") for _, *rest in words) else "build"


def _value(one: Installed) -> str:
    """`2.6.0+cu124`, `1.0 (commit 0123456789ab)`."""
    if not one.source:
        return one.version
    source, _, stated = one.source.partition(" ")
    algorithm, colon, digest = stated.rpartition(":")
    return f"{one.version} ({f'{source} {algorithm}{colon}{digest[:_COMMIT]}'.strip()})".strip()


def _of_environment(drift: Drift, one: Installed | None) -> Difference:
    """What `mlpin check --env` says of one environment, as something that several nodes have."""
    wanted = "the lock does not have it" if drift.kind == "extra" else f"the lock has {drift.expected or 'it'}"
    if drift.kind == "python":
        found = f"Python {'.'.join(drift.found.split('.')[:2])}"
        wanted = f"the lock is for Python {drift.expected}"
    elif not drift.package:
        found, wanted = "no conda packages", "the lock has some"
    elif one is None:
        there = drift.kind != "missing" and drift.found  # a conda package that carries no distribution
        found = f"conda's {drift.package} {drift.found}" if there else f"{drift.package} is missing"
    else:
        found = f"{one.name} {_value(one)}"
    return Difference(drift.kind, drift.package, found, wanted, drift.expected, drift.severity, drift.line)
