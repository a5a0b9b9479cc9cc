"""`mlpin explain`: why it cannot be solved and what mends it, or why it came out as it did."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlpin.commands import project_options
from mlpin.commands.lock import exit_code
from mlpin.commands.streams import complain, put, say
from mlpin.errors import UsageError
from mlpin.explain.model import Explanation

if TYPE_CHECKING:
    from mlpin.explaining import Repairable
    from mlpin.opening import RunOptions
    from mlpin.pipeline import LockResult

DESCRIPTION = (
    "Without a name: the fewest of your lines that clash, the reason, and repairs that were solved. "
    "PATH is a directory or a manifest, as for `mlpin lock`; nothing is written without --apply. "
    "With requirements in place of PATH (`mlpin explain 'vllm==0.6.3' 'torch==2.6.0'`): the same for these alone. "
    "With a NAME: who asks for that package, why it has its version, and why no newer one."
)
FORMATS = ("text", "json", "markdown", "sarif", "html")


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("words", nargs="*", metavar="PATH | NAME | REQUIREMENT")
    group = parser.add_argument_group("explanation")
    group.add_argument("--apply", type=int, metavar="N", help="write repair N into the manifest, and lock")
    group.add_argument("--all", action="store_true", help="look for further clashes, in every target")
    group.add_argument("--why-not", metavar="REQUIREMENT", help="what holds it back, like `numpy>=2`; what would move")
    group.add_argument("--format", choices=FORMATS, default="text", help="a NAME and --why-not: text or json")
    group.add_argument("-o", "--output", metavar="FILE", help="write it there, not to standard output")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress")
    project_options.options(parser)


class _Asked(NamedTuple):
    """What the words ask for: a project, and of it a package; or requirements in its place."""

    where: str = "."
    name: str = ""
    lines: tuple[str, ...] = ()


def run(options: argparse.Namespace) -> int:
    """Explain, and the exit code."""
    from mlpin.explaining import explained
    from mlpin.pipeline import lock

    words = _words(options.words)
    about = words.name or options.why_not
    if options.why_not == "":
        raise UsageError("--why-not needs a requirement, like `numpy>=2`")
    if about and (options.format not in {"text", "json"} or options.apply is not None or options.all):
        raise UsageError("a NAME and --why-not go with --format text or json, and with no --apply and --all")
    asked = project_options.run_options(options, words.where, dry=True)._replace(lines=words.lines)
    quiet = options.quiet or (options.format != "text" and not options.output)
    with project_options.progress(silent=quiet) as progress:
        result = lock(asked, progress.event if progress else None, progress.decided if progress else None)
        if about and (options.why_not or not result.failed):
            text, code = _about(words.name, options, result, asked, progress.trying if progress else None)
            put(text, options.output)
            return code
        found = explained(result, asked, every=options.all, tell=progress.trying if progress else None)
    explanations = [one.explained.explanation for one in found]
    if options.apply is not None:
        if words.lines:
            raise UsageError("--apply writes into a manifest, and these lines stand in none")
        return _apply(found, options, words.where)
    if not found:
        explanations = [
            Explanation(target.plan.target, "solvable", notes=[f"{name}: {said}" for name, said in target.notes])
            for target in result.targets
        ]
    command = "" if words.lines else project_options.apply_first(options, words.where)
    put(_rendered(explanations, options.format, command, result), options.output)
    return exit_code([one for one in explanations if one.status != "solvable"])


def _words(words: Sequence[str]) -> _Asked:
    """What the words ask for. Raises `UsageError`."""
    lines = [word for word in words if re.search(r"[<>=!~@;\[]", word) and not Path(word).exists()]
    if lines:
        if file := next((word for word in words if Path(word).is_file()), ""):
            raise UsageError(f"`{file}` is a file, `{lines[0]}` a requirement: one or the other is explained")
        return _Asked(lines=tuple(words))
    paths = [word for word in words if Path(word).exists() or "/" in word or os.sep in word or word == "."]
    names = [word for word in words if word not in paths]
    if len(paths) > 1 or len(names) > 1:
        raise UsageError(
            f"`{(names or paths)[1]}` is one word too many",
            hint="requirements have a version: mlpin explain 'vllm==0.6.3' 'torch==2.6.0'",
        )
    name = names[0] if names else ""
    if name and not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        raise UsageError(f"`{name}` is neither a file nor the name of a package")
    if name.endswith((".txt", ".toml", ".in", ".yml", ".yaml", ".cfg", ".py")):
        raise UsageError(f"there is no file `{name}`")
    return _Asked(paths[0] if paths else ".", name)


def _about(
    name: str, options: argparse.Namespace, result: LockResult, asked: RunOptions, tell: Callable[[str], None] | None
) -> tuple[str, int]:
    """What is said of one package or one wish, and the exit code."""
    from mlpin import explaining
    from mlpin.report import why

    as_json = options.format == "json"
    if options.why_not:
        wish = explaining.why_not(result, asked, options.why_not, tell)
        said = _json(why.why_not_data(wish)) if as_json else why.why_not_text(wish)
        return said, {"conflict": 1, "gave-up": 4}.get(wish.status, 0)
    found = explaining.why(result, asked, name)
    return _json(why.why_data(found)) if as_json else why.why_text(found), 0


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _apply(found: Sequence[Repairable], options: argparse.Namespace, where: str) -> int:
    """Write a repair and lock; where that fails, what was written is taken back."""
    from mlpin.commands.lock import shown
    from mlpin.explaining import apply, with_changes
    from mlpin.lock.file import write_bytes
    from mlpin.pipeline import lock

    if not found:
        raise UsageError("--apply: there is no conflict to repair", hint="`mlpin lock` makes the lock")
    before = apply(found[0], options.apply)
    done = False
    try:
        # Read again: the command line may name a file that was just edited.
        asked = with_changes(project_options.run_options(options, where), found[0], options.apply)
        with project_options.progress(silent=options.quiet) as progress:
            result = lock(asked, progress.event if progress else None, progress.decided if progress else None)
        done = not result.failed
    finally:
        if not done:
            write_bytes(before)
    if not done:
        complain("with this repair the project still has no lock; nothing was written\n")
        return 1
    for edit in found[0].explained.explanation.repairs[options.apply - 1].edits:
        say(
            f"{edit.place}  {edit.old} -> {edit.new}\n"
            if edit.file
            else f"locked with {edit.new}: give it from now on\n"
        )
    return shown(result, [], argparse.Namespace(format="text", quiet=options.quiet, verbose=False), asked.root)


def _rendered(found: Sequence[Explanation], form: str, command: str, result: LockResult) -> str:
    if form == "json":
        from mlpin.report import explained_data

        return explained_data.explained(found)
    if form == "markdown":
        from mlpin.report import explained_markdown

        return explained_markdown.explained(found)
    if form == "sarif":
        from mlpin.report import explained_sarif

        return explained_sarif.explained(found, manifest=result.project.manifest.path.name)
    if form == "html":
        from mlpin.report import explained_html

        return explained_html.explained(found)
    from mlpin.report import explained

    return explained.several(found, command)
