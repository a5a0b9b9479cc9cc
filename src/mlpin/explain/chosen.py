"""What is said of a package of a solution, and of a wish, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from mlpin.candidate import RejectionKind
from mlpin.explain.model import Clash, Explanation, Move
from mlpin.requirement import Origin

if TYPE_CHECKING:
    from mlpin.matrix.rule import Rule
    from mlpin.outcome import Edge, Resolution

Kind = RejectionKind | Literal["bound", "locked", "lowest", "source", "moves", "clash", "untried"]


class Chain(NamedTuple):
    """Who asks, up to the user's own line. `parents`: `scipy 1.15.2`, the nearest first; none: the line itself asks."""

    parents: tuple[str, ...]
    line: Origin

    def passes(self, name: str) -> bool:
        return any(parent.startswith((f"{name} ", f"{name}[")) for parent in self.parents)


def chain_of(edge: Edge, resolution: Resolution) -> Chain:
    """The shortest way from an edge to the user's own line: the first edge of each key is the nearest to one."""
    origin, parents = edge.requirement.origin, []
    while edge.parent is not None and origin.kind == "candidate":
        parents.append(str(edge.parent))
        edge = resolution.edges[edge.parent.key][0]
        origin = edge.requirement.origin
    return Chain(tuple(parents), origin)


class Bound(NamedTuple):
    """What is asked, by the nearest of those (`others` are the rest) that ask just this; whether it keeps newer out."""

    text: str
    chain: Chain
    others: int = 0
    excludes: bool = False


class Reason(NamedTuple):
    """Why a version was not taken. `text` follows the version, without a full stop; `fact` is as in `Rejection`."""

    kind: Kind
    text: str
    bound: Bound | None = None
    chain: Chain | None = None  # of the package whose rule it is
    fact: str = ""
    rule: str = ""
    evidence: str = ""
    source: tuple[str, ...] = ()
    symptom: str = ""
    remedy: str = ""
    moves: Sequence[Move] = ()
    clash: Clash | None = None

    def by(self, rule: Rule) -> Reason:
        told = self._replace(rule=rule.id, evidence=rule.evidence, source=rule.source)
        return told._replace(symptom=rule.symptom, remedy=rule.remedy)


class Newer(NamedTuple):
    """Versions with one reason, the newest first; and further bounds that exclude all of them."""

    versions: Sequence[str]
    reason: Reason
    also: Sequence[Bound] = ()


class Build(NamedTuple):
    """What an installer would take: a wheel, an archive, or the URL or path of what comes from no index."""

    file: str
    index_url: str
    archive: bool
    line: str = ""
    cuda: str = ""
    ahead: Sequence[Newer] = ()
    """Builds of the same version that would go before it."""
    notes: Sequence[str] = ()
    stands_for: Sequence[str] = ()
    """The distributions of PyPI that a conda package stands in for."""


class Why(NamedTuple):
    """Why a package of a solution is what it is."""

    package: str
    version: str
    build: Build
    asked: Sequence[Bound]  # the user's own lines first, then the nearest to one
    extras: Sequence[str]
    newer: Sequence[Newer]


class WhyNot(NamedTuple):
    """What holds a wanted requirement back, or what would move with it.

    `aside`: why it would have no say at all. `apart`: the project clashes without it as well. What mends the clash
    leaves the requirement as it is.
    """

    wanted: str
    status: Literal["here", "moves", "conflict", "gave-up", "aside"]
    package: str
    now: str
    then: str = ""
    """Its version without it and with it; empty: none."""
    moves: Sequence[Move] = ()
    aside: str = ""
    explanation: Explanation | None = None
    apart: bool = False


def moved(before: Mapping[str, str], after: Mapping[str, str]) -> list[Move]:
    """What changes from some versions to others, by name."""
    names = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
    return [Move(name, before.get(name, ""), after.get(name, "")) for name in names]
