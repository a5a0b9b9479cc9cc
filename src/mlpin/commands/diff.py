"""`mlpin diff`: what differs between two locks, and what that means."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.commands.streams import put
from mlpin.errors import UsageError

if TYPE_CHECKING:
    from mlpin.report.diffed import Compared

DESCRIPTION = (
    "Says which packages two locks have differently, and what it means: CUDA line, cuDNN, driver and glibc floor, "
    "GPUs, Python, download size. OLD and NEW are each a lock, a directory with locks, the name of a target that is "
    "locked here, or a git revision (`main`, `HEAD~3`, `main:envs/pylock.toml`), tried in this order. Without NEW: a "
    "revision against the working tree, `main:PATH` against PATH there, or HEAD against that lock; without both: HEAD "
    "against the working tree. "
    "Exit code 1 where a file kept its name while its hash changed; other differences are no failure."
)


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("old", nargs="?", metavar="OLD", help="what was before; HEAD where it is left out")
    parser.add_argument("new", nargs="?", metavar="NEW", help="what is now; the working tree where it is left out")
    parser.add_argument("--target", metavar="NAME", help="only the locks of this target")
    group = parser.add_argument_group("output")
    group.add_argument("--format", choices=("text", "markdown", "json"), default="text")
    group.add_argument("-o", "--output", metavar="FILE", help="write it there, not to standard output")
    group.add_argument("-q", "--quiet", action="store_true", help="print alarms only (text)")


def run(options: argparse.Namespace) -> int:
    """Compare, and the exit code."""
    from mlpin.hardware import files_target
    from mlpin.lock.difference import difference
    from mlpin.matrix.matrix import Matrix
    from mlpin.report.diffed import Compared
    from mlpin.revisions import pairs

    if options.output == "":
        raise UsageError("-o needs a file")
    root = Path.cwd()
    found = pairs(options.old, options.new, root, os.environ, options.target)
    rules = Matrix.shipped()
    compared = []
    for shown, old, new in found:
        differs = None
        if old is not None and new is not None:
            targets = files_target(old.stated, rules), files_target(new.stated, rules)
            differs = difference(old, targets[0], new, targets[1], rules)
        compared.append(Compared(shown, old, new, differs))
    _spare(options.output, [lock.path for pair in found for lock in pair[1:] if lock])
    put(_rendered(compared, options), options.output)
    return 1 if any(one.alarms for one in compared) else 0


def _rendered(found: list[Compared], options: argparse.Namespace) -> str:
    if options.format == "json":
        from mlpin.report import diffed_data

        return diffed_data.data(found)
    if options.format == "markdown":
        from mlpin.report import diffed_markdown

        return diffed_markdown.markdown(found)
    from mlpin.report import diffed

    return diffed.text(found, quiet=options.quiet)


def _spare(output: str | None, locks: list[Path]) -> None:
    if output and Path(os.path.abspath(output)).resolve() in {lock.resolve() for lock in locks}:
        raise UsageError(f"-o {output} is one of the locks that are compared", hint="give another file")
