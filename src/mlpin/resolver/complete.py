"""A complete search: what it refuses is impossible, what it finds is a solution.

resolvelib's refusal is no proof: its backjumping can pass over solutions. This search is asked only then.
It is plain backtracking that jumps back only to decisions that took part in a failure (conflict-directed
backjumping, Prosser 1993), which loses no solution: each failure carries the set of keys that it rests on.
It works within a budget of candidates tried, and says so when that is used up.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlpin.candidate import Candidate, Key, distribution
from mlpin.outcome import Edge, Group, group_of
from mlpin.requirement import Origin
from mlpin.resolver.provider import allowed, matches
from mlpin.resolver.requirements import SameVersion, Specified, Unusable
from mlpin.resolver.rules import SHADOWS
from mlpin.resolver.view import View

if TYPE_CHECKING:
    from mlpin.requirement import Requirement

BUDGET = 20_000
"""Candidates tried before giving up."""
_COUNTED = 32
"""A key with more candidates than this counts as one with many."""


class _Frame:
    """One decision: a key, what is left to try, and on which earlier decisions its failures rest.

    `added` are the keys that got a requirement from the candidate in place, to be taken back with it.
    """

    __slots__ = ("added", "blamed", "key", "rest")

    def __init__(self, key: Key, rest: Iterator[Candidate], blamed: set[Key]) -> None:
        self.key = key
        self.rest = rest
        self.blamed = blamed
        self.added: list[Key] = []


class Verdict(NamedTuple):
    """`pins` where a solution was found; else `clash`, unless the budget was used up (`gave_up`)."""

    pins: dict[Key, Candidate] | None
    clash: tuple[Edge, ...] = ()
    gave_up: bool = False
    tried: int = 0
    involved: frozenset[Group] = frozenset()
    """Of a refusal: the groups of edges that it rests on."""
    met: tuple[Edge, ...] = ()
    """Of a refusal: the edges of these groups that the search came to."""

    def with_proof_of(self, other: Verdict) -> Verdict:
        """This refusal, resting on what the other one rests on as well."""
        met = dict.fromkeys((*self.met, *other.met))
        return self._replace(involved=self.involved | other.involved, met=tuple(met))


class Search:
    """One complete search for `roots` over `view`.

    Unless it is `liberal`, what only a requirement still to come could admit (a yanked version, say) counts as
    absent, and `held_back` tells of it.
    """

    def __init__(
        self, view: View, roots: Sequence[Requirement], budget: int = BUDGET, *, liberal: bool = False
    ) -> None:
        self._met: dict[Edge, None] = {}
        self._failing: set[Key] = set()
        self._emptiness: dict[tuple[str, frozenset[str]], bool] = {}
        self._view = view
        self._liberal = liberal
        self.held_back: dict[Candidate, None] = {}
        self._budget = budget
        self._tried = 0
        self._pins: dict[Key, Candidate] = {}
        self._asked: dict[Key, list[Edge]] = {}
        self._sizes: dict[tuple[Key, Candidate | None, tuple[Requirement, ...]], int] = {}
        self._failures: dict[Key, list[Edge]] = {}
        self._dead: set[Candidate] = set()
        """Candidates that failed by themselves and the roots: wherever they come up again, they fail."""
        for requirement in roots:
            edge = Edge(requirement, None)
            self._asked.setdefault(requirement.key, []).append(edge)
            self._met[edge] = None
        self._roots = {key: tuple(edges) for key, edges in self._asked.items()}
        self._turns = 0
        if view.conda is not None:
            view.conda.watch(self)

    # What the conda side follows (`resolver.conda.State`).

    @property
    def mark(self) -> Hashable:
        return self._turns

    @property
    def pins(self) -> Mapping[Key, Candidate]:
        return self._pins

    def asked(self) -> Iterator[tuple[Key, Iterable[Requirement]]]:
        for key, edges in self._asked.items():
            yield key, [edge.requirement for edge in edges]

    def run(self) -> Verdict:
        """The verdict. Raises what the catalog raises."""
        for root in self._asked:
            if self._empty(root, ()):
                self._failing.add(root)
                self._deciders(root)
                return self._refusal(tuple(self._asked[root]))
        stack: list[_Frame] = []
        while True:
            key = self._next()
            if key is not None:
                frame = _Frame(key, self._matches(key, ()), self._deciders(key))
                stack.append(frame)
                self._failures[key] = []
            elif not self._liberal or not stack or self._stands():
                return Verdict(dict(self._pins), tried=self._tried)
            else:
                # Any other decision could have brought what is missing.
                frame = stack[-1]
                self._take_back(frame)
                frame.blamed |= {other.key for other in stack[:-1]}
            while not self._advance(frame):
                if self._tried > self._budget:
                    return Verdict(None, gave_up=True, tried=self._tried)
                stack.pop()
                blamed = frame.blamed
                while stack and stack[-1].key not in blamed:
                    self._take_back(stack.pop())
                if not stack:
                    return self._refusal(tuple(dict.fromkeys([*self._asked[frame.key], *self._failures[frame.key]])))
                failed = frame.key
                frame = stack[-1]
                candidate = self._pins[frame.key]
                self._take_back(frame)
                self._fails(frame, candidate, blamed)
                self._failures[frame.key] += self._failures[failed][:20]

    def _refusal(self, clash: tuple[Edge, ...]) -> Verdict:
        involved = self._involved()
        met = tuple(edge for edge in self._met if group_of(edge) in involved)
        if self._view.conda is not None:
            reasons = self._view.conda.grounds.edges
            involved |= set(reasons.values())
            met = tuple(dict.fromkeys((*met, *reasons)))
            if reasons:
                clash = tuple(sorted(reasons, key=lambda edge: edge.parent is None))
        return Verdict(None, clash, tried=self._tried, involved=involved, met=met)

    def _involved(self) -> frozenset[Group]:
        """The groups of edges that lead to where something failed, from the roots on."""
        by_key: dict[Key, list[Group]] = {}
        for group in dict.fromkeys(map(group_of, self._met)):
            by_key.setdefault(group.key, []).append(group)
        found: set[Group] = set()
        queue = list(self._failing)
        seen = set(queue)
        while queue:
            key = queue.pop()
            leading = by_key.get(key, [])
            found.update(leading)
            more = {group.parent for group in leading if group.parent is not None}
            if key.extra:
                more.add(distribution(key.name))
            queue += more - seen
            seen |= more
        return frozenset(found)

    def _advance(self, frame: _Frame) -> bool:
        """Put the next candidate in place that contradicts nothing yet; False where there is none."""
        for candidate in frame.rest:
            if candidate in self._dead:
                continue
            self._tried += 1
            if self._tried > self._budget:
                return False
            self._pins[frame.key] = candidate
            self._turns += 1
            if self._place(frame, candidate):
                return True
            self._take_back(frame)
            self._view.guesses.passed(candidate)
        return False

    def _place(self, frame: _Frame, candidate: Candidate) -> bool:
        for requirement in self._view.requires(candidate):
            if isinstance(requirement, Unusable) and requirement.older_too:
                self._view.end(candidate)
            key = requirement.key
            edge = Edge(requirement, candidate)
            self._met[edge] = None
            pin = self._pins.get(key)
            if pin is not None:
                if not requirement.admits(pin):
                    self._fails(frame, candidate, set() if self._hopeless(edge) else {key})
                    self._failures[frame.key] += [edge, *self._asked.get(key, ())]
                    self._failing |= {group_of(edge).key, frame.key}
                    return False
            elif self._empty(key, (edge,)):
                self._fails(frame, candidate, set() if self._hopeless(edge) else self._deciders(key))
                self._failures[frame.key] += [edge, *self._asked.get(key, ())]
                self._failing |= {group_of(edge).key, frame.key}
                return False
            self._asked.setdefault(key, []).append(edge)
            frame.added.append(key)
            self._turns += key.kind != "conda"
        return True

    def _fails(self, frame: _Frame, candidate: Candidate, blamed: set[Key]) -> None:
        """Note that a candidate of a frame fails because of some decisions."""
        others = blamed - {frame.key}
        frame.blamed |= others
        if not others:
            self._dead.add(candidate)

    def _hopeless(self, edge: Edge) -> bool:
        """Whether nothing is what an edge and the roots alone ask for."""
        key = edge.requirement.key
        if key.kind != "pypi" or key.extra or key not in self._roots or not isinstance(edge.requirement, Specified):
            return False
        return self._none(key, [one.requirement for one in (*self._roots[key], edge)])

    def _take_back(self, frame: _Frame) -> None:
        for key in reversed(frame.added):
            edges = self._asked[key]
            edges.pop()
            if not edges:
                del self._asked[key]
        frame.added.clear()
        self._pins.pop(frame.key, None)
        self._turns += 1

    def _stands(self) -> bool:
        """Whether what was offered last has found the requirement that admits it."""
        names: dict[str, list[Candidate]] = {}
        for key, pin in self._pins.items():
            if key.kind == "pypi":
                names.setdefault(key.name, []).append(pin)
        asked: dict[str, list[Requirement]] = {name: [] for name in names}
        for key, edges in self._asked.items():
            if key.kind == "pypi":
                asked[key.name] += [edge.requirement for edge in edges]
        return all(allowed(self._view, name, pins, asked[name]) for name, pins in names.items())

    def _deciders(self, key: Key) -> set[Key]:
        """The decisions on which it rests what a key can be."""
        found = {edge.parent.key for edge in self._asked.get(key, ()) if edge.parent is not None}
        if self._view.conda is not None and key.kind in {"conda", "pypi"}:
            for one in self._view.conda.blamed(key.name):
                if one in self._pins:
                    found.add(one)
                else:
                    # What is asked of a distribution is no decision of its own: those are who asked.
                    found |= {edge.parent.key for edge in self._asked.get(one, ()) if edge.parent is not None}
                    self._failing.add(one)
        return found | ({distribution(key.name)} if self._base(key) is not None else set())

    def _base(self, key: Key) -> Candidate | None:
        """The distribution that was decided on, for a key with an extra of it."""
        return self._pins.get(distribution(key.name)) if key.extra else None

    def _matches(self, key: Key, more: Sequence[Edge]) -> Iterator[Candidate]:
        return self._admitted(key, [edge.requirement for edge in (*self._asked.get(key, ()), *more)])

    def _admitted(self, key: Key, asked: Sequence[Requirement]) -> Iterator[Candidate]:
        asked = list(asked)
        if (base := self._base(key)) is not None:
            # Each other version of the extra would fail on it, one by one.
            asked.append(SameVersion(base, Origin("candidate"), key))
        back = None if self._liberal else self.held_back
        found = matches(self._view, key, asked, everything=True, liberal=self._liberal, held_back=back)
        return found() if callable(found) else iter(found)

    def _empty(self, key: Key, more: Sequence[Edge]) -> bool:
        """Whether nothing is what is asked of a key. Every candidate that is tried asks it of all that it requires."""
        asked = [edge.requirement for edge in (*self._asked.get(key, ()), *more)]
        return self._none(key, asked)

    def _none(self, key: Key, asked: Sequence[Requirement]) -> bool:
        """Whether no candidate of a key is all that is asked."""
        texts = [one.specifier.text for one in asked if isinstance(one, Specified)]
        if key.kind != "pypi" or key.extra or len(texts) < len(asked):
            return next(self._admitted(key, asked), None) is None
        mark = (key.name, frozenset(texts))
        known = self._emptiness.get(mark)
        if known is None:
            known = self._emptiness[mark] = next(self._admitted(key, asked), None) is None
        return known

    def _next(self) -> Key | None:
        """The undecided key with the fewest candidates; the order of asking settles ties."""
        best: tuple[int, Key] | None = None
        for key, edges in self._asked.items():
            if key in self._pins or key.kind in SHADOWS:
                continue  # a shadow is judged with each requirement on it; there is nothing to choose
            mark = (key, self._base(key), tuple(edge.requirement for edge in edges))
            size = self._sizes.get(mark)
            if size is None:
                size = 0
                for _ in self._matches(key, ()):
                    size += 1
                    if size >= _COUNTED:
                        break
                self._sizes[mark] = size
            if best is None or size < best[0]:
                best = (size, key)
                if size <= 1:
                    break
        return best[1] if best else None
