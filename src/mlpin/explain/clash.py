"""The fewest premises that cannot hold together, and the fewest links of metadata and rules that make it so.

Both are found by asking again with less, led by what the last refusal rested on. Only a refusal, which is a proof, lets
anything go: what is left is impossible in any case, and minimal unless a question could not be settled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlpin.candidate import Candidate, Key
from mlpin.errors import IndexUnavailable
from mlpin.explain import premises
from mlpin.explain.premises import Item
from mlpin.outcome import Conflict, Edge, GaveUp, Group, group_of
from mlpin.resolver import complete
from mlpin.resolver.requirements import Carried, SameVersion, StandsIn
from mlpin.resolver.rules import Present
from mlpin.resolver.solve import Effort, checked
from mlpin.resolver.view import View

if TYPE_CHECKING:
    from mlpin.requirement import Requirement
    from mlpin.resolving import Asker, Question

_EFFORT = Effort(patience=50, stubborn=False)
WORK = 40_000
"""Candidates rejected in all: some seconds."""
_PYTHON, _ABI = Key("conda", "python"), Key("conda", "python_abi")
_SEARCHES = 400
"""Searches for fewer links, each over the few packages of a clash."""


class Spent(Exception):
    """The budget of re-solves is used up."""


class Budget:
    """How many times a question may be asked again, and how many candidates may be rejected by it.

    `tell` hears what is being tried, `work` says how many candidates the asker has rejected so far.
    """

    def __init__(
        self, limit: int, tell: Callable[[str], None] | None = None, work: Callable[[], int] = lambda: 0
    ) -> None:
        self.limit = limit
        self.used = 0
        self._tell = tell
        self._work = work
        self._most = work() + WORK

    def spend(self, what: str) -> None:
        """Raises `Spent` where nothing is left."""
        if self.used >= self.limit or self._work() > self._most:
            raise Spent
        self.used += 1
        if self._tell:
            self._tell(what)


class Core(NamedTuple):
    """Premises that cannot hold together."""

    items: tuple[Item, ...]
    question: Question
    """The question with these alone."""
    minimal: bool
    edges: tuple[Edge, ...]
    """What candidates ask of one another, as far as the proof needs it."""
    view: View


def core(question: Question, conflict: Conflict, asker: Asker, budget: Budget) -> Core:
    """The fewest premises of a question that was refused. Raises what the catalog raises.

    What releases declare makes a better reason than that something cannot be read, where both are there.
    """
    shrinking, groups = _shrinking(question, conflict, asker, budget)
    cut = shrinking.core(groups)
    if shrinking.trusts:
        lines = premises.lines(question)
        small = premises.only(question, premises.involved(lines, conflict.involved), lines)
        cut = cut._replace(minimal=cut.minimal and shrinking.needs_each(cut.items, small))
    return cut


def fewest(question: Question, conflict: Conflict, asker: Asker, budget: Budget) -> tuple[Item, ...]:
    """The premises of the core alone: what they are is all that is asked."""
    shrinking, groups = _shrinking(question, conflict, asker, budget)
    return tuple(shrinking.fewest(groups))


def _shrinking(
    question: Question, conflict: Conflict, asker: Asker, budget: Budget
) -> tuple[_Shrinking, frozenset[Group]]:
    """What shrinks a question, and what its refusal rests on."""
    if any(not line.conda for line in question.requirements):
        lines = premises.lines(question)
        small = premises.only(question, premises.involved(lines, conflict.involved), lines)
        trusting = _Shrinking(premises.trusting(small), asker, budget, trusts=True)
        found = trusting.refused()
        if found is not None:
            return trusting, found
    return _Shrinking(question, asker, budget), conflict.involved


class _Shrinking:
    def __init__(self, question: Question, asker: Asker, budget: Budget, *, trusts: bool = False) -> None:
        self.trusts = trusts
        """Whether releases that cannot be read ask for nothing in its question."""
        self._question = question
        self._asker = asker
        self._budget = budget
        self._every = premises.lines(question)
        self._unsure = False

    def refused(self) -> frozenset[Group] | None:
        """What the refusal of the whole question rests on; None where it is not refused."""
        return self._refusal(self._every)[0]

    def core(self, groups: frozenset[Group]) -> Core:
        kept = self.fewest(groups)
        view, roots = self._asker.least(premises.only(self._question, kept, self._every))
        proof = checked(view, roots, complete.BUDGET)
        question = premises.only(self._question, kept, self._every)
        return Core(tuple(kept), question, not self._unsure, _links(view, roots, proof), view)

    def fewest(self, groups: frozenset[Group]) -> list[Item]:
        """The fewest premises, the lines first."""
        kept = self._fewest_lines(premises.involved(self._every, groups))
        return kept + self._fewest_others(kept)

    def needs_each(self, kept: Sequence[Item], question: Question) -> bool:
        """Whether no premise can be left out in `question` either, where it counts that something cannot be read."""
        strict = _Shrinking(question, self._asker, self._budget)
        strict._every = self._every
        refused = [strict._refusal([one for one in kept if one != item])[0] for item in kept]
        return not strict._unsure and not any(one is not None for one in refused)

    def _fewest_lines(self, kept: list[Item]) -> list[Item]:
        """The fewest lines that clash with everything else in force."""
        found, _ = self._refusal(kept)
        kept = list(self._every) if found is None else premises.involved(kept, found)
        for effort in (_EFFORT, Effort()):
            self._unsure = False
            for item in reversed(kept):
                if item in kept:
                    less = [one for one in kept if one != item]
                    found, _ = self._refusal(less, effort)
                    kept = kept if found is None else premises.involved(less, found)
            if not self._unsure:
                break
        return kept

    def _fewest_others(self, kept: list[Item]) -> list[Item]:
        """The fewest facts, options and rules that the lines clash with; none where they clash by themselves."""
        while (more := self._more(kept)) is not None:
            if not more:
                return []
        needed = [item for item in self._every if not item.is_line]
        untried = list(needed)
        while untried:
            less = [one for one in needed if one != untried[0]]
            more = self._more([*kept, *less])
            if more is not None:
                needed = [*less, *more]
            untried = [*untried[1:], *(more or ())]
        return needed

    def _more(self, kept: Sequence[Item]) -> list[Item] | None:
        """What else a refusal of some premises may rest on, noted as premises from then on; None: no refusal."""
        found, view = self._refusal(kept)
        if found is None or view is None:
            return None
        more = [one for one in premises.others(self._question, view, found) if one not in self._every]
        self._every += more
        return more

    def _refusal(self, kept: Sequence[Item], effort: Effort = _EFFORT) -> tuple[frozenset[Group] | None, View | None]:
        """What the refusal of some premises rests on; None where they can be solved, or it could not be settled."""
        try:
            self._budget.spend(", ".join(item.name for item in kept[:4]) or "no line")
        except Spent:
            self._unsure = True
            return None, None
        try:
            question = premises.only(self._question, kept, self._every)
            outcome, view = self._asker.refuse(question, effort)
        except IndexUnavailable:
            self._unsure = True
            return None, None
        self._unsure = self._unsure or isinstance(outcome, GaveUp)
        return (outcome.involved, view) if isinstance(outcome, Conflict) else (None, None)


class _Reduced(View):
    """A view in which candidates ask for some groups of edges only."""

    def __init__(self, view: View, groups: Iterable[Group]) -> None:
        self.__dict__.update(view.__dict__)
        self._groups = frozenset(groups)
        if view.conda is not None:
            self.conda = view.conda.asking_only(self._groups)

    def requires(self, candidate: Candidate) -> Iterable[Requirement]:
        return (
            requirement
            for requirement in super().requires(candidate)
            if _structural(requirement) or group_of(Edge(requirement, candidate)) in self._groups
        )


def _structural(requirement: Requirement) -> bool:
    """Whether it is no link of its own: an extra and its distribution, the notice that a package is there."""
    return isinstance(requirement, SameVersion | Present | StandsIn | Carried)


def _links(view: View, roots: Sequence[Requirement], proof: complete.Verdict) -> tuple[Edge, ...]:
    """The edges of the fewest groups without which the roots are no longer impossible."""
    groups = [group_of(edge) for edge in proof.met if edge.parent is not None and not _structural(edge.requirement)]
    # What a build asks of Python says more than what it asks of python_abi: it goes last.
    plain = [Group(group.parent, _PYTHON) for group in groups if group.key == _ABI]
    kept = list(dict.fromkeys([*plain, *groups]))
    searches = 0
    for group in reversed(kept):
        if group not in kept or searches >= _SEARCHES:
            continue
        searches += 1
        less = [one for one in kept if one != group]
        verdict = checked(_Reduced(view, less), roots, complete.BUDGET // 10)
        if verdict.pins is None and not verdict.gave_up:
            proof = verdict
            kept = [one for one in less if one in proof.involved]
    final = checked(_Reduced(view, kept), roots, complete.BUDGET)
    met = final.met if final.pins is None and not final.gave_up else proof.met
    edges = [edge for edge in met if edge.parent is not None and not _structural(edge.requirement)]
    edges = [edge for edge in edges if group_of(edge) in kept]
    # What is offered only to what pins it was looked at for the proof alone, where there is anything else.
    offered = {group_of(edge) for edge in edges if not _held_back(edge)}
    return tuple(edge for edge in edges if not (_held_back(edge) and group_of(edge) in offered))


def _held_back(edge: Edge) -> bool:
    return edge.parent is not None and edge.parent.yanked is not None
