"""Asks the indexes what has changed since the matrix was written; changes nothing.

lines     releases and build labels in the indexes of the families that no
          [[line]], [[default]] or [[abi]] knows
toolkits  releases of CUDA that no [[toolkit]] knows
pairs     releases beyond the last row of a rule that pairs a package with one
          of a family (torchvision with torch)
unread    rules that speak of the release that was newest on their date, on
          either side, and of none since
files     releases newer than [[wheels]] and [[metadata]], and metadata that is
          needless by now
stated    rules that the metadata of the newest release has made needless
ages      every rule with its age, oldest first
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from packaging.version import InvalidVersion, Version
from recheck import KINDS, TOOLKIT, Change, Indexes, ages, files, lines, pairs, stated, toolkits, unread

from mlpin.commands.streams import complain, say
from mlpin.errors import InputError, MlpinError
from mlpin.index.catalog import Catalog
from mlpin.manifest.model import Context
from mlpin.matrix.read import Source, read_files
from mlpin.matrix.rule import Rule
from mlpin.opening import RunOptions, open_catalog
from mlpin.report.text import error
from mlpin.report.wrap import wrapped
from mlpin.requirement import normalise
from mlpin.settings import IndexSetting, Settings, merged
from mlpin.settings_files import pip_layers

HERE = Path(__file__).parent
WHAT = ("lines", "toolkits", "pairs", "unread", "files", "stated", "ages")
MOST_SHOWN = 10
"""Rules whose age is shown where nobody asked for old ones."""
ENDING = """\
Asked is the default index that pip is configured with, and those of the
families. --known takes a full report (--format json) that was looked through.

exit codes: 0 nothing changed, 1 something to look at, 2 wrong usage or a file
that cannot be read, 3 an index did not answer (what the others said is shown)
"""


class Report(NamedTuple):
    """What came out."""

    changes: Sequence[Change]
    ages: Sequence[tuple[int, Rule]]
    failed: Mapping[str, str]
    """What was asked of an index that did not answer, with the reason."""
    asked: bool
    """Whether anything but ages was looked at."""


def report(options: argparse.Namespace, source: Source, catalog: Catalog) -> Report:
    """Everything that was asked for."""
    indexes = Indexes(catalog)
    what = options.what or WHAT
    since = options.since
    checks: dict[str, Callable[[], Iterable[Change]]] = {
        "lines": lambda: lines(source, indexes, dict(options.base), since),
        "toolkits": lambda: toolkits(source, indexes),
        "pairs": lambda: pairs(source, indexes),
        "unread": lambda: unread(source, indexes),
        "files": lambda: files(source, indexes),
        "stated": lambda: stated(source, indexes),
    }
    asked = [check for name, check in checks.items() if name in what]
    changes = [change for check in asked for change in check()]
    old = ages(source, options.today) if "ages" in what or options.older_than is not None else []
    if options.older_than is not None:
        old = [item for item in old if item[0] > options.older_than]
        changes += [
            Change("old", rule.id, (rule.date,), f"{days} days: {rule.package}, {rule.evidence}") for days, rule in old
        ]
    known = _known(options.known)
    new = [change for change in dict.fromkeys(changes) if change.key not in known]
    return Report(new, old, indexes.failed, bool(asked))


def _known(path: Path | None) -> set[tuple[str, str, tuple[str, ...]]]:
    if path is None:
        return set()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {(item["kind"], item["subject"], tuple(item["versions"])) for item in data["changes"]}
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, KeyError, TypeError):
        raise InputError("is no report of this program (--format json)", where=str(path)) from None


def limited(source: Source, names: Sequence[str]) -> Source:
    """What matrix files say of some packages. Raises `InputError` on a name that they do not have."""
    if not names:
        return source
    wanted = {normalise(name) for name in names}
    theirs = {family.name for family in source.families if wanted & {*family.packages}}
    rules = tuple(rule for rule in source.rules if wanted & {rule.package, rule.other, rule.id})
    wheels = tuple(item for item in source.wheels if item.package in wanted)
    metadata = tuple(item for item in source.metadata if item.package in wanted)
    found = {name for rule in rules for name in (rule.package, rule.other, rule.id)} | {TOOLKIT}
    found |= {item.package for item in wheels} | {item.package for item in metadata}
    found |= {name for family in source.families for name in family.packages}
    if unknown := sorted(wanted - found):
        raise InputError(f"the matrix knows nothing of `{unknown[0]}`", hint="`mlpin matrix list` has what it knows")
    return source._replace(
        rules=rules,
        wheels=wheels,
        metadata=metadata,
        lines=tuple(line for line in source.lines if line.family in theirs),
        toolkits=source.toolkits if TOOLKIT in wanted else (),
    )


def as_json(found: Report) -> str:
    """For machines, and for --known."""
    data = {
        "changes": [change._asdict() for change in found.changes],
        "ages": [{"id": rule.id, "date": rule.date, "days": days, "source": rule.source} for days, rule in found.ages],
        "failed": [f"{what}: {reason}" for what, reason in found.failed.items()],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def as_text(found: Report) -> str:
    """For people."""
    rows: list[str] = []
    for change in found.changes:
        rows += wrapped(f"{change.subject}: {change.what}", f"{change.kind:13} ", " " * 14)
    for reason in dict.fromkeys(found.failed.values()):
        what = [name for name, other in found.failed.items() if other == reason]
        more = f", and {len(what) - 1} more" if len(what) > 1 else ""
        rows += wrapped(f"{what[0]}{more}: {reason}", "no answer: ", " " * 14)
    if found.asked and not rows:
        rows = ["nothing changed"]
    if found.ages and not any(change.kind == "old" for change in found.changes):
        rows += [*[""] * bool(rows), f"the oldest of {len(found.ages)} rules:"]
        rows += [f"{days:6} days  {rule.date}  {rule.id}" for days, rule in found.ages[:MOST_SHOWN]]
    return "\n".join(rows or ["nothing changed"]) + "\n"


def _base(text: str) -> tuple[str, str]:
    family, equals, url = text.partition("=")
    return (family, url) if equals and "/" not in family else ("", text)


def _release(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        raise argparse.ArgumentTypeError(f"`{text}` is no version") from None


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"`{text}` is no day like 2026-11-21") from None


def _parser() -> argparse.ArgumentParser:
    kinds = "".join(f"{kind:13}  {words}\n" for kind, words in KINDS.items())
    parser = argparse.ArgumentParser(
        prog="data/refresh.py",
        description=__doc__,
        epilog=f"what is told:\n{kinds}\n{ENDING}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "what", nargs="*", metavar="CHECK|FILE.toml", help="of the above, and rule files; default: everything"
    )
    parser.add_argument(
        "-p", "--package", action="append", default=[], metavar="NAME",
        help="only what is about this package, or the rule of this id; more than once for several",
    )  # fmt: skip
    parser.add_argument(
        "--base", action="append", default=[], type=_base, metavar="[FAMILY=]URL", help="in place of a family's base"
    )
    parser.add_argument("--index", metavar="URL", help="the default index; else pip's configuration, else PyPI")
    parser.add_argument("--older-than", type=int, metavar="DAYS", help="tell rules whose source is older than that")
    parser.add_argument(
        "--since", default="2.0", type=_release, metavar="VERSION",
        help="older releases of a family are left alone (default: 2.0)",
    )  # fmt: skip
    parser.add_argument("--known", type=Path, metavar="FILE", help="a former report: what it has is nothing new")
    parser.add_argument(
        "--today", type=_day, default=dt.datetime.now(dt.UTC).date(), metavar="DAY", help="ages are of this day"
    )
    parser.add_argument("--retries", type=int, metavar="N", help="how often an index is asked again (default: 3)")
    parser.add_argument("--no-cache", action="store_true", default=None, help="keep nothing that was fetched")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    return parser


def _no_fetch(url: str) -> str:
    raise InputError("cannot be fetched", where=url)


def _opened(options: argparse.Namespace, environ: Mapping[str, str]) -> Catalog:
    said = Settings(
        layer="command line",
        index_url=IndexSetting(options.index, default=True, origin="--index") if options.index else None,
        extra_indexes=(),
        find_links=(),
        closed=("extra_indexes", "find_links"),  # what one machine has beside the index says nothing of the index
        retries=options.retries,
        no_cache=options.no_cache,
    )
    settings = merged([said, *pip_layers(environ, context=Context(Path.cwd(), environ, _no_fetch))])
    return open_catalog(settings, RunOptions(HERE, HERE, settings, environ, refresh=True), None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, print, and the exit code."""
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    given = [Path(word) for word in options.what if word not in WHAT]
    options.what = [word for word in options.what if word in WHAT]
    if odd := [str(path) for path in given if path.suffix != ".toml"]:
        parser.error(f"{odd[0]} is neither a rule file nor one of {', '.join(WHAT)}")
    source, mistakes = read_files(given or sorted((HERE / "matrix").glob("*.toml")))
    try:
        if mistakes:
            raise InputError("rules that cannot be used", notes=tuple(map(str, mistakes)))
        found = report(options, limited(source, options.package), _opened(options, os.environ))
        say(as_json(found) if options.format == "json" else as_text(found))
    except MlpinError as problem:
        complain(error(problem))
        return 2
    except KeyboardInterrupt:
        return 130
    return 3 if found.failed else int(bool(found.changes))


if __name__ == "__main__":
    sys.exit(main())
