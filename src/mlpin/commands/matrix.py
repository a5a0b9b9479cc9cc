"""`mlpin matrix`: what the compatibility matrix knows, with its sources."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.commands.streams import say
from mlpin.errors import InputError

if TYPE_CHECKING:
    from mlpin.matrix.matrix import Matrix
    from mlpin.matrix.rule import Rule

DESCRIPTION = (
    "list: every rule, a line each. show NAME: a rule by its id, or all that is known of a package, with sources. "
    "stats: how much is known, and how old it is. validate [FILE …]: every mistake in rule files."
)


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("what", choices=("list", "show", "stats", "validate"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="ids or packages to show; files to validate")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(options: argparse.Namespace) -> int:
    """Show, and the exit code."""
    root = Path.cwd()
    if options.what == "validate":
        return _validate(options, root)
    from mlpin.hardware import matrix
    from mlpin.manifest.model import Context
    from mlpin.project import own_settings

    settings = own_settings(root, Context(root, os.environ, _no_fetch))
    found = matrix(settings, lambda path: os.path.relpath(path, root))
    rules = [rule for package in found.packages for rule in found.rules(package)]
    if options.what == "stats":
        return _stats(found, rules, options)
    if options.what == "show":
        rules = _named(found, rules, options.names)
    elif options.names:
        rules = [rule for rule in rules if {rule.package, rule.other, rule.id} & set(options.names)]
    if options.format == "json":
        import json

        say(json.dumps([_data(rule) for rule in rules], indent=2, ensure_ascii=False) + "\n")
        return 0
    from mlpin.report import matrix as report

    say("".join(report.rule(rule) if options.what == "show" else report.line(rule) for rule in rules))
    return 0


def _no_fetch(url: str) -> str:
    raise InputError("cannot be fetched", where=url)


def _data(rule: Rule) -> dict[str, object]:
    return {key: value for key, value in rule._asdict().items() if value not in ("", (), False)}


def _named(found: Matrix, rules: list[Rule], names: list[str]) -> list[Rule]:
    """The rules of these ids, or about these packages. Raises `InputError` on a name that none has."""
    from mlpin.errors import UsageError

    if not names:
        raise UsageError(
            "show takes the id of a rule, or the name of a package", hint="`mlpin matrix list` has the ids"
        )
    shown: list[Rule] = []
    for name in names:
        some = [rule for rule in rules if name in (rule.id, rule.package, rule.other)]
        if not some:
            from difflib import get_close_matches

            known = {rule.id for rule in rules} | set(found.packages) | found.others
            near = ", ".join(get_close_matches(name, sorted(known), 3))
            raise InputError(
                f"the matrix knows nothing of `{name}`", hint=f"did you mean {near}?" if near else "`mlpin matrix list`"
            )
        shown += [rule for rule in some if rule not in shown]
    return shown


def _stats(found: Matrix, rules: list[Rule], options: argparse.Namespace) -> int:
    severities = Counter(rule.severity for rule in rules)
    evidence = Counter(rule.evidence for rule in rules)
    years = Counter(rule.date[:4] for rule in rules)
    wheels = [files for name in (*found.packages, *found.others) for files in found.wheels(name)]
    value = {
        "version": found.version,
        "digest": found.digest,
        "rules": len({rule.id for rule in rules}),
        "packages": len(found.packages),
        "severity": dict(severities),
        "evidence": dict(evidence),
        "sources_of": dict(sorted(years.items())),
        "oldest": min((rule.date for rule in rules), default=""),
        "gpus": len(found.gpus),
        "build_lines": len(found.tables.lines),
        "release_files": sum(len(one.files) for one in dict.fromkeys(wheels)),
        "switched_off": found.off,
    }
    if options.format == "json":
        import json

        say(json.dumps(value, indent=2) + "\n")
        return 0
    from mlpin.report import matrix as report

    say(report.stats(value))
    return 0


def _validate(options: argparse.Namespace, root: Path) -> int:
    from mlpin.manifest.model import Context
    from mlpin.matrix.read import read_files
    from mlpin.project import own_settings

    files = [Path(os.path.abspath(root / name)) for name in options.names]
    if not files:
        settings = own_settings(root, Context(root, os.environ, _no_fetch))
        files = [Path(name) for name in settings.matrix or ()]
    if not files:
        raise InputError(
            "there is no rule file here", hint='name files, or list them: [tool.mlpin] matrix = ["ours.toml"]'
        )
    found, mistakes = read_files(files, lambda path: os.path.relpath(path, root))
    if options.format == "json":
        import json

        value = [{"file": one.file, "line": one.line, "message": one.what} for one in mistakes]
        say(json.dumps({"ok": not mistakes, "rules": len(found.rules), "mistakes": value}, indent=2) + "\n")
    elif mistakes:
        say("".join(f"{mistake}\n" for mistake in mistakes))
    else:
        say(f"{len({rule.id for rule in found.rules})} rules, no mistake\n")
    return 2 if mistakes else 0
