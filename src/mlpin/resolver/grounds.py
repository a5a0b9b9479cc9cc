"""What the conda side hears of a search, and what its refusals rest on: the edges and facts behind the events."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mlpin.candidate import Candidate, Key
from mlpin.outcome import Edge, Group
from mlpin.requirement import Origin
from mlpin.resolver.network import Domain, Event, Network
from mlpin.resolver.requirements import Matched, Specified

if TYPE_CHECKING:
    from mlpin.requirement import Requirement

FROM_METADATA = Origin("candidate")
_SAMPLES = 3
"""So many kinds of what builds of a package ask of another one are kept."""


class Fact(NamedTuple):
    """A fact of the target, as `Rejection` names it."""

    name: str


class Move(NamedTuple):
    """A decision of the search as the network hears of it: a pin, or all that is asked of a distribution."""

    key: Key
    value: Hashable


class State(Protocol):
    """What a search has decided and asked so far."""

    @property
    def mark(self) -> Hashable:
        """Equal marks: nothing has changed."""
        ...

    @property
    def pins(self) -> Mapping[Key, Candidate]: ...

    def asked(self) -> Iterable[tuple[Key, Iterable[Requirement]]]:
        """By key, what is asked of it."""
        ...


class Grounds:
    """Edges with their groups, and facts of the target, as they were met."""

    def __init__(self, candidate: Callable[[Domain, int], Candidate]) -> None:
        self._candidate = candidate
        self.edges: dict[Edge, Group] = {}
        self.facts: dict[str, None] = {}

    def note(self, network: Network, event: Event) -> None:
        """Keep what an event, which is no decision, rests on."""
        if event.kind == "root":
            if isinstance(event.cause, Matched | Specified):
                self.edges[Edge(event.cause, None)] = Group(None, event.cause.key)
            elif isinstance(event.cause, Fact):
                self.facts[event.cause.name] = None
            return
        parent, child = (event.other, event.name) if event.kind == "asks" else (event.name, event.other)
        domain = network.domains[parent]
        bits = domain.full if event.kind == "asks" else event.bits
        key = conda_key(child)
        for asking in network.asked(parent, child, bits)[:_SAMPLES]:
            if chosen := asking.candidates & bits:
                candidate = self._candidate(domain, (chosen & -chosen).bit_length() - 1)
                edge = Edge(Matched(key, asking.specs[0], FROM_METADATA), candidate)
                self.edges[edge] = Group(conda_key(parent), key)


def conda_key(name: str) -> Key:
    """The key of a conda package."""
    return Key("conda", name)
