"""Asks the indexes again for what the matrix took from them, and tells what has changed since.

python data/refresh.py [lines | pairs | stated | ages …] [--base URL] [--index URL] [--older-than DAYS]
                       [--known LAST.json] [--format json] [FILE.toml …]

lines    releases in the index of a build line that its row does not know, build labels on no line, lines without an
         index; releases of the family's first package that no [[default]] or [[abi]] row reaches
pairs    releases beyond the last row of a rule that pairs a package with one of the family (torchvision with torch)
stated   rules that the metadata of the newest release has made needless: it declares the bound itself
ages     every rule with its age, oldest first

Exit code 0: nothing changed, 1: something to look at, 2: an index did not answer. What a former report (--format json)
has as well is nothing new: give it with --known. Ages count where --older-than asks for them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from packaging.version import Version

from mlpin.candidate import Artifact, Dependency, Listing
from mlpin.errors import BadDistribution, IndexUnavailable, InputError, MlpinError
from mlpin.index.catalog import Catalog
from mlpin.manifest.model import Context
from mlpin.matrix.labels import built
from mlpin.matrix.ranges import version, within
from mlpin.matrix.read import Source, read_files
from mlpin.matrix.rule import Rule
from mlpin.matrix.tables import Family, Line
from mlpin.pipeline import LockOptions, _catalog
from mlpin.requirement import normalise
from mlpin.settings import IndexSetting, Settings, merged
from mlpin.settings_files import pip_layers

HERE = Path(__file__).parent
WHAT = ("lines", "pairs", "stated", "ages")
PYTHONS = tuple(f"3.{minor}" for minor in range(6, 20))
MOST_ASKED = 8
"""Releases beyond a table whose metadata is read."""
MOST_SHOWN = 10
"""Rules whose age is shown where nobody asked for old ones."""


class Change(NamedTuple):
    """Something to look at. Two reports have the same one if kind, subject and versions are the same."""

    kind: str
    """`new-release`, `unknown-label`, `no-index`, `no-row`, `beyond-table`, `stated`, `old`."""
    subject: str
    """A line's label, a package, or the id of a rule."""
    versions: tuple[str, ...]
    what: str

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        return self.kind, self.subject, self.versions


class Report(NamedTuple):
    """What came out."""

    changes: Sequence[Change]
    ages: Sequence[tuple[int, Rule]] = ()
    failed: Sequence[str] = ()
    """What an index did not answer."""


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
        self.failed: list[str] = []

    def listing(self, name: str, url: str = "") -> Listing | None:
        """What the default index, or the one at `url`, says of a project; None where it does not answer."""
        try:
            return self.catalog.listing_at(name, url) if url else self.catalog.listing(name)
        except IndexUnavailable as error:
            self._note(f"{name}{f' at {url}' if url else ''}: {error.message}")
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
                self._note(f"{file.filename}: {error.message}")
                return None
            return found.requires_python, found.dependencies
        return None

    def ahead(self, names: Iterable[str], url: str = "") -> None:
        """Let listings be fetched beside what is done."""
        for name in names:
            ask = partial(self.catalog.listing_at, name, url) if url else partial(self.catalog.listing, name)
            self.catalog.foresee(ask)

    def _note(self, text: str) -> None:
        if text not in self.failed:
            self.failed.append(text)


# ── Build lines ────────────────────────────────────────────────────────────────────────────────────────────────────


def lines(source: Source, indexes: Indexes, bases: Mapping[str, str], since: Version) -> Iterator[Change]:
    """What the indexes of the families have that no [[line]], [[default]] or [[abi]] knows."""
    for family in source.families:
        base = bases.get(family.name, bases.get("", family.base)).rstrip("/")
        mine = [line for line in source.lines if line.family == family.name]
        for line in mine:
            indexes.ahead(family.packages[:1], f"{base}/{line.path}")
        known: dict[str, set[Version]] = {}
        for line in mine:
            listing = indexes.listing(family.packages[0], f"{base}/{line.path}")
            if listing is None:
                continue
            if not listing.found:
                yield Change("no-index", line.label, (), f"the index {base}/{line.path} has no {family.packages[0]}")
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


def _shown(releases: Iterable[Version]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(release.public for release in sorted(releases)))


def _new_in(line: Line, listing: Listing, since: Version) -> Iterator[Change]:
    if not line.versions:
        return
    new = [
        release
        for release, text in finals(listing)
        if _label(text) in {"", line.label} and release >= since and not within(line.versions, release)
    ]
    if new:
        shown = _shown(new)
        yield Change("new-release", line.label, shown, f"{', '.join(shown)}: the row has {line.versions}")


def _labels(mine: Sequence[Line], known: Mapping[str, set[Version]], since: Version) -> Iterator[Change]:
    labels = {line.label for line in mine}
    for label in sorted(known):
        new = [release for release in known[label] if release >= since]
        if label and label not in labels and new:
            yield Change("unknown-label", label, _shown(new), f"{', '.join(_shown(new))}: no [[line]] has this label")


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
                shown = _shown(new)
                where = f" on {', '.join(platforms)}" if platforms else ""
                yield Change("no-row", f"{table} {name}{where}", shown, f"{', '.join(shown)}: newer than every row")


def _beyond(release: Version, ranges: Sequence[str], listing: Listing) -> bool:
    """Whether a release is in no range, and newer than all that are in one."""
    if any(within(text, release) for text in ranges):
        return False
    return all(known < release for known, _ in finals(listing) if any(within(text, known) for text in ranges))


# ── Rules about packages ───────────────────────────────────────────────────────────────────────────────────────────


def pairs(source: Source, indexes: Indexes) -> Iterator[Change]:
    """Releases beyond the last row of the rules that pair a package with one of a family.

    A release that declares a bound of the other side itself needs no row.
    """
    families = {name for family in source.families for name in family.packages}
    tables = [rule for rule in source.rules if rule.verb == "needs" and len(rule.table) > 1 and rule.other in families]
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
            shown = _shown(silent)
            yield Change("beyond-table", rule.id, shown, f"{', '.join(shown)}: no row, and no bound of {rule.other}")


def _has_newest(rule: Rule, ranges: Sequence[str], listing: Listing) -> bool:
    """Whether the newest release that is in any of the ranges is in a row of this rule."""
    newest = next((known for known, _ in finals(listing) if any(within(text, known) for text in ranges)), None)
    return newest is None or any(within(versions, newest) for versions, _ in rule.table)


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


# ── The program ────────────────────────────────────────────────────────────────────────────────────────────────────


def report(options: argparse.Namespace, source: Source, catalog: Catalog) -> Report:
    """Everything that was asked for."""
    indexes = Indexes(catalog)
    what = options.what or WHAT
    changes: list[Change] = []
    if "lines" in what:
        changes += lines(source, indexes, dict(options.base), Version(options.since))
    if "pairs" in what:
        changes += pairs(source, indexes)
    if "stated" in what:
        changes += stated(source, indexes)
    old = ages(source, options.today) if "ages" in what else []
    if options.older_than is not None:
        old = [item for item in old if item[0] > options.older_than]
        changes += [
            Change("old", rule.id, (rule.date,), f"{days} days: {rule.package}, {rule.evidence}") for days, rule in old
        ]
    known = _known(options.known)
    return Report([change for change in dict.fromkeys(changes) if change.key not in known], old, indexes.failed)


def _known(path: Path | None) -> set[tuple[str, str, tuple[str, ...]]]:
    if path is None:
        return set()
    data = json.loads(path.read_text(encoding="utf-8"))
    return {(item["kind"], item["subject"], tuple(item["versions"])) for item in data["changes"]}


def as_json(found: Report) -> str:
    """For machines, and for --known."""
    data = {
        "changes": [change._asdict() for change in found.changes],
        "ages": [{"id": rule.id, "date": rule.date, "days": days, "source": rule.source} for days, rule in found.ages],
        "failed": list(found.failed),
    }
    return json.dumps(data, indent=2, ensure_ascii=False)


def as_text(found: Report) -> str:
    """For people."""
    rows = [f"{change.kind:13} {change.subject}: {change.what}" for change in found.changes]
    if not any(change.kind == "old" for change in found.changes) and found.ages:
        rows += ["", f"the oldest of {len(found.ages)} rules:"] if rows else [f"the oldest of {len(found.ages)} rules:"]
        rows += [f"{days:6} days  {rule.date}  {rule.id}" for days, rule in found.ages[:MOST_SHOWN]]
    rows += [f"no answer: {text}" for text in found.failed]
    return "\n".join(rows) or "nothing changed"


def _base(text: str) -> tuple[str, str]:
    family, equals, url = text.partition("=")
    return (family, url) if equals and "/" not in family else ("", text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="data/refresh.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", metavar="lines|pairs|stated|ages|FILE.toml", help="default: everything")
    parser.add_argument(
        "--base", action="append", default=[], type=_base, metavar="[FAMILY=]URL", help="in place of a family's base"
    )
    parser.add_argument("--index", metavar="URL", help="the default index; else pip's configuration, else PyPI")
    parser.add_argument("--older-than", type=int, metavar="DAYS", help="report rules whose source is older than that")
    parser.add_argument(
        "--since", default="2.0", metavar="VERSION", help="older releases of a family are left alone (default: 2.0)"
    )
    parser.add_argument("--known", type=Path, metavar="FILE", help="a former report: what it has is nothing new")
    parser.add_argument("--today", type=dt.date.fromisoformat, default=dt.datetime.now(dt.UTC).date(), metavar="DAY")
    parser.add_argument("--retries", type=int, metavar="N")
    parser.add_argument("--no-cache", action="store_true", default=None)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    return parser


def _no_fetch(url: str) -> str:
    raise InputError("cannot be fetched", where=url)


def _opened(options: argparse.Namespace, environ: Mapping[str, str]) -> Catalog:
    said = Settings(
        layer="command line",
        index_url=IndexSetting(options.index, default=True, origin="--index") if options.index else None,
        extra_indexes=() if options.index else None,
        find_links=(),
        closed=("extra_indexes", "find_links") if options.index else ("find_links",),
        retries=options.retries,
        no_cache=options.no_cache,
    )
    settings = merged([said, *pip_layers(environ, context=Context(Path.cwd(), environ, _no_fetch))])
    return _catalog(settings, LockOptions(HERE, HERE, settings, environ, refresh=True), None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, print, and the exit code."""
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    files = [Path(word) for word in options.what if word not in WHAT]
    options.what = [word for word in options.what if word in WHAT]
    if odd := [str(path) for path in files if path.suffix != ".toml"]:
        parser.error(f"{odd[0]} is neither a rule file nor one of {', '.join(WHAT)}")
    source, mistakes = read_files(files or sorted((HERE / "matrix").glob("*.toml")))
    if mistakes:
        print(*mistakes, sep="\n", file=sys.stderr)
        return 2
    try:
        found = report(options, source, _opened(options, os.environ))
    except MlpinError as error:
        print(error, file=sys.stderr)
        return 2
    print(as_json(found) if options.format == "json" else as_text(found))
    return 2 if found.failed else int(bool(found.changes))


if __name__ == "__main__":
    sys.exit(main())
