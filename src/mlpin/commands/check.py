"""`mlpin check`: the CI step that fails where something is not as the lock has it."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.commands import project_options
from mlpin.commands.streams import put
from mlpin.errors import InputError, UsageError

if TYPE_CHECKING:
    from mlpin.check.model import Checked
    from mlpin.checking import Wanted
    from mlpin.machine import Machine
    from mlpin.opening import RunOptions

DESCRIPTION = (
    "Fails where something is not as the lock has it. What is always compared needs no network, and the passing of "
    "time alone turns nothing red. PATH is a directory or a manifest, as for `mlpin lock`, or a lock alone. Exit code "
    "0: no drift; 1: drift; 2: wrong usage, or a file that cannot be read; 3: an index cannot be reached."
)
ALWAYS = (
    "Lock and manifest: does what was locked still satisfy every line, for every target? The lock itself: is it what "
    "mlpin wrote, else a valid one (PEP 751) with a hash for each file, a closed graph, markers and tags for its "
    "target? Lock and matrix: is something locked known to be broken by now? That is a warning."
)
FORMATS = {
    "text": "checked",
    "json": "checked_data",
    "github": "checked_github",
    "sarif": "checked_sarif",
    "markdown": "checked_markdown",
    "junit": "checked_junit",
    "prometheus": "checked_prometheus",
}


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("path", nargs="?", default=".", metavar="PATH")
    parser.add_argument_group("what is always compared", ALWAYS)
    group = parser.add_argument_group("what else is compared with the lock")
    group.add_argument(
        "--env",
        nargs="?",
        const=True,
        metavar="PATH",
        help="what is installed in an environment (its directory or its Python; without PATH the active one, else "
        ".venv), by its metadata: missing, extra, other versions and builds, changed files",
    )
    group.add_argument("--deep", action="store_true", help="with --env: read every installed file, however large")
    group.add_argument(
        "--host",
        action="store_true",
        help="this machine, as `mlpin host` sees it: driver, GPUs, glibc, Python, platform",
    )
    group.add_argument(
        "--index", action="store_true", help="the indexes that it was locked from: files gone, yanked, of another hash"
    )
    group.add_argument("--outdated", action="store_true", help="the same, and list what could be newer; fails nothing")
    group.add_argument(
        "--image",
        metavar="FILE|DIR",
        help="the base image of a Dockerfile (FILE#STAGE: of that stage), or an unpacked root file system: Python, "
        "glibc, CUDA, cuDNN, drivers, processor",
    )
    group.add_argument(
        "--fleet",
        metavar="DIR",
        help="the machines whose snapshots (`mlpin snapshot`) are in DIR, also with one another",
    )
    group = parser.add_argument_group("how")
    group.add_argument("--lock", metavar="PATH", help="where the locks are, if `mlpin lock -o` put them elsewhere")
    group.add_argument("--strict", action="store_true", help="fail on warnings too")
    project_options.options(parser, resolving=False)
    group = parser.add_argument_group("output")
    group.add_argument("--format", choices=tuple(FORMATS), default="text")
    group.add_argument("-o", "--output", metavar="FILE", help="write it there, not to standard output")
    group.add_argument("-q", "--quiet", action="store_true", help="print what fails alone")
    group.add_argument("-v", "--verbose", action="store_true", help="print all of it, however much")


def run(options: argparse.Namespace) -> int:
    """Check, and the exit code."""
    from mlpin.checking import check

    output = Path(os.path.abspath(options.lock)) if options.lock else None
    asked = project_options.run_options(options, options.path, output=output, dry=True)
    if options.deep and options.env is None:
        raise UsageError("--deep says how an environment is looked at", hint="give --env as well")
    wanted = _wanted(options, asked.root)
    silent = options.quiet or options.format != "text" or not wanted.indexes
    with project_options.progress(silent=silent) as progress:
        found = check(asked, wanted, progress.event if progress else None)._replace(command=_lock_command(options))
    if options.output:
        _spare(Path(os.path.abspath(options.output)), asked)
    put(_rendered(found, options), options.output)
    return 0 if found.ok else 1


def _wanted(options: argparse.Namespace, root: Path) -> Wanted:
    from mlpin.checking import Wanted

    for name in ("env", "image", "fleet"):
        if getattr(options, name) == "":
            raise UsageError(f"--{name} is empty", hint="a variable that is not set?")
    env = _environment(options.env, root)
    return Wanted(
        env=env,
        env_shown=os.path.relpath(env, root) if env and options.env is True else options.env or "",
        machine=_machine if options.host else None,
        pythons=_pythons() if options.host else (),
        indexes=options.index or options.outdated,
        outdated=options.outdated,
        image=options.image or "",
        fleet=Path(os.path.abspath(options.fleet)) if options.fleet else None,
        strict=options.strict,
        deep=options.deep,
    )


def _lock_command(options: argparse.Namespace) -> str:
    """The command that makes the locks that are checked."""
    from mlpin.checking import is_lock

    path = "" if options.path == "." or is_lock(Path(options.path)) else f" {shlex.quote(options.path)}"
    target = f" --target {shlex.quote(options.target)}" if options.target else ""
    return f"mlpin lock{path}{target}" + (f" -o {shlex.quote(options.lock)}" if options.lock else "")


def _environment(said: str | bool | None, root: Path) -> Path | None:
    """The environment that --env names, the active one where it names none; None where there is no --env."""
    if said is None:
        return None
    if isinstance(said, str):
        return root / said
    from mlpin.commands.environments import active

    found = active(os.environ, root)
    if found is None:
        raise InputError("no environment is active, and there is no .venv here", where="--env", hint="give its path")
    return found


def _machine() -> Machine:
    from mlpin.commands.machine_options import this_machine

    return this_machine()[0]


def _pythons() -> set[str]:
    """The minor versions of the Pythons on the PATH, by their names, and of the one that runs this."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}"}
    for folder in os.get_exec_path():
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        found |= {name[6:].removesuffix(".exe") for name in names if re.fullmatch(r"python3\.\d+(\.exe)?", name)}
    return found


def _rendered(found: Checked, options: argparse.Namespace) -> str:
    if options.format == "text":
        from mlpin.report import checked

        return checked.text(found, quiet=options.quiet, verbose=options.verbose)
    render: Callable[[Checked], str] = import_module(f"mlpin.report.{FORMATS[options.format]}").text
    return render(found)


def _spare(output: Path, asked: RunOptions) -> None:
    """Raises `UsageError` where the report would replace a lock or a manifest: for `mlpin lock`, -o is the lock."""
    from mlpin.checking import is_lock
    from mlpin.manifest import NAMES

    if is_lock(output) or output == asked.path or output.name in NAMES:
        raise UsageError(
            f"-o {output.name} is where the report would be written",
            hint="--lock says where the lock is; give -o another file",
        )
