"""What one target sees of the catalog: usable candidates in order, and what each requires there.

The catalog knows raw pages and metadata; the view applies the target's Python, tags and markers and the
user's choices (cutoff, pre-releases, hashes, wheels or source archives, overrides). The search above it sees
no marker, no extra and no tag. Every version that is not offered is a `Rejection` with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from mlpin.candidate import (
    PYTHON,
    Candidate,
    Dependency,
    Key,
    Listing,
    Metadata,
    Rejection,
    distribution,
    joined,
)
from mlpin.errors import BadDistribution, IndexUnavailable, InputError
from mlpin.index.names import version as parsed
from mlpin.requirement import Declared, IndexSource, Origin, Source
from mlpin.resolver.guesses import Guesses
from mlpin.resolver.offer import NEAR_RELEASES, near, offer
from mlpin.resolver.policy import Policy
from mlpin.resolver.requirements import PythonRange, SameVersion, Sourced, Specified, Unusable, python_fits, specifier

if TYPE_CHECKING:
    from packaging.version import Version

    from mlpin.requirement import Requirement
    from mlpin.resolver.conda import Conda
    from mlpin.resolver.ports import Catalog, Sources
    from mlpin.resolver.records import Shelf
    from mlpin.resolver.rules import Rulebook
    from mlpin.target import Target


FROM_METADATA = Origin("candidate")
"""The origin of what a candidate requires; which one it is stands on the edge."""


Offers = dict[tuple[str, str, bool], Candidate | Rejection]
"""What was made of each version, by name, version and whether the user has pinned the name. It may be shared by views
whose target, rules and policy for files are the same."""


def _anything(version: Version) -> bool:  # noqa: ARG001
    return True


class View:
    """Candidates and their requirements for one target."""

    def __init__(
        self,
        target: Target,
        catalog: Catalog,
        policy: Policy,
        sources: Callable[[], Sources] | None = None,
        rules: Rulebook | None = None,
        offers: Offers | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self.shelf = shelf
        self.target = target
        self.rules = rules
        self._listings: dict[str, Listing] = {}
        self.policy = policy
        self._catalog = catalog
        self._sources = sources
        self._python_fits: dict[tuple[str, bool], bool] = {}
        self._offers: Offers = {} if offers is None else offers
        self._extras: dict[tuple[int, str], Candidate] = {}
        self._required: dict[int, tuple[Requirement, ...]] = {}
        self._sourced: dict[tuple[str, Source], Candidate] = {}
        self._newest: dict[str, Metadata] = {}
        self._ends: dict[Key, Version] = {}
        self._taken: dict[str, list[Version]] = {}
        self.python = Candidate(PYTHON, parsed(target.markers["python_full_version"]), pythons=target.pythons)
        self.constraints: dict[str, list[Requirement]] = {}
        """By name, what a constraint says of it on this target."""
        for declared in policy.constraints:
            if self.holds(declared.marker) and not declared.conda:
                self.constraints.setdefault(declared.name, []).extend(
                    self._declared(declared, extras=(), overridden=False)
                )
        self.conda: Conda | None = None
        """Where conda packages are asked for: that world."""
        self.guesses = Guesses(self, catalog)
        self.direct: set[str] = set()
        """The names that the user's own lines ask for."""

    # -- requirements

    def holds(self, marker: str, extra: str = "") -> bool:
        """Whether a marker holds on the target, with `extra` as its extra."""
        return not marker or self.target.holds(marker, extra)

    def roots(self, declared: Iterable[Declared]) -> list[Requirement]:
        """The requirements that the user's lines make on this target, in their order."""
        found: list[Requirement] = []
        lines = [line for line in declared if self.holds(line.marker) and line.name not in self.policy.exclude]
        if self.conda is None and any(line.conda for line in lines):
            from mlpin.resolver.conda import side

            self.conda = side(self, self._catalog, joint=any(not line.conda for line in lines))
        for line in lines:
            if line.conda:
                assert self.conda is not None
                found.append(self.conda.requirement(line.name, line.conda, line.origin))
            else:
                self.direct.add(line.name)
                found += self._declared(line, extras=line.extras, overridden=line.name in self.policy.overrides)
        return found

    def overrides(self) -> dict[str, list[Requirement]]:
        """By name, what overrides say of it on this target."""
        return {
            name: [
                requirement
                for line in lines
                if self.holds(line.marker)
                for requirement in self._declared(line, extras=(), overridden=False)
            ]
            for name, lines in self.policy.overrides.items()
        }

    def python_range(self, text: str, origin: Origin) -> Requirement:
        """The requirement that a Requires-Python makes."""
        return PythonRange(specifier(text), origin)

    def _declared(self, line: Declared, *, extras: Sequence[str], overridden: bool) -> list[Requirement]:
        if overridden:
            return [
                requirement
                for other in self.policy.overrides[line.name]
                if self.holds(other.marker)
                for requirement in self._declared(other, extras=other.extras or extras, overridden=False)
            ]
        made: list[Requirement] = []
        text = specifier(line.specifier)
        for key in (distribution(line.name), *(distribution(line.name, extra) for extra in extras)):
            if line.source is not None and not isinstance(line.source, IndexSource):
                made.append(Sourced(key, line.source, line.origin))
            if line.specifier or not made or made[-1].key != key:
                made.append(Specified(key, text, line.origin))
        return made

    def requires(self, candidate: Candidate) -> Iterable[Requirement]:
        """What the candidate requires on this target, in the order of its metadata.

        A candidate whose metadata cannot be had requires what nothing satisfies (`Unusable`).
        """
        known = self._required.get(id(candidate))
        if known is not None:
            return known
        if candidate.record is not None:
            assert self.conda is not None
            return self.conda.requires(candidate)
        if candidate.key.kind != "pypi":
            return ()
        return self._requirements_of(candidate)

    def _requirements_of(self, candidate: Candidate) -> Iterator[Requirement]:
        base = candidate.base or candidate
        origin = FROM_METADATA
        made: list[Requirement] = []
        if candidate.base is not None:
            # First, and before any metadata is read: most candidates of an extra fall here.
            made.append(SameVersion(base, origin))
            yield made[0]
        elif self.rules is not None:
            for requirement in self.rules.restricts(base):
                made.append(requirement)
                yield requirement
        if candidate.carrier:
            assert self.conda is not None
            yield from self.conda.requires(candidate)
            self._required[id(candidate)] = (*made, *self.conda.requires(candidate))
            return
        shown = len(made)
        try:
            found = self.metadata(base)
        except BadDistribution as error:
            if "metadata" not in self.target.waived:
                made.append(Unusable(candidate, error.message, origin, error.hint or ""))
                yield made[-1]
            return
        if candidate.base is not None and self._lacks(found, candidate.key):
            reason = f"has no extra `{candidate.key.extra}`, which the newest release has"
            made.append(Unusable(candidate, reason, origin, older_too=True))
            yield made[-1]
        # Where conda brings Python, it matters to which patch release something is bound.
        asked, every = found.requires_python, self.conda is not None
        if candidate.base is None and asked and not self._fits_python(asked, every=every):
            made.append(self.python_range(asked, origin))
        for dependency in found.dependencies:
            if self._applies(dependency, candidate.key.extra):
                made += self._dependency(dependency, origin, base)
        self._required[id(candidate)] = tuple(made)
        yield from made[shown:]

    def _lacks(self, found: Metadata, key: Key) -> bool:
        """Whether a release without an extra would only be a way around what the extra asks for."""
        if self.rules is None or found.has_extra(key.extra):
            return False
        newest = self._newest.get(key.name)
        if newest is None:
            newest = self._newest[key.name] = self._metadata_of_newest(key.name) or found
        return newest.has_extra(key.extra) and not self.rules.drops_extra()

    def _metadata_of_newest(self, name: str) -> Metadata | None:
        """What the newest final release with a wheel states, whether it fits the target or not."""
        listing = self.listing(name)
        for text in listing.versions:
            wheels = [file for file in listing.versions[text] if file.is_wheel]
            if wheels and not parsed(text).is_prerelease:
                with suppress(BadDistribution):
                    return self._catalog.metadata(name, text, wheels[0])
                break
        return None

    def _applies(self, dependency: Dependency, extra: str) -> bool:
        if dependency.mentions_extra:
            return self.holds(dependency.marker, extra) and (not extra or not self.holds(dependency.marker, ""))
        return dependency.extra == extra and self.holds(dependency.marker, extra)

    def _dependency(self, dependency: Dependency, origin: Origin, parent: Candidate) -> list[Requirement]:
        name = dependency.name
        if name in self.policy.exclude:
            return []
        if name == parent.name and not dependency.url:
            # `project[all]` refers to its own extras: the same version of itself.
            return [SameVersion(parent, origin, distribution(name, extra)) for extra in dependency.extras]
        source = dependency.source
        if source is None and dependency.url:
            from mlpin.manifest.links import link

            source = link(dependency.url, bases=()).source
        line = Declared(name, origin, dependency.extras, dependency.specifier, source=source)
        return self._declared(line, extras=dependency.extras, overridden=name in self.policy.overrides)

    def metadata(self, candidate: Candidate) -> Metadata:
        """The metadata of a distribution's candidate. Raises `BadDistribution`."""
        if candidate.carrier:
            candidate = self._on_index(candidate)
        if candidate.source is not None:
            assert self._sources is not None
            return self._sources().fetch(candidate.source, (), Origin("candidate"))[0]
        file = candidate.wheels[0] if candidate.wheels else candidate.sdist
        assert file is not None
        version = str(candidate.version)
        try:
            return self._catalog.metadata(candidate.name, version, file)
        except BadDistribution:
            if candidate.spare is None:
                raise
            # A release states the same for every platform nearly always; the lock says that it was assumed.
            return self._catalog.metadata(candidate.name, version, candidate.spare)._replace(origin="assumed")

    def _on_index(self, candidate: Candidate) -> Candidate:
        """The release that a conda package stands in for, as an index has it: what its extras ask for."""
        for found in self._ordered(candidate.name, candidate.version.__eq__):
            return found
        raise BadDistribution("no index has this release", where=str(candidate))

    # -- candidates

    def candidates(self, key: Key, admitted: Callable[[Version], bool] = _anything) -> Iterator[Candidate]:
        """The usable candidates of a distribution or an extra with an admitted version, in the order to try them.

        Only versions that are admitted are looked at: a project may have thousands of files of other ones.
        """
        if not key.extra:
            return self._ordered(key.name, admitted)
        return (
            self._with_extra(candidate, key)
            for candidate in self._ordered(key.name, admitted)
            if key not in self._ends or candidate.version > self._ends[key]
        )

    def end(self, candidate: Candidate) -> None:
        """Offer no release of an extra from this one on: what introduced the extra is newer."""
        self._ends[candidate.key] = candidate.version

    def sourced(self, requirement: Sourced) -> Candidate:
        """The one candidate of a requirement on a URL, repository or path. Raises `BadDistribution` and others."""
        key = requirement.key
        base = self._sourced.get((key.name, requirement.source))
        if base is None:
            assert self._sources is not None
            metadata, artifact = self._sources().fetch(
                requirement.source, tuple(self.policy.hashes.get(key.name, ())), requirement.origin
            )
            if metadata.name != key.name:
                raise InputError(
                    f"`{key.name}` is asked for, but what is there is `{metadata.name}`", where=requirement.origin.place
                )
            wheels = (artifact,) if artifact and artifact.is_wheel else ()
            if artifact and artifact.is_wheel and self.target.rank(artifact.tags) is None:
                raise InputError(
                    f"`{artifact.filename}` does not fit the target ({self.target})",
                    where=requirement.origin.place,
                    hint="give the line a marker, or choose another file",
                )
            sdist = artifact if artifact and not artifact.is_wheel else None
            base = Candidate(
                distribution(key.name), parsed(metadata.version or "0"), wheels, sdist, source=requirement.source
            )
            base = self._sourced.setdefault((key.name, requirement.source), base)
        return self._with_extra(base, key) if key.extra else base

    def seen_as(self, candidate: Candidate, key: Key) -> Candidate:
        """The candidate of a distribution as that of its key with an extra, if `key` is one."""
        return self._with_extra(candidate, key) if key.extra and candidate.base is None else candidate

    def _with_extra(self, base: Candidate, key: Key) -> Candidate:
        known = self._extras.get((id(base), key.extra))
        if known is None:
            known = Candidate(key, base.version, base.wheels, base.sdist, base.index, base.yanked, base, base.source)
            known = self._extras.setdefault((id(base), key.extra), known)
        return known

    def preferred(self, key: Key) -> Candidate | None:
        """The candidate that the old lock or an earlier target has, if it is still offered."""
        text = self.policy.preferred.get(key.name)
        if text is None:
            return None
        listing = self.listing(key.name)
        if text not in listing.versions:
            return None
        found = self._candidate(listing, text)
        if isinstance(found, Rejection):
            return None
        return self._with_extra(found, key) if key.extra else found

    def listing(self, name: str) -> Listing:
        """The listing of a project from where it may come from on this target."""
        known = self._listings.get(name)
        if known is None:
            known = self._listings.setdefault(name, self._listing(name))
        return known

    def _listing(self, name: str) -> Listing:
        pinned = ""
        for pin in self.policy.pins.get(name, ()):
            selected = (not pin.extra or pin.extra in self.policy.selected_extras) and (
                not pin.group or pin.group in self.policy.selected_groups
            )
            if selected and self.holds(pin.marker):
                pinned = pin.index
                break
        rules = self.rules
        if pinned or rules is None or not self.target.hardware.accelerator:
            return self._catalog.listing(name, pinned)
        more = self._line_indexes(name)
        for url in more:
            self._catalog.foresee(partial(self._catalog.listing_at, name, url))
        found = [self._catalog.listing(name)]
        try:
            found += [self._catalog.listing_at(name, url) for url in more]
        except IndexUnavailable as error:
            # Its name is that of the family: --pytorch-index-url.
            hint = f"--{rules.family(name).name}-index-url URL names a mirror of it, `none` does without it"  # type: ignore[union-attr]
            raise IndexUnavailable(error.message, where=error.where, notes=error.notes, hint=hint) from None
        released = rules.releases(name)
        return joined(name, [*found, *([released] if released else [])], partial(rules.order, name))

    def _line_indexes(self, name: str) -> list[str]:
        """The indexes of the build lines in which a package of a family may be found for this target."""
        assert self.rules is not None
        family = self.rules.family(name)
        if family is None:
            return []
        base = self.policy.families.get(family.name, family.base).rstrip("/")
        return [f"{base}/{line.path}" for line in self.rules.lines(family.name)] if base else []

    def lowest_first(self, name: str) -> bool:
        """Whether this name's oldest version is wanted."""
        policy = self.policy
        direct = policy.resolution == "lowest-direct" and name in self.direct
        return policy.resolution == "lowest" or direct or name in policy.lowest

    def _ordered(self, name: str, admitted: Callable[[Version], bool]) -> Iterator[Candidate]:
        listing = self.listing(name)
        usable = (
            found
            for text in listing.versions
            if admitted(parsed(text)) and isinstance(found := self._candidate(listing, text), Candidate)
        )
        if self.lowest_first(name):
            yield from reversed(list(usable))
            return
        # A release with a platform wheel goes before newer source archives that it is not far behind.
        waiting: list[Candidate] = []
        passed = 0
        for candidate in usable:
            if not candidate.wheels:
                waiting.append(candidate)
                if len(waiting) > NEAR_RELEASES:
                    yield waiting.pop(0)
                continue
            if waiting:
                passed += 1
                if passed + len(waiting) > NEAR_RELEASES or not near(candidate, waiting[0]):
                    yield from waiting
                    waiting, passed = [], 0
            yield candidate
        yield from waiting

    def _candidate(self, listing: Listing, text: str) -> Candidate | Rejection:
        mark = (listing.name, text, self.rules is not None and listing.name in self.rules.pinned)
        found = self._offers.get(mark)
        if found is None:
            # A guess in another thread may be as far: one object per candidate, the first.
            found = offer(listing, text, self.target, self.policy, self._fits_python, self.rules)
            found = self._offers.setdefault(mark, found)
        return found

    def _fits_python(self, text: str, *, every: bool = False) -> bool:
        """Whether a Python of the target is in a range, or every one."""
        known = self._python_fits.get((text, every))
        if known is None:
            known = self._python_fits[text, every] = python_fits(text, self.target.pythons, every=every)
        return known

    def rejections(self, name: str) -> list[Rejection]:
        """Every version of the project that exists and is not offered, newest first."""
        listing = self.listing(name)
        return [found for text in listing.versions if isinstance(found := self._candidate(listing, text), Rejection)]

    def taken_away(self, name: str) -> list[Version]:
        """The releases that are there and that the target's hardware takes away: no pre-release stands in for them."""
        if not self.target.hardware.accelerator:
            return []
        known = self._taken.get(name)
        if known is None:
            known = self._taken[name] = [
                parsed(one.version) for one in self.rejections(name) if one.kind in {"rule", "line"}
            ]
        return known
