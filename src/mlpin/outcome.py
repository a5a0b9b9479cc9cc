"""How a resolution can end: solved, impossible, or given up. All three are values.

Reports, locks and `explain` are built from these; nothing in here knows how it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlpin.candidate import Candidate, Key, Rejection

if TYPE_CHECKING:
    from mlpin.conda.record import CondaRecord
    from mlpin.requirement import Requirement


class Edge(NamedTuple):
    """`parent` (None: the project itself) asks for `requirement`."""

    requirement: Requirement
    parent: Candidate | None


class Group(NamedTuple):
    """What all versions of a package may ask of another one. `rule` is the id where a rule asks, not metadata."""

    parent: Key | None
    """None: the project itself."""
    key: Key
    rule: str = ""


def group_of(edge: Edge) -> Group:
    """The group that an edge belongs to."""
    origin = edge.requirement.origin
    parent = edge.parent.key if edge.parent is not None else None
    key = edge.requirement.key
    if key.kind == "none" and parent is not None:
        key = Key("none", parent.name)  # that some versions cannot be used
    return Group(parent, key, origin.file if origin.kind == "rule" else "")


class Resolution(NamedTuple):
    """A candidate for every key that the roots reach, and nothing else."""

    pins: Mapping[Key, Candidate]
    edges: Mapping[Key, Sequence[Edge]]
    """By key: who asks for it, in a stable order."""
    rounds: int = 0
    refused: Sequence[Rejection] = ()
    """Versions that the search came to and passed over because their metadata cannot be had."""

    @property
    def packages(self) -> dict[str, Candidate]:
        """The pins of distributions by name, sorted; extras and facts of the target left out."""
        found = {
            key.name: pin
            for key, pin in self.pins.items()
            if key.kind == "pypi" and not key.extra and not pin.carrier
        }
        return dict(sorted(found.items()))

    @property
    def carried(self) -> dict[str, str]:
        """By distribution that a conda package stands in for, its version."""
        return {key.name: str(pin.version) for key, pin in self.pins.items() if pin.carrier and not key.extra}

    @property
    def conda(self) -> dict[str, CondaRecord]:
        """The conda packages by name, sorted; virtual ones left out."""
        found = {key.name: pin.record for key, pin in self.pins.items() if key.kind == "conda" and pin.record}
        return {name: record for name, record in sorted(found.items()) if record.filename}


class Conflict(NamedTuple):
    """A proof-backed refusal: no assignment satisfies the roots.

    `clash` are edges that cannot hold together, where the search saw it last. `involved` are enough groups of edges for
    the proof: without all others it is still impossible.
    """

    clash: Sequence[Edge]
    involved: frozenset[Group] = frozenset()


class GaveUp(NamedTuple):
    """Neither a solution nor a proof that there is none, within the work budget."""

    rounds: int
    clash: Sequence[Edge] = ()


Outcome = Resolution | Conflict | GaveUp
