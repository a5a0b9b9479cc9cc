"""Domains of conda packages and what they ask of one another, kept consistent while a search decides.

A name's domain is an int: a bit for each candidate, best first, and one more, the highest, for "not installed". What a
candidate asks of another name is a mask over that name's domain: a dependency leaves the candidates that match, a
`constrains` those and the absence. A candidate that asks for what is no longer there is dropped, and a name is cut down
to what some candidate of each other name still allows, until nothing changes (arc consistency, Mackworth 1977). That is
the reduction before a search, and after each of its decisions, which are pushed and popped.

Every drop is an event with its cause. `trace` follows them back from what is missing to the roots and decisions that it
rests on: the reasons of a refusal, and where to jump back to. Nothing is asked of the outside: `load` brings domains.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from mlpin.conda.record import CondaRecord
    from mlpin.conda.spec import MatchSpec

EventKind = Literal["root", "move", "asks", "lacks"]
_Wish = tuple[tuple["MatchSpec", bool], ...]
"""What a candidate asks of another name; False: only if that is installed."""


class Domain:
    """The candidates of one name, best first."""

    __slots__ = ("_masks", "absent", "full", "name", "records")

    def __init__(self, name: str, records: Sequence[CondaRecord]) -> None:
        self.name = name
        self.records = records
        self.absent = 1 << len(records)
        self.full = (self.absent << 1) - 1
        self._masks: dict[MatchSpec, int] = {}

    def matching(self, spec: MatchSpec) -> int:
        """The candidates that a MatchSpec for this name admits."""
        found = self._masks.get(spec)
        if found is None:
            found = self._masks[spec] = self.where(spec.admits)
        return found

    def where(self, wanted: Callable[[CondaRecord], bool]) -> int:
        """The candidates of which something is true."""
        found = 0
        for position, record in enumerate(self.records):
            if wanted(record):
                found |= 1 << position
        return found

    def chosen(self, mask: int) -> list[CondaRecord]:
        """The records of a mask, best first."""
        return [self.records[position] for position in positions(mask & ~self.absent)]


class Asking(NamedTuple):
    """What some candidates of a name ask of another one."""

    candidates: int
    allowed: int
    """Of the other name's domain."""
    specs: tuple[MatchSpec, ...]


class Link(NamedTuple):
    """All that a name asks of another one."""

    asking: tuple[Asking, ...]
    silent: int
    """The candidates that ask nothing, absence included."""


class Event(NamedTuple):
    """Candidates that were dropped from a name, and why."""

    name: str
    bits: int
    kind: EventKind
    """`root`: a requirement from outside; `move`: a decision of the search; `asks`: no candidate of `other` allows
    them; `lacks`: what they ask of `other` is no longer there."""
    other: str
    cause: Any = None
    """Of a root or a move: what was handed in with it."""


class Network:
    """The domains of one search.

    `load` brings the domains of names; what is not there has an empty one. `asks` says what a candidate asks of other
    names (False: only if that is installed), None where it cannot be used.
    """

    def __init__(
        self,
        load: Callable[[Sequence[str]], Mapping[str, Domain]],
        asks: Callable[[CondaRecord], Iterable[tuple[MatchSpec, bool]] | None],
    ) -> None:
        self._load = load
        self._asks = asks
        self.domains: dict[str, Domain] = {}
        self.masks: dict[str, int] = {}
        """What is left of each domain."""
        self.failed = ""
        """A name of which nothing is left; empty while there is none."""
        self.moves: list[Any] = []
        self._marks: list[int] = []
        self._trail: list[Event] = []
        self._links: dict[str, dict[str, Link]] = {}
        self._users: dict[str, list[str]] = {}
        self._expanded: dict[str, int] = {}
        self._waiting: dict[str, dict[str, dict[_Wish, int]]] = {}
        """By name that is not loaded: what candidates only constrain of it."""
        self._changed: dict[str, None] = {}
        self._later: dict[str, list[tuple[Callable[[Domain], int], Any]]] = {}

    # -- names

    def add(self, names: Iterable[str]) -> None:
        """Bring names in. Only while there is no move."""
        new = [name for name in dict.fromkeys(names) if name not in self.domains]
        if not new:
            return
        loaded = self._load(new)
        for name in new:
            domain = self.domains[name] = loaded.get(name) or Domain(name, ())
            self.masks[name] = domain.full
            self._links[name] = {}
            self._users[name] = []
            for parent, wishes in self._waiting.pop(name, {}).items():
                self._link(parent, name, wishes)
            for allowed, cause in self._later.pop(name, ()):
                self.root(name, allowed, cause)

    def root(self, name: str, allowed: Callable[[Domain], int], cause: Any) -> None:
        """Leave only some candidates of a name, once it is there. Only while there is no move."""
        domain = self.domains.get(name)
        if domain is None:
            self._later.setdefault(name, []).append((allowed, cause))
        else:
            self._drop(Event(name, self.masks[name] & ~allowed(domain), "root", name, cause))

    def reduce(self) -> None:
        """Bring in what is reached and drop what cannot be. Names that must be there go first: they cut down most."""
        self._propagate()
        for mandatory in (True, False):
            while not self.failed:
                reached = [
                    name
                    for name, mask in self.masks.items()
                    if mask & ~self._expanded.get(name, 0) & ~self.domains[name].absent
                    and not (mandatory and mask & self.domains[name].absent)
                ]
                if not reached:
                    break
                self._expand(reached)
                self._propagate()

    def _expand(self, names: Sequence[str]) -> None:
        """Link names to what their candidates ask for."""
        wishes: dict[str, dict[str, dict[_Wish, int]]] = {}
        needed: dict[str, None] = {}
        for name in names:
            domain = self.domains[name]
            fresh = self.masks[name] & ~self._expanded.get(name, 0)
            self._expanded[name] = self._expanded.get(name, 0) | fresh
            found: dict[str, dict[_Wish, int]] = {}
            for position in positions(fresh & ~domain.absent):
                wanted = self._asks(domain.records[position])
                if wanted is None:
                    self._drop(Event(name, 1 << position, "root", name))
                    continue
                mine: dict[str, _Wish] = {}
                for one in wanted:
                    other = one[0].name
                    mine[other] = (*mine[other], one) if other in mine else (one,)
                    if one[1]:
                        needed[other] = None
                for other, wish in mine.items():
                    asked = found.get(other)
                    if asked is None:
                        asked = found[other] = {}
                    asked[wish] = asked.get(wish, 0) | 1 << position
            wishes[name] = found
        self.add(needed)
        for name, found in wishes.items():
            for other, asked in found.items():
                if other in self.domains:
                    self._link(name, other, asked)
                else:
                    waiting = self._waiting.setdefault(other, {}).setdefault(name, {})
                    for wish, bits in asked.items():
                        waiting[wish] = waiting.get(wish, 0) | bits

    def _link(self, name: str, other: str, wishes: Mapping[_Wish, int]) -> None:
        theirs = self.domains[other]
        known = self._links[name].get(other)
        asking = list(known.asking) if known else []
        speaking = 0
        for specs, candidates in wishes.items():
            allowed = theirs.full
            for spec, required in specs:
                allowed &= theirs.matching(spec) if required else theirs.matching(spec) | theirs.absent
            asking.append(Asking(candidates, allowed, tuple(spec for spec, _ in specs)))
            speaking |= candidates
        silent = (known.silent if known else self.domains[name].full) & ~speaking
        if known is None:
            self._users[other].append(name)
        self._links[name][other] = Link(tuple(asking), silent)
        self._changed[name] = self._changed[other] = None

    # -- decisions

    def push(self, move: Hashable, cuts: Iterable[tuple[str, int]]) -> bool:
        """Decide: of each name only the allowed candidates. False where that leaves nothing of some name."""
        self.moves.append(move)
        self._marks.append(len(self._trail))
        for name, allowed in cuts:
            if not self.failed:
                self._drop(Event(name, self.masks[name] & ~allowed, "move", name, move))
        self._propagate()
        return not self.failed

    def pop(self) -> None:
        """Take the last decision back."""
        self.moves.pop()
        mark = self._marks.pop()
        while len(self._trail) > mark:
            event = self._trail.pop()
            self.masks[event.name] |= event.bits
        self.failed = ""
        self._changed.clear()

    def must(self, name: str) -> bool:
        """Whether a name is installed in any case."""
        domain = self.domains.get(name)
        return domain is not None and not self.masks[name] & domain.absent

    # -- consistency

    def _drop(self, event: Event) -> None:
        if not event.bits:
            return
        self.masks[event.name] &= ~event.bits
        self._trail.append(event)
        self._changed[event.name] = None
        if not self.masks[event.name]:
            self.failed = event.name

    def _propagate(self) -> None:
        masks, changed = self.masks, self._changed
        while changed and not self.failed:
            name = next(iter(changed))
            del changed[name]
            mine = masks[name]
            for other, link in self._links[name].items():
                if mine & link.silent:
                    continue
                allowed = 0
                for asking in link.asking:
                    if asking.candidates & mine:
                        allowed |= asking.allowed
                if masks[other] & ~allowed:
                    self._drop(Event(other, masks[other] & ~allowed, "asks", name))
                    if self.failed:
                        return
            mine = masks[name]
            for user in self._users[name]:
                theirs = masks[user]
                lost = 0
                for asking in self._links[user][name].asking:
                    if asking.candidates & theirs and not asking.allowed & mine:
                        lost |= asking.candidates & theirs
                if lost:
                    self._drop(Event(user, lost, "lacks", name))
                    if self.failed:
                        return

    # -- reasons

    def trace(self, name: str, bits: int | None = None) -> list[Event]:
        """The events by which candidates of a name were dropped, and what those rest on in turn, latest first.

        Each event has those of its candidates only that matter.
        """
        wanted = {name: self.domains[name].full if bits is None else bits}
        found: list[Event] = []
        for event in reversed(self._trail):
            needed = wanted.get(event.name, 0) & event.bits
            if not needed:
                continue
            wanted[event.name] &= ~needed
            found.append(event._replace(bits=needed))
            if event.kind == "asks":
                link = self._links[event.other][event.name]
                more = link.silent
                for asking in link.asking:
                    if asking.allowed & needed:
                        more |= asking.candidates
                wanted[event.other] = wanted.get(event.other, 0) | more
            elif event.kind == "lacks":
                more = 0
                for asking in self._links[event.name][event.other].asking:
                    if asking.candidates & needed:
                        more |= asking.allowed
                wanted[event.other] = wanted.get(event.other, 0) | more
        return found

    def asked(self, name: str, other: str, bits: int) -> list[Asking]:
        """What some candidates of a name ask of another one."""
        link = self._links[name].get(other)
        return [asking for asking in link.asking if asking.candidates & bits] if link else []


def positions(mask: int) -> Iterable[int]:
    """The positions of the bits of a mask, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
