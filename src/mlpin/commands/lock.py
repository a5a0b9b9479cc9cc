"""`mlpin lock`: resolve the project, write its locks."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.commands import project_options
from mlpin.commands.streams import complain, say
from mlpin.errors import UsageError

if TYPE_CHECKING:
    from mlpin.explain.model import Explanation
    from mlpin.pipeline import LockResult

EXIT_INTERRUPTED = 130
DESCRIPTION = (
    "Reads the project's manifest, resolves every target and writes one pylock.toml for each. "
    "PATH is a directory or a manifest (pyproject.toml, requirements.txt, environment.yml, Pipfile, setup.cfg, "
    "mlpin.toml, a script with inline metadata)."
)


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("path", nargs="?", default=".", metavar="PATH")
    project_options.options(parser)
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", metavar="PATH", help="the lock file, or a directory where there are several")
    group.add_argument("--format", choices=("text", "json"), default="text")
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument("-v", "--verbose", action="store_true", help="print what is fetched, and every package")


def run(options: argparse.Namespace) -> int:
    """Lock, and the exit code."""
    from mlpin.pipeline import lock

    if options.output in {"", "-"}:
        raise UsageError(
            f"-o cannot be `{options.output}`: a lock is a file, beside others for other targets",
            hint="give a file like pylock.toml, or a directory",
        )
    output = Path(os.path.abspath(options.output)) if options.output is not None else None
    asked = project_options.run_options(options, options.path, output=output)
    silent = options.quiet or (options.format == "json" and not options.verbose)
    with project_options.progress(silent=silent, verbose=options.verbose) as progress:
        result = lock(asked, progress.event if progress else None, progress.decided if progress else None)
        explanations: list[Explanation] = []
        if result.failed:
            from mlpin.explaining import explained

            tell = progress.trying if progress else None
            explanations = [one.explained.explanation for one in explained(result, asked, tell=tell)]
    return shown(result, explanations, options, asked.root)


def shown(result: LockResult, explanations: list[Explanation], options: argparse.Namespace, root: Path) -> int:
    """Print the result, and the exit code."""
    from mlpin.project import shown as name

    files = [name(target.plan.lock, root) for target in result.targets]
    if options.format == "json":
        from mlpin.report import data

        say(data.lock(result, files, explanations))
    elif explanations:
        from mlpin.report import explained

        complain(explained.several(explanations, project_options.apply_first(options, options.path)))
        complain("No lock was changed.\n")
    elif not options.quiet:
        from mlpin.report import text

        say(text.summary(result, files, verbose=options.verbose))
    elif any(target.difference and target.difference.alarms for target in result.targets):
        from mlpin.report import text

        complain(text.alarms(result, files))
    return exit_code(explanations)


def exit_code(explanations: list[Explanation]) -> int:
    """1 where something is impossible, 4 where it could not be settled, 130 where it was interrupted."""
    if any(one.interrupted for one in explanations):
        return EXIT_INTERRUPTED
    if any(one.status == "conflict" for one in explanations):
        return 1
    return 4 if explanations else 0
