"""From a refusal to an explanation: the clash, its reasons, what mends it, and how sure all that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from mlpin.candidate import distribution
from mlpin.conda.spec import match_spec
from mlpin.errors import IndexUnavailable
from mlpin.explain import premises
from mlpin.explain.changes import written
from mlpin.explain.clash import Budget, Core, Spent, core
from mlpin.explain.model import Clash, Edit, Explanation, Move, Repair
from mlpin.explain.probing import Change, changed
from mlpin.explain.reasons import Place, clash, nowhere
from mlpin.explain.repairs import Found, Repairs, Spell, pins
from mlpin.index.names import version
from mlpin.outcome import Conflict, GaveUp
from mlpin.resolver.requirements import specifier
from mlpin.resolver.solve import Effort
from mlpin.verdict import verdict

if TYPE_CHECKING:
    from packaging.version import Version

    from mlpin.conda.record import CondaRecord
    from mlpin.resolver.view import View
    from mlpin.resolving import Asker, Question

BUDGET = 160
"""Re-solves, most of them of the few lines of a clash alone."""
_HASHED = (
    "a line with hashes is not edited: they are those of its version; move its pin with the tool that wrote them "
    "(pip-compile --generate-hashes, uv pip compile --generate-hashes)"
)
_PROVING = Effort(500, 40_000, stubborn=False)
_CLASHES = 8
_SHOWN = 6


def as_line(change: Change) -> Edit | None:
    """A change as an edit of a line that stands in no file."""
    item = change.item
    if change.declared is not None and item.declared is not None:
        origin = item.declared.origin
        return Edit(written(item.declared), written(change.declared), origin.place, origin.file, origin.line)
    return Edit(item.name, f"{item.name} {change.value}".strip(), "target")


class Options(NamedTuple):
    """How an explanation is made."""

    place: Place = nowhere
    """Where a field of the target or an option was said."""
    spell: Spell = as_line
    every: bool = False
    """Whether further clashes are looked for."""
    repairs: bool = True
    tell: Callable[[str], None] | None = None
    """Hears what is being tried."""
    locked: Mapping[str, str] = {}
    """By package, what the lock has that exists."""
    indexes: Sequence[str] = ()
    """Those that were asked, as messages show them."""
    shared: Callable[[str], bool] = lambda _: True
    """Whether a field of the target or an option is said for every target of the project."""


class Explained(NamedTuple):
    """An explanation, and its repairs as changes, in the same order."""

    explanation: Explanation
    found: Sequence[Found] = ()


def explanation(
    questions: Sequence[Question],
    outcome: Conflict | GaveUp,
    asker: Asker,
    options: Options = Options(),  # noqa: B008
) -> Explained:
    """Why the first of `questions` has no answer; the others are those of the project's other targets.

    Ctrl-C ends the search: what was found until then is returned. Raises what the catalog raises.
    """
    return _Explaining(questions, asker, options).of(outcome)


class _Stock:
    """What there is to change to."""

    def __init__(self, question: Question, asker: Asker) -> None:
        self._question = question
        self._asker = asker

    @cached_property
    def _view(self) -> View:
        return self._asker.least(self._question)[0]

    def versions(self, name: str) -> list[Version]:
        return [version(text) for text in self._view.listing(name).versions]

    def records(self, name: str) -> Sequence[CondaRecord]:
        return self._view.conda.listed(name)[0] if self._view.conda is not None else ()

    def wished(self, name: str) -> Sequence[str]:
        return self._view.conda.wished(name) if self._view.conda is not None else ()


class _Explaining:
    def __init__(self, questions: Sequence[Question], asker: Asker, options: Options) -> None:
        self._questions = questions
        self._question = questions[0]
        self._asker = asker
        self._options = options
        self._budget = Budget(BUDGET, options.tell, lambda: asker.rejected)
        self._clashes: list[Clash] = []
        self._repairs: Repairs | None = None
        self._hashed = False
        """Whether a line of the clash has hashes, which another version would not have."""

    def of(self, outcome: Conflict | GaveUp) -> Explained:
        interrupted = False
        first: Core | None = None
        try:
            conflict = outcome if isinstance(outcome, Conflict) else self._provable(outcome)
            if conflict is None:
                return Explained(Explanation(self._question.target, "gave-up", tried=self._budget.used, finished=False))
            first = self._rough(conflict)
            first = core(self._question, conflict, self._asker, self._budget)
            self._clashes.append(clash(first, self._options.place, self._options.indexes))
            self._hashed = any(item.declared is not None and item.declared.hashes for item in first.items)
            if self._options.every:
                self._further(first)
            if self._options.repairs:
                search = (self._options.spell, self._budget, _Stock(self._question, self._asker), self._options.shared)
                self._repairs = Repairs(self._questions, self._asker, *search)
                self._repairs.search(first)
        except KeyboardInterrupt:
            interrupted = True
        if not self._clashes and first is not None:
            self._clashes.append(clash(first, self._options.place, self._options.indexes))
        return Explained(self._told(interrupted=interrupted), self._repairs.found if self._repairs else ())

    def _provable(self, outcome: GaveUp) -> Conflict | None:
        """A conflict between the lines that the search had trouble with, if they are impossible by themselves."""
        names = {
            key.name for edge in outcome.clash for key in (edge.requirement.key, edge.parent and edge.parent.key) if key
        }
        lines = premises.lines(self._question)
        kept = [item for item in lines if item.name in names]
        if not kept or len(kept) == len(lines):
            return None
        self._budget.spend("the lines that it hung on")
        found, _ = self._asker.refuse(premises.only(self._question, kept, lines), _PROVING)
        return found if isinstance(found, Conflict) else None

    def _rough(self, conflict: Conflict) -> Core:
        """What the refusal itself says, not yet shrunk."""
        items = premises.involved(premises.lines(self._question), conflict.involved)
        view, _ = self._asker.least(self._question)
        edges = tuple(edge for edge in conflict.clash if edge.parent is not None)
        return Core(tuple(items), self._question, minimal=False, edges=edges, view=view)

    def _further(self, first: Core) -> None:
        """More clashes: each time without one line of every clash that is known (Reiter's hitting sets)."""
        lines = premises.lines(self._question)
        known = [first]
        queue = [frozenset([item]) for item in first.items if item.is_line]
        seen = set(queue)
        while queue and len(known) < _CLASHES:
            gone = queue.pop(0)
            cut = next((one for one in known if not gone & set(one.items)), None)
            if cut is None:
                less = premises.only(self._question, [item for item in lines if item not in gone], lines)
                try:
                    self._budget.spend("what else clashes")
                except Spent:
                    return
                try:
                    found, _ = self._asker.refuse(less)
                except IndexUnavailable:
                    continue
                if not isinstance(found, Conflict):
                    continue
                cut = core(less, found, self._asker, self._budget)
                known.append(cut)
                self._clashes.append(clash(cut, self._options.place, self._options.indexes))
            more = [gone | {item} for item in cut.items if item.is_line]
            queue += [one for one in more if one not in seen]
            seen.update(more)

    def _told(self, *, interrupted: bool) -> Explanation:
        search = self._repairs
        found = search.found if search else []
        shown = self._packages()
        return Explanation(
            self._question.target,
            "conflict",
            self._clashes,
            [self._repair(one, shown) for one in found],
            more=bool(search and search.other_clash and not self._options.every),
            finished=not interrupted and (search is None or search.finished),
            interrupted=interrupted,
            tried=self._budget.used,
            notes=[_HASHED] if self._hashed else [],
        )

    def _packages(self) -> list[str]:
        """The packages of the clashes, the user's own first."""
        lines = [
            one.about for found in self._clashes for one in found.premises if one.kind in {"requirement", "constraint"}
        ]
        return list(dict.fromkeys([*lines, *(link.start for found in self._clashes for link in found.links)]))

    def _repair(self, found: Found, shown: Sequence[str]) -> Repair:
        resolution = found.resolution
        solved = pins(resolution)
        edited = [change.item.name for change in found.changes if change.item.declared is not None]
        names = [name for name in dict.fromkeys([*edited, *shown]) if name in solved]
        return Repair(
            found.edits,
            solved,
            names[:_SHOWN],
            [_move(change, {**resolution.carried, **solved}) for change in found.changes],
            [*self._locked(solved), *self._notes(found, names)],
        )

    def _locked(self, solved: Mapping[str, str]) -> list[str]:
        locked = self._options.locked
        moved = [name for name, old in locked.items() if solved.get(name, old) != old]
        return [f"{len(moved)} of {len(locked)} locked versions change"] if moved else []

    def _notes(self, found: Found, names: Sequence[str]) -> list[str]:
        notes = []
        for name in names:
            pin = found.resolution.pins.get(distribution(name))
            if pin is not None and pin.notes:
                notes.append(f"{name} {pin.version}: {pin.notes[0]}")
        target = changed(self._question, found.changes).target
        judged = verdict(self._question.matrix, target, found.resolution)
        notes += [f"{package}: {said}" for package, said in judged.notes if package.partition(" ")[0] in names]
        return notes


def _move(change: Change, solved: Mapping[str, str]) -> Move:
    item = change.item
    if item.declared is None or change.declared is None:
        return Move(item.name, "", change.value)
    if change.declared.extras != item.declared.extras:
        gone = sorted({*item.declared.extras} - {*change.declared.extras})
        return Move(f"{item.name}[{','.join(gone)}]", "", "")
    if item.declared.conda:
        return Move(item.name, match_spec(item.declared.conda).version.removeprefix("=="), solved.get(item.name, ""))
    old = item.declared.specifier
    return Move(item.name, old.removeprefix("==") if specifier(old).exact else old, solved.get(item.name, ""))
