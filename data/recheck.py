"""What the indexes say today, held against the matrix. `refresh.py` is the program.

Each check is a function from what matrix files say to changes; none of them writes anything.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mlpin.candidate import Artifact, Dependency, Listing
from mlpin.errors import BadDistribution, IndexUnavailable
from mlpin.index.catalog import Catalog
from mlpin.index.url import redacted
from mlpin.matrix.labels import built
from mlpin.matrix.ranges import version, within
from mlpin.matrix.read import Source
from mlpin.matrix.rule import Rule
from mlpin.matrix.tables import Family, Line
from mlpin.requirement import normalise

PYTHONS = tuple(f"3.{minor}" for minor in range(6, 20))
MOST_ASKED = 8
"""Releases beyond a table whose metadata is read."""
MOST_NAMED = 6
"""Releases that a line of text names."""
TOOLKIT = "cuda-toolkit"
"""The project of the default index that has a release for each one of CUDA."""


KINDS = {
    "new-release": "the index of a build line has releases, its [[line]] not",
    "unknown-label": "releases have a build label that no [[line]] has",
    "no-index": "the index of a build line is gone",
    "no-row": "no [[default]] or [[abi]] says how new releases are built",
    "new-cuda": "no [[toolkit]] says what driver a CUDA was released with",
    "beyond-table": "releases that a table of pairs has no row for",
    "unread": "releases since a rule's date, of which it says nothing",
    "no-files": "releases that are newer than every [[wheels]]",
    "no-metadata": "releases without metadata, newer than every [[metadata]]",
    "own-metadata": "releases publish what [[metadata]] stands for",
    "stated": "the newest release declares itself what a rule says of it",
    "old": "the source is older than --older-than",
}


class Change(NamedTuple):
    """Something to look at. Two reports have the same one if kind, subject and versions are the same."""

    kind: str
    """A key of `KINDS`."""
    subject: str
    """A line's label, a package, or the id of a rule."""
    versions: tuple[str, ...]
    what: str

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        return self.kind, self.subject, self.versions


def finals(listing: Listing) -> list[tuple[Version, str]]:
    """The releases of a listing that are final and not wholly yanked, newest first, as (version, its text)."""
    found = [
        (known, text)
        for text, files in listing.versions.items()
        if (known := version(text)) is not None
        and not known.is_prerelease
        and any(file.yanked is None for file in files)
    ]
    return sorted(found, key=lambda item: item[0], reverse=True)


class Indexes:
    """The indexes, with a note of each that did not answer."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.failed: dict[str, str] = {}
        """What was asked for, with the reason why there is no answer."""

    def listing(self, name: str, url: str = "") -> Listing | None:
        """What the default index, or the one at `url`, says of a project; None where it does not answer."""
        try:
            return self.catalog.listing_at(name, url) if url else self.catalog.listing(name)
        except IndexUnavailable as error:
            self.failed[f"{name} at {redacted(url)}" if url else name] = error.message
            return None

    def declared(self, name: str, text: str, files: Iterable[Artifact]) -> tuple[str, tuple[Dependency, ...]] | None:
        """(Requires-Python, dependencies) of a release, read from one of its files; None where none can be read."""
        usable = [file for file in files if file.yanked is None]
        # First the ones that cost a request of some hundred bytes.
        for file in sorted(usable, key=lambda file: (not file.metadata, not file.is_wheel, file.filename))[:2]:
            try:
                found = self.catalog.metadata(name, text, file)
            except BadDistribution:
                continue
            except IndexUnavailable as error:
                self.failed[file.filename] = error.message
                return None
            return found.requires_python, found.dependencies
        return None

    def ahead(self, names: Iterable[str], url: str = "") -> None:
        """Let listings be fetched beside what is done."""
        for name in names:
            ask = partial(self.catalog.listing_at, name, url) if url else partial(self.catalog.listing, name)
            self.catalog.foresee(ask)


def _change(kind: str, subject: str, releases: Iterable[Version], said: str) -> Change:
    shown = tuple(dict.fromkeys(release.public for release in sorted(releases)))
    named = ", ".join(shown) if len(shown) <= MOST_NAMED else f"{len(shown)} releases, {shown[0]} … {shown[-1]}"
    return Change(kind, subject, shown, f"{named}: {said}")


# ── Build lines ────────────────────────────────────────────────────────────────────────────────────────────────────


def lines(source: Source, indexes: Indexes, bases: Mapping[str, str], since: Version) -> Iterator[Change]:
    """What the indexes of the families have that no [[line]], [[default]] or [[abi]] knows."""
    for family in source.families:
        base = bases.get(family.name, bases.get("", family.base)).rstrip("/")
        mine = [line for line in source.lines if line.family == family.name]
        if not mine:
            continue
        for line in mine:
            indexes.ahead(family.packages[:1], f"{base}/{line.path}")
        known: dict[str, set[Version]] = {}
        for line in mine:
            listing = indexes.listing(family.packages[0], f"{base}/{line.path}")
            if listing is None:
                continue
            if not listing.found:
                place = redacted(f"{base}/{line.path}")
                yield Change("no-index", line.label, (), f"the index {place} has no {family.packages[0]}")
                continue
            for release, _ in finals(listing):
                known.setdefault(_label(str(release)) or line.label, set()).add(release)
            yield from _new_in(line, listing, since)
        everywhere = indexes.listing(family.packages[0], base)
        if everywhere is not None:
            for release, _ in finals(everywhere):
                known.setdefault(_label(str(release)), set()).add(release)
        yield from _labels(mine, known, since)
        yield from _rows(source, family, indexes, since)


def _label(text: str) -> str:
    """The build line in a version, or its whole local part where it has no line that is understood."""
    return built(text).line or text.partition("+")[2]


def _new_in(line: Line, listing: Listing, since: Version) -> Iterator[Change]:
    if not line.versions:
        return
    new = [
        release
        for release, text in finals(listing)
        if _label(text) in {"", line.label} and release >= since and not within(line.versions, release)
    ]
    if new:
        yield _change("new-release", line.label, new, f"the row has {line.versions}")


def _labels(mine: Sequence[Line], known: Mapping[str, set[Version]], since: Version) -> Iterator[Change]:
    labels = {line.label for line in mine}
    for label in sorted(known):
        new = [release for release in known[label] if release >= since]
        if label and label not in labels and new:
            yield _change("unknown-label", label, new, "no [[line]] has this label")


def _rows(source: Source, family: Family, indexes: Indexes, since: Version) -> Iterator[Change]:
    """Releases of the family's first package, on the default index, that are newer than any row knows."""
    name = family.packages[0]
    tables = {
        "default": [(entry.versions, entry.platforms) for entry in source.defaults if entry.package == name],
        "abi": [(entry.versions, entry.platforms) for entry in source.abis if entry.package == name],
    }
    listing = indexes.listing(name) if any(tables.values()) else None
    if listing is None:
        return
    for table, entries in tables.items():
        for platforms in sorted({platforms for _, platforms in entries}):
            ranges = [versions for versions, some in entries if some == platforms]
            new = [release for release, _ in finals(listing) if release >= since and _beyond(release, ranges, listing)]
            if new:
                where = f" on {', '.join(platforms)}" if platforms else ""
                yield _change("no-row", f"{table} {name}{where}", new, "newer than every row")


def _beyond(release: Version, ranges: Sequence[str], listing: Listing) -> bool:
    """Whether a release is in no range, and newer than all that are in one."""
    if any(within(text, release) for text in ranges):
        return False
    return all(known < release for known, _ in finals(listing) if any(within(text, known) for text in ranges))


def toolkits(source: Source, indexes: Indexes) -> Iterator[Change]:
    """Releases of CUDA that no [[toolkit]] knows."""
    known = {item.cuda for item in source.toolkits if "." in item.cuda}
    listing = indexes.listing(TOOLKIT) if known else None
    oldest = min(map(Version, known), default=None)
    new = [
        release
        for release, _ in (finals(listing) if listing else [])
        if f"{release.major}.{release.minor}" not in known and oldest is not None and release > oldest
    ]
    if new:
        yield _change("new-cuda", TOOLKIT, new, "no [[toolkit]] has this CUDA")


# ── Rules about packages ───────────────────────────────────────────────────────────────────────────────────────────


def pairs(source: Source, indexes: Indexes) -> Iterator[Change]:
    """Releases beyond the last row of the rules that pair a package with one of a family.

    A release that declares a bound of the other side itself needs no row.
    """
    tables = [rule for rule in source.rules if _pairs(rule, source)]
    indexes.ahead(dict.fromkeys(rule.package for rule in tables))
    # Rules about the same two go on where another ends: the last of them is the one to be looked at.
    ranges: dict[tuple[str, str], list[str]] = {}
    for rule in tables:
        ranges.setdefault((rule.package, rule.other), []).extend(versions for versions, _ in rule.table)
    for rule in tables:
        listing = indexes.listing(rule.package)
        known = ranges[rule.package, rule.other]
        if listing is None or not _has_newest(rule, known, listing):
            continue
        new = [(release, text) for release, text in finals(listing) if _beyond(release, known, listing)]
        silent = [
            release
            for release, text in new[:MOST_ASKED]
            if not _bound(indexes.declared(rule.package, text, listing.versions[text]), rule.other)
        ]
        if silent:
            said = f"{rule.package} has no row, and no bound of {rule.other}"
            yield _change("beyond-table", rule.id, silent, said)


def _pairs(rule: Rule, source: Source) -> bool:
    """Whether a rule is a table of releases that belong to releases of a family's package."""
    families = {name for family in source.families for name in family.packages}
    return rule.verb == "needs" and len(rule.table) > 1 and rule.other in families


def _has_newest(rule: Rule, ranges: Sequence[str], listing: Listing) -> bool:
    """Whether the newest release that is in any of the ranges is in a row of this rule."""
    newest = next((known for known, _ in finals(listing) if any(within(text, known) for text in ranges)), None)
    return newest is None or any(within(versions, newest) for versions, _ in rule.table)


def unread(source: Source, indexes: Indexes) -> Iterator[Change]:
    """Rules that speak of the release which was newest on their date, on either side, and of none since."""
    sides: list[tuple[Rule, str, tuple[str, ...]]] = []
    for rule in source.rules:
        # Where a build line ends is no end of what was read.
        if not rule.line and not _pairs(rule, source):
            sides.append((rule, rule.package, tuple(versions for versions, _ in rule.table)))
        theirs = tuple(wanted for _, wanted in rule.table)
        # What one release needs exactly it will always need.
        exact = rule.verb == "needs" and any("==" in wanted for wanted in theirs)
        if not (rule.of_target or exact or {"same", "label"} & {*theirs}):
            sides.append((rule, rule.other, theirs))
    indexes.ahead(dict.fromkeys(name for _, name, _ in sides))
    for rule, name, ranges in sides:
        listing = indexes.listing(name)
        new = _since(rule.date, ranges, listing) if listing else []
        if new:
            yield _change("unread", rule.id, new, f"{name} since {rule.date}, and the rule has {ranges[-1]}")


def _since(day: str, ranges: Sequence[str], listing: Listing) -> list[Version]:
    """Releases in no range that are newer than all on this day, where the newest of that day is in one.

    Ranges that name a later release were written by somebody who knew it.
    """
    dated = [
        (release, min((file.upload_time[:10] for file in listing.versions[text] if file.upload_time), default="9"))
        for release, text in finals(listing)
    ]
    newest = next((release for release, uploaded in dated if uploaded <= day), None)
    if newest is None or not any(within(text, newest) for text in ranges):
        return []
    named = [Version(one.version.removesuffix(".*")) for text in ranges for one in SpecifierSet(text)]
    if any(one > newest for one in named):
        return []
    later = [release for release, _ in dated if release > newest]
    return [release for release in later if not any(within(text, release) for text in ranges)]


def files(source: Source, indexes: Indexes) -> Iterator[Change]:
    """Releases that are newer than what [[wheels]] and [[metadata]] have, and metadata that is needless by now."""
    ends: dict[str, Version] = {}
    for item in source.wheels:
        ends[item.package] = max(ends.get(item.package, Version("0")), version(item.version) or Version("0"))
    rows: dict[str, list[str]] = defaultdict(list)
    for supplied in source.metadata:
        rows[supplied.package].append(supplied.versions)
    indexes.ahead(dict.fromkeys((*ends, *rows)))
    for name, end in ends.items():
        listing = indexes.listing(name)
        releases = finals(listing) if listing else []
        made = _made(listing) if listing else set()
        # Wheels on the index will do, unless there were some besides [[wheels]] before.
        if releases and (end in made or releases[0][0] not in made):
            new = [release for release, _ in releases if release > end]
            if new:
                yield _change("no-files", name, new, f"[[wheels]] has {end} and older")
    for name, ranges in rows.items():
        listing = indexes.listing(name)
        if listing is None:
            continue
        made = _made(listing)
        releases = finals(listing)
        if own := [one for one in made if any(within(row, one) for row in ranges)]:
            yield _change("own-metadata", name, own, "has a wheel, and its metadata")
        new = [
            release
            for release, text in [one for one in releases if _beyond(one[0], ranges, listing)][:MOST_ASKED]
            if indexes.declared(name, text, listing.versions[text]) is None
        ]
        if new:
            yield _change("no-metadata", name, new, "newer than every [[metadata]]")


def _made(listing: Listing) -> set[Version]:
    """The releases that have a wheel."""
    return {release for release, text in finals(listing) if any(file.is_wheel for file in listing.versions[text])}


def stated(source: Source, indexes: Indexes) -> Iterator[Change]:
    """Rules that speak of the newest release of a package, whose own metadata rules out all that they do."""
    open_ended = [
        rule
        for rule in source.rules
        if rule.verb != "kernels"
        and (rule.other == "python" or not rule.of_target)
        and not any(wanted in {"same", "label"} for _, wanted in rule.table)
    ]
    indexes.ahead(dict.fromkeys(name for rule in open_ended for name in (rule.package, rule.other) if name != "python"))
    for rule in open_ended:
        listing = indexes.listing(rule.package)
        newest = finals(listing)[:1] if listing else []
        if listing is None or not newest:
            continue
        release, text = newest[0]
        wanted = [other for versions, other in rule.table if within(versions, release)]
        declared = indexes.declared(rule.package, text, listing.versions[text]) if wanted else None
        bound = _bound(declared, rule.other)
        if not bound:
            continue
        if rule.other == "python":
            others: list[Version] = [Version(python) for python in PYTHONS]
        else:
            their = indexes.listing(rule.other)
            others = [known for known, _ in finals(their)] if their else []
        allowed = [other for other in others if within(bound, other)]
        holds = rule.verb == "needs"
        refused = [other for other in others if any(within(range_, other) != holds for range_ in wanted)]
        if allowed and refused and not set(allowed) & set(refused):
            what = f"{rule.package} {release} declares {rule.other} {bound}: the rule need not speak of it"
            yield Change("stated", rule.id, (str(release),), what)


def _bound(declared: tuple[str, tuple[Dependency, ...]] | None, other: str) -> str:
    """The range of `other` that metadata asks for on every target; empty where it asks for none."""
    if declared is None:
        return ""
    if other == "python":
        return declared[0]
    found = [
        item.specifier
        for item in declared[1]
        if normalise(item.name) == other and not item.extra and not item.marker and not item.mentions_extra
    ]
    return ",".join(text for text in found if text)


def ages(source: Source, today: dt.date) -> list[tuple[int, Rule]]:
    """(days, rule), oldest first; a rule with several other sides once."""
    found = {rule.id: rule for rule in reversed(source.rules)}
    dated = [((today - dt.date.fromisoformat(rule.date)).days, rule) for rule in found.values()]
    return sorted(dated, key=lambda item: (-item[0], item[1].id))
