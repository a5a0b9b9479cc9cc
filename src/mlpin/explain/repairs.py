"""Edits after which everything can be solved: found by asking, shown only when they were answered.

The search is best-first over sets of changes: those that change the least. A set that does not do leads, by the clash
that is left, to the changes that could be added to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from mlpin.candidate import distribution
from mlpin.errors import MlpinError
from mlpin.explain import premises
from mlpin.explain.changes import Stock, probes
from mlpin.explain.clash import Budget, Core, Spent, fewest
from mlpin.explain.premises import Item
from mlpin.explain.probing import Change, Probe, changed
from mlpin.outcome import Conflict, GaveUp, Resolution
from mlpin.resolver.solve import Effort

if TYPE_CHECKING:
    from mlpin.explain.model import Edit
    from mlpin.resolver.view import View
    from mlpin.resolving import Asker, Question

WANTED = 4
"""So many repairs are looked for."""
DEEPEST = 4
"""The most edits that one repair may have; more than two only where nothing less does."""
_EFFORT = Effort(100, 1_000, stubborn=False)
"""For the lines of a clash alone: a direction that does not show at once what it leads to is no near one."""
_MORE_EFFORT = Effort(300, 10_000, stubborn=False)
_WHOLE = Effort(2_000, 10_000, stubborn=False)
"""For the whole project."""
_CLOSER = 4
"""How often something nearer than what was found is asked for."""
_HEAD = 120
"""How much farther the head of a family moves (torch): what goes with it is moved more easily."""
_BUILT = 250
"""How much farther a release counts that must be built."""
_SOLVES = 24
"""Sets of changes that are tried on the whole project."""

Spell = Callable[[Change], "Edit | None"]
"""How a change is written where the user wrote the premise; None where it cannot be."""


class Found(NamedTuple):
    """Changes that were answered for every target."""

    changes: tuple[Change, ...]
    edits: tuple[Edit, ...]
    resolution: Resolution
    """Of the target in question."""


class _Node(NamedTuple):
    changes: tuple[Change, ...]
    context: frozenset[Item]
    """The lines of every clash on the way here."""

    @property
    def rank(self) -> int:
        """By how much it changes: each edit counts as much as a minor version, beside how far it goes."""
        return sum(100 + change.distance for change in self.changes)


class Repairs:
    """The search for one target. `questions` has that of the target first, then those of the project's others.

    `stock` is what there is to change to; `shared` tells whether a field is said for every target.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        asker: Asker,
        spell: Spell,
        budget: Budget,
        stock: Stock,
        shared: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._questions = questions
        self._asker = asker
        self._spell = spell
        self._budget = budget
        self._stock = stock
        self._shared = shared
        self._queue: list[tuple[int, int, _Node]] = []
        self._seen: set[frozenset[Change]] = set()
        self._heads = {family.packages[0] for family in questions[0].matrix.tables.families}
        self._hard: set[tuple[Item, str]] = set()
        """Directions of which it could not be settled where they lead: they are not asked again."""
        self.found: list[Found] = []
        self.finished = True
        self.other_clash = False
        """Whether a change of the first clash uncovered another one."""

    def search(self, first: Core) -> None:
        """Fill `found`, best first. Stops at the budget, which `finished` tells."""
        try:
            self._expand(_Node((), frozenset()), 0, first.items)
            tried = 0
            while self._queue and tried < _SOLVES:
                _, _, node = heappop(self._queue)
                if not self._worth(node):
                    continue
                tried += 1
                self._try(node)
            self.finished = not any(self._worth(node) for _, _, node in self._queue)
        except Spent:
            self.finished = False
        finally:
            self.found = _best(self.found)

    def _worth(self, node: _Node) -> bool:
        """Whether a set is still to be tried: none of what it contains does by itself, and no smaller ones suffice."""
        if len(self.found) >= WANTED or len(node.changes) > DEEPEST:
            return False
        most = max(2, min((len(one.changes) for one in self.found), default=DEEPEST))
        return len(node.changes) <= most and not any({*one.changes} < {*node.changes} for one in self.found)

    def _try(self, node: _Node) -> None:
        edits = tuple(edit for change in node.changes if (edit := self._spell(change)) is not None)
        if len(edits) < len(node.changes):
            return
        self._budget.spend(", ".join(edit.new or f"without {edit.old}" for edit in edits))
        resolution: Resolution | None = None
        for number, question in enumerate(self._questions):
            asked = changed(question, [change for change in node.changes if self._concerns(change, number)])
            try:
                outcome, view = self._asker.solve(asked, _WHOLE)
            except MlpinError:
                return
            if isinstance(outcome, Conflict):
                try:
                    clashing = fewest(asked, outcome, self._asker, self._budget)
                except MlpinError:
                    return
                changed_lines = {change.declared for change in node.changes}
                # With what was changed in it, it is the same trouble further on.
                self.other_clash |= number == 0 and not any(item.declared in changed_lines for item in clashing)
                self._expand(node, number, clashing)
                return
            if not isinstance(outcome, Resolution) or _without_extra(outcome, view, node.changes):
                return
            resolution = resolution or outcome
        assert resolution is not None
        self.found.append(Found(node.changes, edits, resolution))

    def _concerns(self, change: Change, number: int) -> bool:
        """Whether a change is one for the target of that number: what is said of one target alone is not."""
        return not number or change.item.is_line or self._shared(change.item.name)

    def _expand(self, node: _Node, number: int, clashing: Sequence[Item]) -> None:
        """Put into the queue what the changes of a clash add to those that were made."""
        made = {change.declared: change.item for change in node.changes if change.declared is not None}
        originals = [
            made.get(item.declared, item) if item.declared else item
            for item in clashing
            if item.kind != "rule" and (item.is_line or not number or self._shared(item.name))
        ]
        context = node.context | {item for item in originals if item.is_line}
        question = self._questions[number]
        lines = premises.lines(question)
        small = premises.only(question, context, lines)
        names = {item.name for item in originals if item.is_line}
        for item in originals:
            others = tuple(change for change in node.changes if change.item != item)
            base = changed(small, others)
            done: set[str] = set()
            for probe in probes(item, question, self._stock, names):
                # Of a fact's values, ordered by how far they are, the nearest one in a direction is enough.
                change = None if probe.direction in done else self._answered(probe, base)
                if change is not None:
                    done.add(probe.direction)
                    self._push(_Node((*others, change), context))

    def _answered(self, probe: Probe, question: Question) -> Change | None:
        """What a probe makes of its premise where the lines of the clash are then solved."""
        mark = (probe.item, probe.direction)
        if mark in self._hard:
            return None
        self._budget.spend(probe.item.name)
        try:
            outcome, _ = self._asker.solve(probe.ask(question), _EFFORT)
            if isinstance(outcome, GaveUp):
                self._hard.add(mark)
                if probe.easier is not None:
                    outcome, _ = self._asker.solve(probe.easier(question), _MORE_EFFORT)
        except MlpinError:
            return None
        change = probe.then(outcome) if isinstance(outcome, Resolution) else None
        if change is None or not isinstance(outcome, Resolution):
            return None
        outcome, change = self._nearest(probe, question, outcome, change)
        more = _BUILT * _must_be_built(outcome, change) + _HEAD * (probe.item.name in self._heads)
        return change._replace(distance=change.distance + more)

    def _nearest(
        self, probe: Probe, question: Question, found: Resolution, change: Change
    ) -> tuple[Resolution, Change]:
        """What lies between a premise and what it would become, asked for a few times; else what was found."""
        for _ in range(_CLOSER if probe.closer else 0):
            assert probe.closer is not None
            try:
                outcome, _view = self._asker.solve(probe.closer(question, change), _EFFORT)
            except MlpinError:
                break
            again = probe.then(outcome) if isinstance(outcome, Resolution) else None
            if again is None or not isinstance(outcome, Resolution):
                break
            found, change = outcome, again
        return found, change

    def _push(self, node: _Node) -> None:
        mark = frozenset(node.changes)
        if mark not in self._seen:
            self._seen.add(mark)
            heappush(self._queue, (node.rank, len(self._seen), node))


def _without_extra(resolution: Resolution, view: View, changes: Sequence[Change]) -> bool:
    """Whether a line would come to a release that has not the extra that it asks for."""
    for change in changes:
        for extra in change.declared.extras if change.declared is not None else ():
            pin = resolution.pins.get(distribution(change.item.name))
            if pin is not None and not view.metadata(pin).has_extra(extra):
                return True
    return False


def _best(found: Sequence[Found]) -> list[Found]:
    """Those that need nothing to be built for what they change, if there are any."""
    ready = [one for one in found if not any(_must_be_built(one.resolution, change) for change in one.changes)]
    return ready or list(found)


def _must_be_built(resolution: Resolution, change: Change) -> bool:
    pin = resolution.pins.get(distribution(change.item.name)) if change.declared is not None else None
    return pin is not None and pin.source is None and not pin.carrier and not pin.wheels


def pins(resolution: Resolution) -> dict[str, str]:
    """By package, of both worlds, the version that was resolved."""
    found = {name: record.version for name, record in resolution.conda.items()}
    found |= {name: str(pin.version) for name, pin in resolution.packages.items()}
    return dict(sorted(found.items()))
