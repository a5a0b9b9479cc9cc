"""`mlpin matrix`: what the compatibility matrix knows, with its sources."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpin.commands.streams import say
from mlpin.errors import InputError, UsageError

if TYPE_CHECKING:
    from mlpin.matrix.matrix import Matrix
    from mlpin.matrix.rule import Rule

DESCRIPTION = """\
list [NAME …]      a line for each rule, with the age of its source
show NAME …        a rule by its id, or all that is known of a package
stats              how much is known, and how old it is
validate [FILE …]  every mistake in rule files, else in those that
                   [tool.mlpin] matrix = ["ours.toml"] lists
"""


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=("list", "show", "stats", "validate"))
    parser.add_argument("names", nargs="*", metavar="NAME", default=[], help="ids, packages; files to validate")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(options: argparse.Namespace) -> int:
    """Show, and the exit code."""
    root = Path.cwd()
    if options.what == "validate":
        return _validate(options, root)
    if options.what == "stats" and options.names:
        raise UsageError("stats takes no name", hint=f"`mlpin matrix show {options.names[0]}`")
    if options.what == "show" and not options.names:
        raise UsageError(
            "show takes the id of a rule, or the name of a package", hint="`mlpin matrix list` has the ids"
        )
    from mlpin.hardware import matrix
    from mlpin.manifest.model import Context
    from mlpin.project import own_settings

    settings = own_settings(root, Context(root, os.environ, _no_fetch))
    found = matrix(settings, lambda path: os.path.relpath(path, root))
    rules = [rule for package in found.packages for rule in found.all_rules(package)]
    if options.what == "stats":
        return _stats(found, [rule for rule in rules if rule.id not in found.off], options)
    shown = _named(found, rules, options.names) if options.names else rules
    names = dict.fromkeys(map(_normalised, options.names)) if options.what == "show" else {}
    files = [some for name in names if (some := found.wheels(name))]
    metadata = [supplied for name in names if (supplied := found.metadata(name))]
    if not shown and not files and not metadata:
        raise InputError(f"no rule is about `{options.names[0]}`", hint=f"`mlpin matrix show {options.names[0]}`")
    if options.format == "json":
        value = [_data("rule", rule) | _off(found, rule) for rule in shown]
        value += [_data("wheels", one) for some in files for one in some]
        value += [_data("metadata", one) for supplied in metadata for one in supplied]
        return _say_json(value)
    import datetime as dt

    from mlpin.report import matrix as report

    today = dt.datetime.now(dt.UTC).date()
    if options.what == "list":
        say("".join(report.line(rule, today, off=rule.id in found.off) for rule in shown))
        return 0
    say(
        "".join(report.rule(rule, today, found.off.get(rule.id)) for rule in shown)
        + "".join(report.files(some, today) for some in files)
        + "".join(report.metadata(supplied, today) for supplied in metadata)
    )
    return 0


def _normalised(name: str) -> str:
    from mlpin.requirement import normalise

    return normalise(name)


def _no_fetch(url: str) -> str:
    raise InputError("cannot be fetched", where=url)


def _say_json(value: object) -> int:
    import json

    say(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    return 0


def _data(kind: str, entry: Any) -> dict[str, Any]:
    return {"kind": kind} | {key: value for key, value in entry._asdict().items() if value not in ("", (), False)}


def _off(found: Matrix, rule: Rule) -> dict[str, Any]:
    return {"off": found.off[rule.id]} if rule.id in found.off else {}


def _named(found: Matrix, rules: list[Rule], names: list[str]) -> list[Rule]:
    """The rules of these ids, or about these packages. Raises `InputError` on a name that nothing is known of."""
    shown: dict[Rule, None] = {}
    for name in names:
        plain = _normalised(name)
        some = [rule for rule in rules if rule.id == name.lower() or plain in (rule.package, rule.other)]
        if not some and not found.wheels(plain) and not found.metadata(plain):
            from difflib import get_close_matches

            known = {text for rule in rules for text in (rule.id, rule.package, rule.other)} | set(found.listed)
            near = ", ".join(get_close_matches(name.lower(), sorted(known), 3))
            raise InputError(
                f"the matrix knows nothing of `{name}`", hint=f"did you mean {near}?" if near else "`mlpin matrix list`"
            )
        shown |= dict.fromkeys(some)
    return list(shown)


def _stats(found: Matrix, rules: list[Rule], options: argparse.Namespace) -> int:
    from mlpin.matrix.rule import EVIDENCE, SEVERITIES

    # A rule with several other sides is one.
    rules = list({rule.id: rule for rule in rules}.values())
    severities = Counter(rule.severity for rule in rules)
    evidence = Counter(rule.evidence for rule in rules)
    years = Counter(rule.date[:4] for rule in rules)
    value = {
        "version": found.version,
        "digest": found.digest,
        "rules": len(rules),
        "packages": len({rule.package for rule in rules}),
        "severity": {name: severities[name] for name in SEVERITIES},
        "evidence": {name: evidence[name] for name in EVIDENCE},
        "sources_of": dict(sorted(years.items())),
        "oldest": min((rule.date for rule in rules), default=""),
        "gpus": len(found.gpus),
        "build_lines": len(found.tables.lines),
        "release_files": sum(len(one.files) for name in found.listed for one in found.wheels(name)),
        "switched_off": found.off,
    }
    if options.format == "json":
        return _say_json(value)
    import datetime as dt

    from mlpin.report import matrix as report

    say(report.stats(value, dt.datetime.now(dt.UTC).date()))
    return 0


def _validate(options: argparse.Namespace, root: Path) -> int:
    from mlpin.manifest.model import Context
    from mlpin.matrix.read import read_files
    from mlpin.project import own_settings

    given = {Path(os.path.abspath(root / name)): name for name in reversed(options.names)}
    files = list(given)[::-1]
    if not files:
        settings = own_settings(root, Context(root, os.environ, _no_fetch))
        files = [Path(name) for name in settings.matrix or ()]
    if not files:
        raise InputError(
            "there is no rule file here", hint='name files, or list them: [tool.mlpin] matrix = ["ours.toml"]'
        )
    found, mistakes = read_files(files, lambda path: given.get(path) or os.path.relpath(path, root))
    count = len({rule.id for rule in found.rules})
    if options.format == "json":
        value = [{"file": one.file, "line": one.line, "message": one.what} for one in mistakes]
        _say_json({"ok": not mistakes, "rules": count, "mistakes": value})
    elif mistakes:
        say("".join(f"{mistake}\n" for mistake in mistakes))
    else:
        others = sum(map(len, found)) - len(found.rules)
        rest = f" and {others} other statement{'s' * (others != 1)}" if others else ""
        say(f"{count} rule{'s' * (count != 1)}{rest}, no mistake\n")
    return 2 if mistakes else 0
