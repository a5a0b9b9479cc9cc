"""`mlpin explain`: why it cannot be solved and what mends it, or why it came out as it did."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.commands import project_options
from mlpin.commands.lock import exit_code
from mlpin.commands.streams import complain, say
from mlpin.errors import UsageError
from mlpin.explain.model import Explanation

if TYPE_CHECKING:
    from mlpin.explaining import Repairable
    from mlpin.opening import RunOptions
    from mlpin.pipeline import LockResult

DESCRIPTION = (
    "Without a name: the fewest of your lines that clash, the reason, and repairs that were solved. "
    "PATH is a directory or a manifest, as for `mlpin lock`; nothing is written without --apply. "
    "With requirements in place of PATH (`mlpin explain 'vllm==0.6.3' 'torch==2.6.0'`): the same for these lines alone."
)
FORMATS = ("text", "json", "markdown", "sarif", "html")


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("words", nargs="*", metavar="PATH | REQUIREMENT")
    group = parser.add_argument_group("explanation")
    group.add_argument("--apply", type=int, metavar="N", help="write repair N into the manifest, and lock")
    group.add_argument("--all", action="store_true", help="look for further clashes too")
    group.add_argument("--format", choices=FORMATS, default="text")
    group.add_argument("-o", "--output", metavar="FILE", help="write it there, not to standard output")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress")
    project_options.options(parser)


def run(options: argparse.Namespace) -> int:
    """Explain, and the exit code."""
    from mlpin.explaining import explained
    from mlpin.pipeline import lock

    where, lines = _words(options.words)
    asked = project_options.run_options(options, where, dry=True)._replace(lines=lines)
    quiet = options.quiet or (options.format != "text" and not options.output)
    with project_options.progress(silent=quiet) as progress:
        result = lock(asked, progress.event if progress else None, progress.decided if progress else None)
        found = explained(result, asked, every=options.all, tell=progress.trying if progress else None)
    explanations = [one.explained.explanation for one in found]
    if options.apply is not None:
        if lines:
            raise UsageError("--apply writes into a manifest, and these lines stand in none")
        return _apply(found, options, asked)
    if not found:
        explanations = [Explanation(target.plan.target, "solvable") for target in result.targets]
    path = f" {where}" if options.words and not lines else ""
    command = "" if lines else f"mlpin explain{path} --apply 1"
    _put(_rendered(explanations, options.format, command, result), options.output)
    return exit_code([one for one in explanations if one.status != "solvable"])


def _words(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The path of the project, or the requirements to ask about in its place. Raises `UsageError`."""
    lines = [word for word in words if re.search(r"[<>=!~@;\[]", word) and not Path(word).exists()]
    if lines:
        return ".", tuple(words)
    if len(words) > 1:
        raise UsageError(
            f"`{words[1]}` is one path too many",
            hint="requirements have a version: mlpin explain 'vllm==0.6.3' 'torch==2.6.0'",
        )
    return (words[0] if words else "."), ()


def _apply(found: Sequence[Repairable], options: argparse.Namespace, asked: RunOptions) -> int:
    """Write a repair and lock; where that fails, what was written is taken back."""
    from mlpin.commands.lock import shown
    from mlpin.explaining import applied
    from mlpin.lock.file import write_bytes
    from mlpin.pipeline import lock

    if not found:
        raise UsageError("--apply: there is no conflict to repair", hint="`mlpin lock` makes the lock")
    changed, before = applied(found[0], options.apply, asked)
    done = False
    try:
        with project_options.progress(silent=options.quiet) as progress:
            result = lock(changed, progress.event if progress else None, progress.decided if progress else None)
        done = not result.failed
    finally:
        if not done:
            write_bytes(before)
    if not done:
        complain("the repair does not do any more: the indexes have changed; nothing was written\n")
        return 1
    for edit in found[0].explained.explanation.repairs[options.apply - 1].edits:
        say(
            f"{edit.place}  {edit.old} -> {edit.new}\n"
            if edit.file
            else f"locked with {edit.new}: give it from now on\n"
        )
    return shown(result, [], argparse.Namespace(format="text", quiet=False, verbose=False), asked.root)


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


def _put(text: str, output: str | None) -> None:
    if output is None or output == "-":
        say(text)
        return
    from mlpin.lock.file import write_bytes

    write_bytes([(Path(os.path.abspath(output)), text.encode())])
