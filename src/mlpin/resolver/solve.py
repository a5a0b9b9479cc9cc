"""Solve the roots of one target: resolvelib first, a complete search before any refusal.

A pure function of (roots, view): the same catalog gives the same outcome, whatever arrived first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from resolvelib import BaseReporter
from resolvelib.resolvers import RequirementsConflicted, ResolutionImpossible, ResolutionTooDeep
from resolvelib.resolvers import Resolution as Search

from mlpin.candidate import Candidate, Key, Rejection
from mlpin.outcome import Conflict, Edge, GaveUp, Outcome, Resolution
from mlpin.resolver import complete
from mlpin.resolver.provider import Progress, Provider, allowed
from mlpin.resolver.requirements import Matched, Specified, Unusable
from mlpin.resolver.rules import SHADOWS
from mlpin.resolver.view import View

if TYPE_CHECKING:
    from mlpin.requirement import Requirement

ROUNDS = 5_000
"""Rounds of resolvelib. It also decides when optimistic backjumping stops, so it is part of the input."""


_STUBBORN = 15_000
"""Candidates that resolvelib may reject in its second turn."""


class Effort(NamedTuple):
    """How much may be tried before a search gives up."""

    patience: int = 5_000
    """Candidates that resolvelib may reject at first. It walks through the releases of packages that have no part in a
    conflict; the complete search, which comes next, does not."""
    budget: int = complete.BUDGET
    """Candidates that the complete search may try."""
    stubborn: bool = True
    """Whether resolvelib has another, longer turn where the complete search gives up."""


HASTY = Effort(300, complete.BUDGET // 5, stubborn=False)
"""Of an attempt that another one follows."""


class _Reporter(BaseReporter["Requirement", Candidate, Key]):
    """Passes requirements on as guesses as soon as they are known."""

    def __init__(self, view: View, patience: int) -> None:
        self._view = view
        self._patience = patience
        self.rounds = 0
        self.refused: dict[Rejection, None] = {}

    def starting_round(self, index: int) -> None:
        self.rounds = index + 1

    def rejecting_candidate(self, criterion: Any, candidate: Candidate) -> None:  # noqa: ARG002
        self._view.guesses.passed(candidate)
        self._patience -= 1
        if self._patience < 0:
            raise ResolutionTooDeep(self.rounds)

    def adding_requirement(self, requirement: Requirement, parent: Candidate | None) -> None:  # noqa: ARG002
        if isinstance(requirement, Unusable):
            name, version = requirement.candidate.name, str(requirement.candidate.version)
            self.refused[Rejection(name, version, "files", requirement.reason, requirement.remedy)] = None
            if requirement.older_too:
                self._view.end(requirement.candidate)
        self._view.guesses.foresee((requirement,))


class _Search(Search["Requirement", Candidate, Key]):
    """resolvelib's search, which remembers what it works out of a criterion.

    Each round asks of every name whether its pin still satisfies, and how much it is preferred. Both follow from the
    criterion alone, and a criterion never changes: on 200 packages, asking once each is a fifth of the whole run.
    """

    def __init__(self, provider: Provider, reporter: _Reporter) -> None:
        super().__init__(provider, reporter)
        self._conda = provider.view.conda
        # By identity, with the criterion beside the answer, so that no other one can get its id.
        self._satisfying: dict[int, tuple[Any, Candidate, bool]] = {}
        self._preferences: dict[int, tuple[Any, Any]] = {}
        self._turns = 0

    # What the conda side follows (`resolver.conda.State`).

    @property
    def mark(self) -> Hashable:
        state = self._states[-1] if self._states else None
        return (self._turns, len(state.criteria)) if state is not None else None

    @property
    def pins(self) -> Mapping[Key, Candidate]:
        return self._states[-1].mapping if self._states else {}

    def asked(self) -> Iterator[tuple[Key, Iterable[Requirement]]]:
        for key, criterion in self._states[-1].criteria.items() if self._states else ():
            yield key, criterion.iter_requirement()

    def _attempt_to_pin_criterion(self, name: Key) -> list[Any]:
        self._turns += 1
        before = self._states[-1].mapping.get(name)
        causes = super()._attempt_to_pin_criterion(name)
        self._turns += 1
        if not causes and self._states[-1].mapping.get(name) is before:
            # What was there when it was asked for has gone since: a dead end, which resolvelib would not see.
            return [self._states[-1].criteria[name]]
        return causes

    def _get_updated_criteria(self, candidate: Candidate) -> Any:
        if self._conda is not None and not self._conda.consider(candidate):
            # The candidate is at fault, not whoever asks for what it leaves nothing of: the next one may do.
            raise RequirementsConflicted(self._states[-1].criteria[candidate.key])
        return super()._get_updated_criteria(candidate)

    def _backjump(self, causes: list[Any]) -> bool:
        self._turns += 1
        return super()._backjump(causes)

    def _is_current_pin_satisfying(self, name: Key, criterion: Any) -> bool:
        known = self._satisfying.get(id(criterion))
        pin = self._states[-1].mapping.get(name)
        if known is not None and known[1] is pin:
            return known[2]
        if pin is None:
            return False
        satisfied = super()._is_current_pin_satisfying(name, criterion)
        self._satisfying[id(criterion)] = (criterion, pin, satisfied)
        return satisfied

    def _get_preference(self, name: Key) -> Any:
        criterion = self._states[-1].criteria[name]
        known = self._preferences.get(id(criterion))
        if known is None:
            known = self._preferences[id(criterion)] = (criterion, super()._get_preference(name))
        return known[1]


def solve(
    view: View,
    roots: Sequence[Requirement],
    progress: Progress | None = None,
    effort: Effort = Effort(),  # noqa: B008 - a frozen value
) -> Outcome:
    """The outcome for `roots` on the view's target. Raises what the catalog raises (an index that fails)."""
    view.guesses.foresee(roots)
    walk = _Walk(view, roots, progress)
    found = walk.resolution(effort.patience)
    if found is not None:
        return found
    verdict = checked(view, roots, effort.budget)
    if verdict.gave_up and effort.stubborn:
        found = walk.resolution(_STUBBORN)
        if found is not None:
            return found
    if verdict.pins is not None:
        found = resolution(view, roots, verdict.pins, walk.rounds + verdict.tried)
        return found._replace(refused=tuple(walk.refused))
    if verdict.gave_up:
        return GaveUp(walk.rounds + verdict.tried, walk.clash or verdict.clash)
    return Conflict(verdict.clash, verdict.involved)


class _Walk:
    """resolvelib over one view, as often as it is asked."""

    def __init__(self, view: View, roots: Sequence[Requirement], progress: Progress | None) -> None:
        self._view = view
        self._roots = roots
        self._progress = progress
        self.rounds = 0
        self.refused: dict[Rejection, None] = {}
        self.clash: tuple[Edge, ...] = ()
        """Where it saw a dead end last."""

    def resolution(self, patience: int) -> Resolution | None:
        """What it finds before it has rejected so many candidates; None is no proof."""
        reporter = _Reporter(self._view, patience)
        search = _Search(Provider(self._view, self._roots, self._progress), reporter)
        if self._view.conda is not None:
            self._view.conda.watch(search)
        found = None
        try:
            # Exact pins first: they admit yanked versions, and resolvelib looks for candidates root by root.
            search.resolve(sorted(self._roots, key=_loose), max_rounds=ROUNDS)
            found = resolution(self._view, self._roots, search.state.mapping, reporter.rounds)
        except ResolutionImpossible as error:
            self.clash = tuple(Edge(cause.requirement, cause.parent) for cause in error.causes)
        except ResolutionTooDeep:
            pass
        self.rounds += reporter.rounds
        self.refused |= reporter.refused
        if found is None or not _allowed(self._view, found):
            return None
        return found._replace(refused=tuple(reporter.refused))


def checked(view: View, roots: Sequence[Requirement], budget: int) -> complete.Verdict:
    """The verdict of the complete search. Raises what the catalog raises."""
    search = complete.Search(view, roots, budget)
    verdict = search.run()
    if verdict.pins is None and not verdict.gave_up and search.held_back:
        # What it held back may be admitted by a requirement that it did not come to see.
        wider = complete.Search(view, roots, budget // 10, liberal=True).run()
        verdict = wider if wider.pins is not None else verdict.with_proof_of(wider)
    return verdict


def resolution(view: View, roots: Sequence[Requirement], pins: Mapping[Key, Candidate], rounds: int) -> Resolution:
    """What the roots reach among `pins`: resolvelib may leave pins that nothing asks for any more."""
    edges: dict[Key, list[Edge]] = {}
    queue: deque[Edge] = deque(Edge(requirement, None) for requirement in roots)
    reached: dict[Key, Candidate] = {}
    while queue:
        edge = queue.popleft()
        key = edge.requirement.key
        if key.kind in SHADOWS:
            continue
        edges.setdefault(key, []).append(edge)
        if key not in reached:
            candidate = reached[key] = pins[key]
            queue.extend(Edge(requirement, candidate) for requirement in view.requires(candidate))
    return Resolution(reached, edges, rounds)


def _loose(requirement: Requirement) -> bool:
    if isinstance(requirement, Matched):
        return not requirement.spec.exact
    return not (isinstance(requirement, Specified) and requirement.specifier.exact)


def _allowed(view: View, found: Resolution) -> bool:
    """Whether every pin may stand in the end: resolvelib may drop what admitted a yanked one and keep the pin."""
    pins: dict[str, list[Candidate]] = {}
    asked: dict[str, list[Requirement]] = {}
    for key, pin in found.pins.items():
        if key.kind == "pypi":
            pins.setdefault(key.name, []).append(pin)
            asked.setdefault(key.name, []).extend(edge.requirement for edge in found.edges[key])
    return all(allowed(view, name, pins[name], asked[name]) for name in pins)
