"""What nodes have in common beside their packages: driver, GPUs, glibc, Python, names. Whether it is good is not known.

A set of nodes is an integer here, with a bit for each node.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from mlpin.snapshot import Snapshot

_Value = TypeVar("_Value")
Masks = dict[_Value, int]
"""By value, the nodes that have it."""

_TOKEN = re.compile(r"([0-9]+)")
_SIMPLEST = ("platform", "driver", "gpu", "glibc", "python", "cuda", "cpu", "container")
"""What explains most in the fewest words comes first."""
_COARSER = (
    ("driver", re.compile(r"(driver \d+)\..*"), r"\1.x"),
    ("gpu", re.compile(r"\d+ x ((?:(?! and ).)+)"), r"\1"),
    ("python", re.compile(r"(Python \d+\.\d+)\..*"), r"\1"),
)
"""The branch of a driver, the model of the GPUs, the minor version of Python."""
_NAMED = frozenset({"driver", "gpu", "glibc", "python", "cuda"})
"""What can be said of nodes by what they do not have."""
_FOLLOWS = {"platform": set(_SIMPLEST), "driver": {"cuda"}, "gpu": set(), "glibc": set(), "python": set()}
"""Kinds of drift that are facts themselves, each with what is no news beside it."""


class Fact(NamedTuple):
    """Something that a set of nodes, and no other node, has."""

    about: str
    """`driver`, `gpu`, `glibc`, `python`, `platform`, `cpu`, …: kinds of drift have the same names."""
    words: str
    """`driver 535.161.08`, `in a container`."""

    @property
    def after_nodes(self) -> str:
        """`with driver 535.161.08`, `named gpu-a*`."""
        return self.words if self.words.startswith(("in ", "not in ", "named ", "without ")) else f"with {self.words}"


def of_hosts(snapshots: Sequence[Snapshot]) -> dict[str, Masks[str]]:
    """By what it is about, the values that nodes have, in words. What is not known of a node is left out."""
    found: defaultdict[str, Masks[str]] = defaultdict(dict)
    features: defaultdict[str, set[str]] = defaultdict(set)
    for one in snapshots:
        features[one.host.platform] |= {*one.host.cpu_features}
    for number, one in enumerate(snapshots):
        for about, words in _words(one, features[one.host.platform]):
            if words:
                found[about][words] = found[about].get(words, 0) | 1 << number
    return dict(sorted(found.items(), key=lambda one: (_SIMPLEST.index(one[0].partition(" ")[0]), one[0])))


def _words(one: Snapshot, features: Collection[str]) -> Iterator[tuple[str, str]]:
    """What is to be said of a host."""
    host = one.host
    yield "platform", host.platform
    yield "driver", f"driver {host.driver}" if host.driver else "no NVIDIA driver"
    counted = Counter(gpu.name or f"GPU sm_{gpu.capability.replace('.', '')}" for gpu in host.gpus)
    gpus = [f"{count} x {name}" for name, count in sorted(counted.items())]
    yield "gpu", " and ".join([*gpus, *host.amd]) or "no GPU"
    yield "glibc", host.libc or (f"glibc {host.glibc}" if host.glibc else "")
    yield "python", f"Python {one.python}" if one.python else ""
    yield "cuda", f"CUDA {host.cuda}" if host.cuda else ""
    yield "cpu", f"CPU {host.cpu}" if host.cpu else ""
    for feature in sorted(features) if host.cpu_features else ():
        yield f"cpu {feature}", f"CPU with {feature}" if feature in host.cpu_features else f"CPU without {feature}"
    yield "container", "in a container" if host.container else "not in a container"


class Facts:
    """The sets of nodes that a fact tells apart from all others."""

    def __init__(self, snapshots: Sequence[Snapshot], hosts: Mapping[str, Masks[str]]) -> None:
        self._every = (1 << len(snapshots)) - 1
        self._facts: defaultdict[int, list[Fact]] = defaultdict(list)
        for about, masks in hosts.items():
            for words, mask in masks.items():
                self._facts[mask].append(Fact(about, words))
        for about, pattern, short in _COARSER:
            for words, mask in _shortened(hosts.get(about, {}), pattern, short).items():
                self._facts[mask].append(Fact(about, words))
        for words, mask in _beginnings([one.name for one in snapshots]).items():
            self._facts[mask].append(Fact("name", words))

    def add(self, fact: Fact, mask: int) -> None:
        """A fact that is less simple than all that are known so far."""
        self._facts[mask].append(fact)

    def exactly(self, mask: int, known: Collection[str] = ()) -> Fact | None:
        """The simplest fact that these nodes have and no other; None where there is none, or it would say nothing.

        It says nothing of a single node, of all of them, or beside what is `known` of them, kinds of drift: it is to
        explain what differs in packages. Where no fact is theirs, one that all the others have will do.
        """
        if mask == self._every or mask & (mask - 1) == 0:
            return None
        if known and not {*known} - _FOLLOWS.keys():
            return None
        known = {*known, *(after for about in known for after in _FOLLOWS.get(about, ()))}
        theirs = (fact for fact in self._facts.get(mask, ()) if fact.about not in known)
        rest = self._every & ~mask
        others = self._facts.get(rest, ()) if rest & (rest - 1) else ()
        without = (
            Fact(fact.about, f"without {fact.words}")
            for fact in others
            if fact.about not in known and fact.about in _NAMED and not fact.words.startswith("no ")
        )
        return next(theirs, None) or next(without, None)


def _shortened(masks: Mapping[str, int], pattern: re.Pattern[str], short: str) -> Masks[str]:
    """Values that are the same but for a detail, together."""
    found: Masks[str] = {}
    for words, mask in masks.items():
        if match := pattern.fullmatch(words):
            key = match.expand(short)
            found[key] = found.get(key, 0) | mask
    return found


def _beginnings(names: Sequence[str]) -> Masks[str]:
    """`named gpu-a*`: names that begin alike, up to a number."""
    starts = set()
    for name in names:
        parts = _TOKEN.split(name)
        starts |= {"".join(parts[:end]) for end in range(1, len(parts), 2) if parts[end - 1]}
    found: Masks[str] = {}
    for number, name in enumerate(names):
        for end in range(1, len(name) + 1):
            if name[:end] in starts:
                words = f"named {name[:end]}*"
                found[words] = found.get(words, 0) | 1 << number
    return found
