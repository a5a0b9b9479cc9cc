"""The one place that wires the stages: project → catalog → view → resolution → lock.

It returns values; what they look like is `report`'s work, and nothing below `cli` prints.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlpin.candidate import Rejection, distribution
from mlpin.errors import InputError
from mlpin.fingerprint import channels_of, fingerprint, recorded_options
from mlpin.index.names import version
from mlpin.lock import file as lock_file
from mlpin.manifest.model import Context, Note
from mlpin.opening import RunOptions, no_fetch, open_catalog, sources_of
from mlpin.outcome import Conflict, GaveUp, Outcome, Resolution
from mlpin.project import Project, TargetPlan, load, of_lines
from mlpin.requirement import Origin

if TYPE_CHECKING:
    from mlpin.index.catalog import Catalog, Event
    from mlpin.lock import assemble
    from mlpin.lock.changes import Change
    from mlpin.lock.difference import Difference, PackageChange
    from mlpin.resolver.view import View
    from mlpin.resolving import Asker, Question
    from mlpin.sources import Sources

Progress = Callable[[str, int, int], None]
"""Told of (target, names decided, names known)."""


class Asked(NamedTuple):
    """A question, and who answers it."""

    question: Question
    asker: Asker
    sources: Callable[[], Sources]


class TargetResult(NamedTuple):
    """What came out for one target."""

    plan: TargetPlan
    outcome: Outcome | None
    """None: the lock still holds and was not made again."""
    changes: Sequence[Change] = ()
    notes: Sequence[tuple[str, str]] = ()
    """(package, what to know of it)."""
    packages: int = 0
    """All of them, those of conda among them."""
    conda: int = 0
    """Those of conda."""
    beside: str = ""
    """The name of the file for conda's clients, if there is one."""
    fresh: bool = False
    """Whether there was no lock before."""
    rewritten: bool = False
    asked: Asked | None = None
    """Where there is no lock for it."""
    difference: Difference | None = None
    """What differs from the old lock, where that was one."""

    @property
    def other_changes(self) -> Sequence[PackageChange]:
        """What differs from the old lock and stands not in `changes`: where packages come from, their files."""
        if self.difference is None:
            return ()
        from mlpin.lock.difference import remaining

        return remaining(self.difference, {change.name for change in self.changes})


class LockResult(NamedTuple):
    """What `mlpin lock` did."""

    project: Project
    targets: Sequence[TargetResult]
    requests: int = 0
    seconds: float = 0.0
    notes: Sequence[Note] = ()
    local_only: Sequence[str] = ()
    """Packages locked from this machine's own files: the lock holds here only."""
    indexes: Sequence[str] = ()
    """The indexes that were asked, as messages show them."""
    catalog: Catalog | None = None
    """None: no index had to be asked."""

    @property
    def failed(self) -> list[TargetResult]:
        """The targets that have no lock."""
        return [target for target in self.targets if isinstance(target.outcome, Conflict | GaveUp)]


def lock(options: RunOptions, on_event: Event | None = None, progress: Progress | None = None) -> LockResult:
    """Lock every target of the project, or none. Raises `MlpinError`; a conflict is in the result."""
    started = time.monotonic()
    context = Context(options.root, options.environ, no_fetch)
    opened: list[Catalog] = []

    def fetch(url: str) -> str:
        if not opened:
            opened.append(open_catalog(options.settings, options, on_event))
        return opened[0].text(url)

    if options.lines:
        project = of_lines(options.lines, options.settings, options.environ, context=context)
    else:
        project = load(
            options.path,
            options.settings,
            options.environ,
            context=context._replace(fetch=fetch),
            target=options.target,
            output=options.output,
        )
    olds = {plan.lock: _old(plan.lock) for plan in project.plans}
    results: list[TargetResult] = []
    catalog: Catalog | None = None
    if any(plan.open_python for plan in project.plans):
        catalog = open_catalog(project.settings, options, on_event, project.matrix)
        plans = tuple(settled(project, plan, catalog, options) for plan in project.plans)
        project = project._replace(plans=plans)
    prints = {plan.lock: fingerprint(project, plan) for plan in project.plans}
    texts: list[tuple[Path, str]] = []
    stale: list[Path] = []
    local: set[str] = set()
    aligned: dict[str, str] = {}
    for plan in project.plans:
        old = olds[plan.lock]
        if old and _holds(old, prints[plan.lock]) and not options.upgrade and not options.refresh:
            count = len(old.builds)
            results.append(TargetResult(plan, None, packages=len(old.names) + count, conda=count, beside=old.beside))
            aligned = {**old.versions, **aligned}
            continue
        if catalog is None:
            catalog = open_catalog(project.settings, options, on_event, project.matrix)
        result, text, versions = _lock_target(
            project, plan, catalog, old, prints[plan.lock], aligned, options, progress, local
        )
        before = plan.channels and "python" in plan.detected and not plan.open_python
        if isinstance(result.outcome, Conflict) and before:
            # Its Python was settled before, for other lines than these.
            again = settled(project, plan._replace(open_python=True), catalog, options)
            if again.target.python != plan.target.python:
                project = project._replace(plans=tuple(again if one is plan else one for one in project.plans))
                mark = prints[plan.lock] = fingerprint(project, again)
                result, text, versions = _lock_target(
                    project, again, catalog, old, mark, aligned, options, progress, local
                )
        aligned = {**versions, **aligned}
        results.append(result)
        texts += text
        if old and old.beside and not any(path.name == old.beside for path, _ in text):
            stale.append(plan.lock.with_name(old.beside))
    if not options.dry and all(not isinstance(result.outcome, Conflict | GaveUp) for result in results):
        lock_file.write(texts)
        for path in stale:
            path.unlink(missing_ok=True)
    requests = catalog.requests if catalog else 0
    return LockResult(
        project,
        results,
        requests,
        time.monotonic() - started,
        (*project.manifest.notes, *_remarks(project, results, olds, options)),
        tuple(sorted(local)),
        catalog.places.shown if catalog else (),
        catalog,
    )


def _remarks(
    project: Project,
    results: Sequence[TargetResult],
    olds: Mapping[Path, lock_file.OldLock | None],
    options: RunOptions,
) -> list[Note]:
    """What a user may not have meant: a name that is nowhere, another tool's lock, nothing to lock."""
    known = {name for old in olds.values() if old for name in (*old.names, *old.builds)}
    for result in results:
        if isinstance(result.outcome, Resolution):
            known |= {key.name for key in result.outcome.pins if key.kind in {"pypi", "conda"}}
    found = [
        Note(f"-P {name}: no such package is locked", Origin("option"))
        for name in sorted(options.upgrade - known - {":all:"})
    ]
    for result in results:
        old, path = olds[result.plan.lock], result.plan.lock
        if result.rewritten and old and old.created_by != "mlpin":
            said = f"a lock that {old.created_by} made was replaced; its versions were kept where they fit"
            found.append(Note(said, Origin("lock", path.name)))
        if result.rewritten and not result.plan.requirements:
            found.append(Note("it asks for nothing: the lock is empty", Origin("manifest", project.manifest.path.name)))
    return found


def _old(path: Path) -> lock_file.OldLock | None:
    return lock_file.read(path)


def ask(
    project: Project,
    plan: TargetPlan,
    catalog: Catalog,
    old: lock_file.OldLock | None,
    aligned: Mapping[str, str],
    options: RunOptions,
    progress: Progress | None = None,
) -> Asked:
    """What is asked for a target; the pins of its old lock, then those `aligned` with, are preferred."""
    from mlpin.resolving import Asker, question

    sources = sources_of(project.settings, catalog, options, old)
    requirements = [line if line.source is None else sources().named(line) for line in plan.requirements]
    preferred = dict(aligned)
    if old is not None:
        kept = {name: version for name, version in old.versions.items() if not options.upgrade & {":all:", name}}
        preferred = {**preferred, **kept}
    report = (lambda done, known: progress(plan.target.name, done, known)) if progress else None
    builds: Mapping[str, tuple[str, str]] = {}
    if old is not None:
        builds = {name: build for name, build in old.builds.items() if not options.upgrade & {":all:", name}}
    return Asked(question(project, plan, requirements, preferred, builds), Asker(catalog, sources, report), sources)


def _lock_target(
    project: Project,
    plan: TargetPlan,
    catalog: Catalog,
    old: lock_file.OldLock | None,
    print_of_inputs: str,
    aligned: Mapping[str, str],
    options: RunOptions,
    progress: Progress | None,
    local: set[str],
) -> tuple[TargetResult, list[tuple[Path, str]], Mapping[str, str]]:
    from urllib.parse import unquote

    from mlpin.index.url import local_path
    from mlpin.lock import assemble, conda_file
    from mlpin.lock.changes import changes
    from mlpin.verdict import verdict

    settings = project.settings
    asked = ask(project, plan, catalog, old, aligned, options, progress)
    sources = asked.sources
    outcome, view = asked.asker.answer(asked.question)
    if not isinstance(outcome, Resolution):
        return TargetResult(plan, outcome, asked=asked), [], {}

    judged = verdict(project.matrix, plan.target, outcome)
    conda = _conda_inputs(project, plan, view, outcome) if view.conda is not None else None
    tables = assemble.tables(
        outcome,
        assemble.Inputs(
            options.root,
            plan.target,
            project.manifest.requires_python,
            plan.requirements,
            settings.constraints or (),
            settings.overrides or (),
            plan.extras,
            plan.groups,
            recorded_options(settings),
            print_of_inputs,
            plan.detected,
            judged.tables,
            judged.rules,
            conda,
        ),
        plan.lock.parent,
        assemble.Facts(catalog.sha256, view.metadata, lambda source: sources().fetched(source)),
    )
    texts = [(plan.lock, lock_file.dumps(tables))]
    if conda is not None:
        texts.append((conda_file.place_of(plan.lock), conda.text))
    commits = {package["name"]: package["vcs"]["commit-id"] for package in tables["packages"] if "vcs" in package}
    trees = [package["name"] for package in tables["packages"] if "vcs" in package or "directory" in package]
    pins = outcome.packages
    for name, pin in pins.items():
        paths = [local_path(file.url) for file in (*pin.wheels, *filter(None, [pin.sdist]))]
        if pin.source is None and any(path and not Path(path).is_relative_to(plan.lock.parent) for path in paths):
            local.add(name)
    notes = [(f"{name} {pin.version}", _note(pin.notes)) for name, pin in sorted(pins.items()) if pin.notes]
    notes += [
        (f"{name} {pin.version}", f"it was yanked from the index: {pin.yanked or 'no reason given'}")
        for name, pin in sorted(pins.items())
        if pin.yanked is not None
    ]
    notes += [(unquote(url.rpartition("/")[2]), f"passed over: {why}") for url, why in view.policy.absent.items()]
    notes += _passed_over(outcome)
    notes += _missing_extras(outcome, view)
    notes += judged.notes
    notes += [(name, "a secret stands in its URL, and so in the lock: netrc keeps it out") for name in _secret(tables)]
    if trees and len(trees) < len(pins):
        reason = "source trees have no hash: pip installs this lock with --no-require-hashes, uv as it is"
        notes.append((", ".join(trees), reason))
    result = TargetResult(
        plan,
        outcome,
        changes(old, outcome, view, options.upgrade, commits),
        notes,
        len(pins) + len(outcome.conda),
        len(outcome.conda),
        conda.file if conda is not None else "",
        fresh=old is None,
        rewritten=True,
        difference=_difference(project, plan, tables) if old else None,
    )
    return result, texts, {name: str(pin.version) for name, pin in pins.items()}


def _conda_inputs(project: Project, plan: TargetPlan, view: View, outcome: Resolution) -> assemble.CondaInputs:
    """What the lock records of the conda side."""
    from mlpin.lock.assemble import CondaInputs, conda_packages
    from mlpin.lock.conda_file import explicit, name_of

    assert view.conda is not None
    names = dict.fromkeys(place.name for place in channels_of(project, plan))
    machine = {record.name: view.conda.has(record.name) for record in view.conda.virtual}
    packages, file = conda_packages(outcome, plan.lock.parent), name_of(plan.lock.name)
    text = explicit(packages, view.conda.subdir, file)
    return CondaInputs(tuple(names), view.policy.channel_priority, machine, packages, file, text)


def settled(project: Project, plan: TargetPlan, catalog: Catalog, options: RunOptions) -> TargetPlan:
    """A plan with the Python that its conda packages want, where nobody says which: the newest that they allow.

    Where the rest does not go with that one, the newest of the ones before it with which it does.
    """
    if not plan.open_python:
        return plan
    asked = ask(project, plan, catalog, None, {}, options)
    conda = tuple(line for line in asked.question.requirements if line.conda)
    any_python = plan.target.but(waived=frozenset({"python"}))
    outcome, _ = asked.asker.answer(asked.question._replace(requirements=conda, target=any_python, requires_python=""))
    if isinstance(outcome, Conflict):
        return plan._replace(target=any_python)  # it is no Python's fault, and nothing will be locked
    record = outcome.conda.get("python") if isinstance(outcome, Resolution) else None
    if record is None:
        return plan
    newest = int(record.version.split(".")[1])
    settling = [plan.target.but(python=f"3.{minor}") for minor in range(newest, _OLDEST_PYTHON - 1, -1)]
    if len(conda) == len(asked.question.requirements):
        return plan._replace(target=settling[0])
    solved = []
    for target in settling:
        outcome, _ = asked.asker.answer(asked.question._replace(target=target))
        if isinstance(outcome, Resolution):
            solved.append(target)
            if not any("Python" in remedy for pin in outcome.packages.values() for remedy in pin.notes[1:]):
                return plan._replace(target=target)  # nothing has to be built that another Python has built
    return plan._replace(target=(solved or settling)[0])


_OLDEST_PYTHON = 8
"""Of Python 3: the oldest that is looked for where nobody says which."""


def _holds(old: lock_file.OldLock, mine: str) -> bool:
    """Whether a lock is what these inputs gave, with the file beside it."""
    if not old.intact or old.fingerprint != mine:
        return False
    if not old.beside:
        return True
    from mlpin.lock.conda_file import sha256_of

    data = lock_file.content(old.path.with_name(old.beside), old.beside)
    return data is not None and sha256_of(data) == old.beside_sha256


def _difference(project: Project, plan: TargetPlan, tables: Mapping[str, Any]) -> Difference | None:
    """What a new lock means against the old one; None where the old one cannot be read."""
    from mlpin.hardware import files_target
    from mlpin.lock.difference import difference
    from mlpin.lock.locked import Lock, read

    try:
        old = read(plan.lock, plan.lock.name)
        if old is None:
            return None
        new = Lock(tables, "", plan.lock, plan.lock.name)
        return difference(old, files_target(old.stated, project.matrix), new, plan.target, project.matrix)
    except InputError:  # whatever is odd in the old one goes now
        return None


def _secret(tables: Mapping[str, Any]) -> list[str]:
    """The packages with a token in a URL, without which they could not be installed."""
    from mlpin.index.url import redacted

    return [
        package["name"]
        for package in tables["packages"]
        for file in (*package.get("wheels", ()), package.get("sdist"), package.get("archive"), package.get("vcs"))
        if file and redacted(file.get("url", "")) != file.get("url", "")
    ]


def _passed_over(outcome: Resolution) -> list[tuple[str, str]]:
    """What the search had to do without: releases newer than what is locked, whose metadata cannot be had."""
    found: dict[str, list[Rejection]] = {}
    for one in outcome.refused:
        pin = outcome.pins.get(distribution(one.name))
        if pin is None or pin.version < version(one.version):
            found.setdefault(one.name, []).append(one)
    notes = []
    for name, refused in sorted(found.items()):
        newest = max(refused, key=lambda one: version(one.version))
        more = f" and {len(refused) - 1} older" if len(refused) > 1 else ""
        notes.append((f"{name} {newest.version}{more}", "passed over: " + _note((newest.reason, newest.remedy))))
    return notes


def _missing_extras(outcome: Resolution, view: Any) -> list[tuple[str, str]]:
    found = []
    for key, pin in sorted(outcome.pins.items()):
        if key.kind == "pypi" and key.extra and not view.metadata(pin.base or pin).has_extra(key.extra):
            found.append((f"{key.name} {pin.version}", f"it has no extra `{key.extra}`"))
    return found


def _note(notes: Sequence[str]) -> str:
    reason, remedy = (*notes, "")[:2]
    return f"{reason} (what would help: {remedy})" if remedy else reason
