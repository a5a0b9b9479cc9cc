"""From what the user said to an outcome for one target: the policy, the rules, and the search for both.

What is best is tried first: builds for the very accelerator, published pins and pairs to avoid count like requirements.
Where that has no solution, the builds that do as well are admitted, and then advice counts no more, except pins that
clash with one of the user's own.

A lock states a hash of every file. Where an index states none the file itself is needed, and may turn out not to be
there: then it is solved again without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from mlpin.errors import BadDistribution, IndexUnavailable
from mlpin.outcome import Conflict, GaveUp, Outcome, Resolution
from mlpin.project import Project, TargetPlan
from mlpin.requirement import Declared, IndexSource, normalise
from mlpin.resolver.policy import Policy
from mlpin.resolver.requirements import specifier
from mlpin.resolver.rules import Rulebook
from mlpin.resolver.solve import solve
from mlpin.resolver.view import View
from mlpin.settings import IndexPin, format_names

if TYPE_CHECKING:
    from mlpin.resolver.ports import Catalog, Sources
    from mlpin.resolver.provider import Progress


def resolved(
    project: Project,
    plan: TargetPlan,
    catalog: Catalog,
    policy: Policy,
    requirements: Sequence[Declared],
    sources: Callable[[], Sources],
    progress: Progress | None,
) -> tuple[Outcome, View]:
    """How it ends for a target, and the view in which it did. Raises what the catalog raises."""
    pinned = frozenset(line.name for line in requirements if specifier(line.specifier).exact)

    def attempt(policy: Policy, rules: Rulebook) -> tuple[Outcome, View]:
        view = View(plan.target, catalog, policy, sources, rules)
        roots = view.roots(requirements)
        if project.manifest.requires_python:
            origin = project.manifest.requires_python_origin
            assert origin is not None
            roots.insert(0, view.python_range(project.manifest.requires_python, origin))
        return solve(view, roots, progress, hasty=rules.demanding), view

    def advised(policy: Policy) -> tuple[Outcome, View]:
        book = Rulebook(project.matrix, plan.target, pinned=pinned)
        outcome, view = attempt(policy, book)
        if not isinstance(outcome, Resolution) and book.chosen:
            book = Rulebook(project.matrix, plan.target, choosing=False, pinned=pinned)
            outcome, view = attempt(policy, book)
        if isinstance(outcome, GaveUp) or (isinstance(outcome, Conflict) and book.advised):
            book = Rulebook(project.matrix, plan.target, steering=False, choosing=False, pinned=pinned)
            outcome, view = attempt(policy, book)
        return outcome, view

    while True:
        outcome, view = advised(policy)
        absent = _absent(outcome, catalog) if isinstance(outcome, Resolution) else {}
        if not absent:
            return outcome, view
        policy = policy._replace(absent={**policy.absent, **absent})


def _absent(resolution: Resolution, catalog: Catalog) -> dict[str, str]:
    """By URL, the files of a resolution that have no hash and cannot be had to compute it, with the reason."""
    found = {}
    for pin in resolution.pins.values():
        if pin.source is not None or pin.base is not None:
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


def policy(
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
        selected_extras=frozenset(plan.extras),
        selected_groups=frozenset(plan.groups),
    )


def _cutoff(text: str | None) -> str:
    if not text:
        return ""
    from datetime import UTC, datetime

    from mlpin.cutoff import DISABLED, cutoff

    if text == DISABLED:
        return ""

    return cutoff(text, datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
