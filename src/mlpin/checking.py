"""Wires the checks: which locks there should be, what each is compared with, and in which order.

Nothing is written. Without a request for it, nothing is asked of an index either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlpin import hardware
from mlpin import manifest as manifests
from mlpin.check import conda
from mlpin.check.model import Check, Checked, Drift
from mlpin.errors import InputError, MlpinError, UsageError
from mlpin.lock import locked
from mlpin.lock.file import is_name
from mlpin.lock.locked import Lock
from mlpin.manifest.model import Context
from mlpin.opening import RunOptions, no_fetch, open_catalog, sources_of
from mlpin.project import PYPROJECT, Project, TargetPlan, load, own_settings, shown
from mlpin.settings import Settings

if TYPE_CHECKING:
    from mlpin.check.fleet import Fleet
    from mlpin.index.catalog import Catalog, Event
    from mlpin.machine import Machine
    from mlpin.matrix.matrix import Matrix
    from mlpin.target import Target


class Wanted(NamedTuple):
    """What the lock is compared with beside its manifest and the matrix."""

    env: Path | None = None
    env_shown: str = ""
    machine: Callable[[], Machine] | None = None
    pythons: Collection[str] = ()
    """The minor versions of Python on the machine, where that is looked at."""
    indexes: bool = False
    outdated: bool = False
    image: str = ""
    """A Dockerfile, with `#stage` where not its last one counts, or an unpacked root file system."""
    fleet: Path | None = None
    """A directory of snapshots."""
    strict: bool = False
    deep: bool = False
    """Read every installed file, however large."""


class Compared(NamedTuple):
    """One lock, ready to be compared."""

    lock: Lock
    target: Target | None
    plan: TargetPlan | None


class _Run:
    def __init__(self, options: RunOptions, wanted: Wanted, on_event: Event | None) -> None:
        self.options = options
        self.wanted = wanted
        self.on_event = on_event
        self.project: Project | None = None
        self.drift: list[Drift] = []
        self.checks: list[Check] = ["lock", "matrix"]
        self._catalogs: dict[bool, Catalog] = {}
        self._locks: dict[Path, Lock | None] = {}
        context = Context(options.root, options.environ, no_fetch)
        self.nothing = wanted.fleet is not None and options.path == options.root and not _declares(options.path)
        """Whether there is no project: a fleet can be compared without one."""
        if self.nothing:
            self.checks = []
            self.settings: Settings = options.settings
            self.rules: Matrix = hardware.matrix(Settings())
        elif is_lock(options.path):
            self.settings = own_settings(options.path.parent, context)
            self.rules = hardware.matrix(self.settings, context.shown)
        else:
            self.project = load(
                options.path,
                options.settings,
                options.environ,
                context=context._replace(fetch=self._fetch),
                target=options.target,
                output=options.output,
                locks=self.lock,
            )
            self.settings, self.rules = self.project.settings, self.project.matrix
            self.checks.insert(0, "manifest")

    def _fetch(self, url: str) -> str:
        """The text of a file that the manifest names by its URL; of settings only the command line counts yet."""
        return open_catalog(self.options.settings, self.options, self.on_event).text(url)

    def catalog(self, *, offline: bool) -> Catalog:
        """The indexes; an offline one answers from the cache alone."""
        if offline not in self._catalogs:
            settings = self.settings if self.project else self.options.settings
            settings = settings._replace(offline=True) if offline else settings
            self._catalogs[offline] = open_catalog(settings, self.options, self.on_event, self.rules)
        return self._catalogs[offline]

    # -- locks

    def lock(self, path: Path) -> Lock | None:
        """The lock at a path, read once."""
        if path not in self._locks:
            self._locks[path] = locked.read(path, shown(path, self.options.root))
        return self._locks[path]

    def locks(self) -> list[Compared]:
        """The locks that are there; one that should be and is not is drift."""
        if self.nothing:
            return []
        if self.project is None:
            lock = self.lock(self.options.path)
            if lock is None:
                raise InputError("there is no such file", where=shown(self.options.path, self.options.root))
            return [Compared(lock, self._target(lock), None)]
        found = []
        for plan in self.project.plans:
            name = shown(plan.lock, self.options.root)
            lock = self.lock(plan.lock)
            if lock is None:
                of = f" of the target `{plan.target.name}`" if plan.target.name else ""
                said = f"there is no {name}, the lock{of}"
                self.drift.append(Drift("manifest", "lock-missing", said, file=name))
            else:
                found.append(Compared(lock, self._target(lock), plan))
        self.drift += self._orphans(self.project)
        return found

    def _target(self, lock: Lock) -> Target | None:
        try:
            return hardware.target_of(lock.stated, self.rules)
        except InputError as error:
            if not lock.ours:
                return None
            line = lock.line_of("[tool.mlpin.target]")
            said = f"the target that it states makes no sense: {error.message}"
            self.drift.append(Drift("lock", "invalid", said, file=lock.shown, line=line))
            return None

    def _orphans(self, project: Project) -> Iterator[Drift]:
        """Locks that mlpin made for a target which is not there any more."""
        if not project.all_targets:
            return
        names = {plan.target.name for plan in project.plans}
        kept = {plan.lock for plan in project.plans}
        for folder in sorted({plan.lock.parent for plan in project.plans}):
            for path in sorted(folder.iterdir()):
                if path in kept or not is_lock(path):
                    continue
                name = shown(path, self.options.root)
                try:
                    lock = self.lock(path)
                except InputError:
                    continue
                if (
                    lock
                    and lock.ours
                    and lock.stated.name
                    and lock.stated.name not in names
                    and _made_from(lock, project)
                ):
                    said = f"{name} is the lock of the target `{lock.stated.name}`, which is not there any more"
                    beside = f" and {lock.conda_file[0]}" if lock.conda_file else ""
                    hint = f"delete it{beside}, or put the target back"
                    yield Drift("manifest", "orphan", said, file=name, hint=hint)

    # -- comparisons

    def manifest(self, one: Compared) -> Iterator[Drift]:
        from mlpin.check import manifest
        from mlpin.resolver.view import View
        from mlpin.resolving import question

        assert self.project is not None
        assert one.plan is not None
        catalog = self.catalog(offline=True)
        sources = sources_of(self.project.settings, catalog, self.options, None)
        lines = []
        for line in manifest.named(one.plan.requirements, one.lock):
            try:
                lines.append(line if line.name or line.source is None else sources().named(line))
            except MlpinError:
                place = line.origin
                said = f"`{place.text or line}` is not locked"
                yield Drift("manifest", "unlocked", said, file=place.file, line=place.line)
        asked = question(self.project, one.plan, lines, {})
        view = View(one.plan.target, catalog, asked.policy, sources)
        yield from manifest.drifts(
            one.plan._replace(channels=self._channels(one.plan)),
            one.lock,
            one.target,
            view,
            view.roots(lines),
            catalog.places,
            asked.requires_python,
            asked.requires_python_origin,
        )

    def _channels(self, plan: TargetPlan) -> tuple[str, ...]:
        """The channels of conda as a lock names them."""
        from mlpin.conda.virtual import subdir
        from mlpin.index.channel_names import channel_places

        places = channel_places(self.settings, plan.channels, subdir(plan.target.platform)) if plan.channels else ()
        return tuple(dict.fromkeys(place.name for place in places))

    def unchanged(self, one: Compared) -> bool:
        """Whether neither the project nor the matrix nor the lock has changed since it was locked."""
        from mlpin.fingerprint import fingerprint

        if self.project is None or one.plan is None or not one.lock.ours or not one.lock.intact:
            return False
        return fingerprint(self.project, one.plan) == one.lock.fingerprint

    def by_itself(self, one: Compared) -> list[Drift]:
        """What the comparisons find that are always made."""
        from mlpin.check import integrity, matrix

        found = list(self.manifest(one)) if self.project is not None else []
        found += integrity.drifts(one.lock, one.target)
        return [*found, *matrix.drifts(one.lock, one.target, self.rules)]

    # -- those that are asked for

    def only(self, locks: list[Compared], what: str) -> Compared | None:
        """The one lock that is compared with something of which there is one; None where it is missing."""
        if len(locks) > 1:
            names = ", ".join(one.lock.stated.name or one.lock.shown for one in locks)
            raise UsageError(
                f"{what} is compared with one lock, and there are {len(locks)}",
                hint=f"choose one with --target: {names}",
            )
        return locks[0] if locks else None

    @property
    def own(self) -> frozenset[str]:
        """The names that the project itself is installed by; beside a lock alone it may lie as well."""
        name = self.project.manifest.project if self.project else ""
        beside = self.options.path.parent / PYPROJECT
        if self.project is None and not self.nothing and beside.is_file():
            with suppress(MlpinError):
                name = manifests.read(beside, Context(self.options.root, self.options.environ, no_fetch)).project
        return frozenset({name} - {""})

    def environment(self, one: Compared | None, path: Path) -> None:
        from mlpin.check import environment
        from mlpin.stack import distributions

        self.checks.append("env")
        found = distributions.read(path, self.wanted.env_shown)
        if one is not None:
            self.drift += environment.drifts(one.lock, one.target, found, own=self.own, deep=self.wanted.deep)

    def host(self, one: Compared | None, machine: Machine) -> None:
        from mlpin.check import host

        self.checks.append("host")
        if one is not None:
            pythons = self.wanted.pythons if self.wanted.env is None else None
            self.drift += host.drifts(one.lock, one.target, machine, self.rules, pythons)

    def indexes(self, locks: list[Compared]) -> None:
        from mlpin.check import indexes

        self.checks.append("index")
        for one in locks:
            catalog = self.catalog(offline=False)
            self.drift += indexes.drifts(one.lock, one.target, catalog, outdated=self.wanted.outdated)

    def image(self, one: Compared | None) -> None:
        from mlpin import image
        from mlpin.check import image as comparison

        self.checks.append("image")
        found = image.read(self.options.root / self.wanted.image, self.wanted.image, self.rules)
        if one is not None:
            self.drift += comparison.drifts(one.lock, one.target, found, self.rules)

    def fleet(self, one: Compared | None, folder: Path) -> Fleet:
        from mlpin.check import fleet, snapshots

        self.checks.append("fleet")
        found = snapshots.gather(folder, shown(folder, self.options.root))
        lock, target = (one.lock, one.target) if one else (None, None)
        compared = fleet.compare(lock, target, found.snapshots, self.rules, found.unreadable, own=self.own)
        self.drift += compared.drift
        return compared


def check(options: RunOptions, wanted: Wanted, on_event: Event | None = None) -> Checked:
    """Compare the locks of a project, or the one lock at `options.path`, with what is wanted. Raises `MlpinError`."""
    run = _Run(options, wanted, on_event)
    locks = run.locks()
    found = {one.lock.shown: run.by_itself(one) for one in locks if not run.unchanged(one)}
    run.drift += _told_apart(found, len(locks))
    run.drift += [drift for one in locks for drift in conda.file_drifts(one.lock)]
    fleet = None
    if wanted.env is not None:
        run.environment(run.only(locks, "an environment"), wanted.env)
    if wanted.machine is not None:
        run.host(run.only(locks, "a machine"), wanted.machine())
    if wanted.indexes:
        run.indexes(locks)
    if wanted.image:
        run.image(run.only(locks, "an image"))
    if wanted.fleet is not None:
        fleet = run.fleet(run.only(locks, "a fleet"), wanted.fleet)
    packages = sum(len(one.lock.packages) + len(one.lock.conda) for one in locks)
    names = [one.lock.shown for one in locks]
    drift = [one.shown for one in run.drift]
    recalled = {one.plan.recalled for one in locks if one.plan}
    again = _without_python(recalled.pop() if len(recalled) == 1 else (), run.drift)
    file = next((conda.file_shown(one.lock) for one in locks if len(locks) == 1), "")
    env = wanted.env_shown
    return Checked(run.checks, names, packages, drift, wanted.strict, fleet, env, options=again, conda_file=file)


def _told_apart(found: Mapping[str, Sequence[Drift]], locks: int) -> Iterator[Drift]:
    """The drift of several locks: what all of them have is told once, what some have with their names."""
    of: dict[Drift, list[str]] = {}
    for name, drifts in found.items():
        for drift in drifts:
            of.setdefault(drift, []).append(name)
    for drift, names in of.items():
        if len(names) == locks or drift.file in names:
            yield drift
        else:
            yield drift._replace(message=f"{drift.message} ({', '.join(names)})")


def _without_python(options: Sequence[str], found: Sequence[Drift]) -> Sequence[str]:
    """The options for a new lock; the Python of the old one is none of them where the manifest excludes it."""
    if "--python" in options and any(one.check == "manifest" and one.kind == "requires-python" for one in found):
        place = options.index("--python")
        return (*options[:place], *options[place + 2 :])
    return options


def is_lock(path: Path) -> bool:
    """Whether a path names a lock, by its name."""
    return is_name(path.name) and not path.is_dir()


def _declares(folder: Path) -> bool:
    """Whether a directory has a manifest."""
    try:
        return bool(manifests.find(folder))
    except InputError:
        return False


def _made_from(lock: Lock, project: Project) -> bool:
    """Whether a lock was made from a file of this project."""
    names = {path.name for path in (project.manifest.path, *project.manifest.inputs)}
    return any(Path(line.file).name in names for line in lock.lines("requirements") if line.file)
