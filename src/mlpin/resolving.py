"""From what the user said to an outcome for one target: the policy, the rules, and the search for both.

What is best is tried first: builds for the very accelerator, published pins and pairs to avoid count like requirements.
Where that has no solution, the builds that do as well are admitted, and then advice counts no more, except pins that
clash with one of the user's own.

A lock states a hash of every file. Where an index states none the file itself is needed, and may turn out not to be
there: then it is solved again without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from mlpin.errors import BadDistribution, IndexUnavailable
from mlpin.outcome import Conflict, GaveUp, Outcome, Resolution
from mlpin.project import Project, TargetPlan
from mlpin.requirement import Declared, IndexSource, normalise
from mlpin.resolver.policy import Policy
from mlpin.resolver.requirements import specifier
from mlpin.resolver.rules import Rulebook
from mlpin.resolver.solve import HASTY, Effort, solve
from mlpin.resolver.view import Offers, View
from mlpin.settings import IndexPin, format_names

if TYPE_CHECKING:
    from mlpin.matrix.matrix import Matrix
    from mlpin.requirement import Origin, Requirement
    from mlpin.resolver.ports import Catalog, Sources
    from mlpin.resolver.provider import Progress
    from mlpin.resolver.records import Shelf
    from mlpin.target import Target


class Question(NamedTuple):
    """What is asked for one target: everything that the answer depends on beside the indexes.

    What is `waived` does not count: facts of the target and options as `Rejection` names them, rules by id. It is for
    asking what a conflict rests on.
    """

    target: Target
    requirements: Sequence[Declared]
    policy: Policy
    matrix: Matrix
    requires_python: str = ""
    requires_python_origin: Origin | None = None
    waived: frozenset[str] = frozenset()
    python_follows: bool = False
    """Whether the target's Python is the one that the lines leave: nobody said it by itself."""

    @property
    def pinned(self) -> frozenset[str]:
        """The names that the user has pinned to a version."""
        return frozenset(line.name for line in self.requirements if specifier(line.specifier).exact)

    def rulebook(self, *, steering: bool, choosing: bool) -> Rulebook:
        return Rulebook(
            self.matrix, self.target, steering=steering, choosing=choosing, pinned=self.pinned, waived=self.waived
        )


class Asker:
    """Answers questions from one catalog."""

    def __init__(self, catalog: Catalog, sources: Callable[[], Sources], progress: Progress | None = None) -> None:
        self._catalog = catalog
        self._sources = sources
        self._progress = progress
        self._offers: dict[tuple[Any, ...], Offers] = {}
        self._shelves: dict[tuple[Any, ...], Shelf] = {}
        self._absent: dict[str, str] = {}
        self.rejected = 0
        """Candidates that its searches have gone on from: how much work it was."""
        self._occasions: dict[tuple[Any, ...], tuple[bool, bool]] = {}

    def answer(self, question: Question) -> tuple[Outcome, View]:
        """How it ends, best builds and advice first, every file with a hash."""
        while True:
            outcome, view = self.solve(question)
            absent = _absent(outcome, self._catalog) if isinstance(outcome, Resolution) else {}
            if not absent:
                return outcome, view
            self._absent |= absent

    def solve(self, question: Question, effort: Effort = Effort()) -> tuple[Outcome, View]:  # noqa: B008
        """How it ends, best builds and advice first. No file is downloaded for its hash."""
        hasty = min(HASTY, effort)
        book = question.rulebook(steering=True, choosing=True)
        outcome, view = self._attempt(question, book, hasty)
        if not isinstance(outcome, Resolution) and book.chosen:
            book = question.rulebook(steering=True, choosing=False)
            outcome, view = self._attempt(question, book, hasty)
        if isinstance(outcome, GaveUp) or (isinstance(outcome, Conflict) and book.advised):
            outcome, view = self.refuse(question, effort)
        return outcome, view

    def refuse(self, question: Question, effort: Effort = Effort()) -> tuple[Outcome, View]:  # noqa: B008
        """How it ends where neither the choice of builds nor advice counts: what only this refuses is impossible."""
        return self._attempt(question, question.rulebook(steering=False, choosing=False), effort)

    def least(self, question: Question) -> tuple[View, list[Requirement]]:
        """The view in which `refuse` searches, and the roots."""
        question = self._knowing(question)
        return self._view(question, question.rulebook(steering=False, choosing=False))

    def _knowing(self, question: Question) -> Question:
        """The question without the files that turned out not to be there."""
        policy = question.policy
        return question._replace(policy=policy._replace(absent={**policy.absent, **self._absent}))

    def _attempt(self, question: Question, rules: Rulebook, effort: Effort) -> tuple[Outcome, View]:
        question = self._knowing(question)
        mark = _mark(question, rules)
        # What was offered before gives the rules no new occasion to speak.
        rules.advised, rules.chosen = self._occasions.get(mark, (False, False))
        view, roots = self._view(question, rules)
        outcome = solve(view, roots, self._progress, effort)
        self.rejected += view.guesses.rejected
        self._occasions[mark] = rules.advised, rules.chosen
        return outcome, view

    def _shelf(self, question: Question, rules: Rulebook) -> Shelf:
        """The records of conda packages as they are offered: they are the same for every question like this one."""
        from mlpin.resolver.records import Shelf

        policy = question.policy
        decided = (policy.channels, policy.channel_priority, policy.resolution, policy.lowest, question.pinned)
        mark = (*_mark(question, rules), *decided)
        if mark not in self._shelves:
            self._shelves[mark] = Shelf(policy, rules)
        return self._shelves[mark]

    def _view(self, question: Question, rules: Rulebook) -> tuple[View, list[Requirement]]:
        offers = self._offers.setdefault(_mark(question, rules), {})
        shelf = self._shelf(question, rules) if question.policy.channels else None
        view = View(question.target, self._catalog, question.policy, self._sources, rules, offers, shelf)
        roots = view.roots(question.requirements)
        if question.requires_python:
            assert question.requires_python_origin is not None
            roots.insert(0, view.python_range(question.requires_python, question.requires_python_origin))
        return view, roots


def _mark(question: Question, rules: Rulebook) -> tuple[Any, ...]:
    """All that decides what becomes of a version by itself: questions with equal marks can share it."""
    target, policy = question.target, question.policy
    return (
        (target.python, target.platform, target.hardware, target.waived),
        (policy.cutoff, *sorted(policy.cutoffs.items()), *sorted(policy.absent.items())),
        (policy.only_binary, policy.no_binary, *sorted(policy.hashes.items())),
        (rules.steering, rules.choosing, question.waived),
    )


def question(
    project: Project,
    plan: TargetPlan,
    requirements: Sequence[Declared],
    preferred: Mapping[str, str],
    builds: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> Question:
    """What a project asks for a target. `builds` are the conda packages to keep, by name."""
    manifest = project.manifest
    return Question(
        plan.target,
        requirements,
        _policy(project, plan, requirements, preferred)._replace(preferred_builds=builds),
        project.matrix,
        manifest.requires_python,
        manifest.requires_python_origin,
        python_follows=manifest.kind == "pixi" or not _python_stated(project),
    )


def _python_stated(project: Project) -> bool:
    """Whether settings name the Python of a target."""
    return bool(project.settings.python or any(one.python for one in (project.settings.targets or {}).values()))


def _absent(resolution: Resolution, catalog: Catalog) -> dict[str, str]:
    """By URL, the files of a resolution that have no hash and cannot be had to compute it, with the reason."""
    found = {}
    for pin in resolution.pins.values():
        if pin.source is not None or pin.base is not None or pin.key.kind != "pypi":
            continue
        for file in pin.wheels or filter(None, (pin.sdist,)):
            if file.secure_hashes:
                continue
            try:
                catalog.sha256(file)
            except BadDistribution as error:
                found[file.url] = error.message
            except IndexUnavailable as error:
                raise IndexUnavailable(
                    error.message,
                    where=error.where,
                    notes=(f"its hash is stated nowhere, so {pin.name} {pin.version} must be downloaded once",),
                    hint=error.hint or "lock where that server can be reached",
                ) from None
    return found


def _policy(
    project: Project, plan: TargetPlan, requirements: Sequence[Declared], preferred: Mapping[str, str]
) -> Policy:
    """The user's choices as the resolver sees them."""
    settings = project.settings
    hashes: dict[str, frozenset[str]] = {}
    pins: dict[str, tuple[IndexPin, ...]] = dict(settings.pins or {})
    for line in (*requirements, *(settings.constraints or ())):
        if line.hashes:
            hashes[line.name] = hashes.get(line.name, frozenset()) | frozenset(line.hashes)
        if isinstance(line.source, IndexSource):
            pins[line.name] = (IndexPin(line.source.index, line.marker), *pins.get(line.name, ()))
    overrides: dict[str, tuple[Declared, ...]] = {}
    for line in settings.overrides or ():
        overrides[line.name] = (*overrides.get(line.name, ()), line)
    exclude = frozenset(normalise(name) for name in settings.exclude or ())
    if project.manifest.project:
        # The project itself is never in its own lock, also where a dependency asks for it.
        exclude |= {project.manifest.project} - {line.name for line in requirements}
    return Policy(
        prerelease=settings.prerelease or "if-necessary-or-explicit",
        resolution=settings.resolution or "highest",
        only_binary=format_names(settings.only_binary),
        no_binary=format_names(settings.no_binary),
        cutoff=_cutoff(settings.exclude_newer),
        cutoffs={name: _cutoff(text) for name, text in (settings.exclude_newer_package or {}).items()},
        pins=pins,
        families=settings.families or {},
        hashes=hashes,
        constraints=(*project.manifest.constraints, *(settings.constraints or ())),
        overrides=overrides,
        exclude=exclude,
        preferred=preferred,
        channels=plan.channels,
        python_said=any(
            names_python(line, plan.target.minor[1])
            for line in requirements
            if not line.marker or plan.target.holds(line.marker)
        ),
        channel_priority=settings.channel_priority or "strict",
        prefer=settings.prefer or "pypi",
        prefers=settings.prefers or {},
        selected_extras=frozenset(plan.extras),
        selected_groups=frozenset(plan.groups),
    )


def names_python(line: Declared, minor: int) -> bool:
    """Whether a line asks for conda's Python 3 of this minor version, and of no other."""
    if not line.conda or line.name != "python":
        return False
    from mlpin.conda.record import CondaRecord
    from mlpin.conda.spec import match_spec

    spec = match_spec(f"python {match_spec(line.conda).version or '*'}")
    minors = {
        each
        for each in range(20)
        for patch in range(41)
        if spec.admits(CondaRecord("python", f"3.{each}.{patch}", "", 0, "", "", "", ""))
    }
    return minors == {minor}


def _cutoff(text: str | None) -> str:
    if not text:
        return ""
    from datetime import UTC, datetime

    from mlpin.cutoff import DISABLED, cutoff

    if text == DISABLED:
        return ""

    return cutoff(text, datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
