"""The command line: which command, its errors to exit codes. No exception leaves it."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Container, Sequence
from importlib import import_module
from typing import NoReturn

from mlpin import __version__
from mlpin.commands.streams import STDOUT, complain, open_closed, say
from mlpin.errors import InputError, MlpinError, UsageError

EXIT_INTERRUPTED = 130
EXIT_DEFECT = 70
"""EX_SOFTWARE of sysexits.h: a defect of mlpin itself."""

COMMANDS = {
    "lock": "resolve the project and write its lock (PEP 751)",
    "check": "fail where manifest, matrix, environment, machine, index or image differ from the lock",
    "diff": "what differs between two locks, and what it means",
    "explain": "why it cannot be solved, and repairs that were solved",
    "audit": "judge an exact set that any tool made by the compatibility matrix",
    "export": "a lock as requirements, Dockerfile, SBOM, [tool.uv] tables, constraints",
    "host": "this machine as a target: driver, GPUs, glibc, Python",
    "snapshot": "what an environment and its host are, to compare many machines",
    "init": "a first [tool.mlpin] table from what is on this machine",
    "matrix": "the compatibility matrix: list, show, stats, validate",
    "completion": "a script with which a shell completes commands, options and files",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _unusable(message, self.prog.partition(" ")[2])


def _unusable(message: str, command: str | None) -> UsageError:
    return UsageError(message, hint=f"`{f'mlpin {command}' if command else 'mlpin'} --help` lists the options")


def parser(whole: Container[str]) -> argparse.ArgumentParser:
    """The parser. Only the commands in `whole` have their options in it: the others are not imported."""
    top = _Parser(
        prog="mlpin",
        description="Resolve and lock the dependencies of machine-learning projects for the hardware they will run on.",
        epilog="exit codes: 0 done, 1 conflict, drift or a broken finding, 2 wrong usage or input, 3 index not "
        "reachable, 4 gave up, 130 interrupted",
    )
    top.add_argument("--version", action="version", version=f"mlpin {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name, words in COMMANDS.items():
        if name in whole:
            module = import_module(f"mlpin.commands.{name}")
            module.options(commands.add_parser(name, help=words, description=module.DESCRIPTION))
        else:
            commands.add_parser(name, help=words)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code. No exception leaves it."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        asked = next((word for word in given if not word.startswith("-")), "")
        top = parser({asked})
        options, unknown = top.parse_known_args(given)
        if options.command is None and not unknown:
            say(top.format_help())
            return 2
        if unknown:
            return _failed(_unusable(f"unrecognized arguments: {' '.join(unknown)}", options.command), given)
        return int(import_module(f"mlpin.commands.{options.command}").run(options))
    except MlpinError as problem:
        return _failed(problem, given)
    except KeyboardInterrupt:
        complain("\ninterrupted; no lock was changed\n")
        return EXIT_INTERRUPTED
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    except RecursionError:
        return _failed(InputError("the input is nested too deeply"), given)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        return _failed(InputError(reason, where=str(problem.filename) if problem.filename else None), given)
    except Exception as problem:
        if os.environ.get("MLPIN_DEBUG"):
            raise
        complain(
            f"error: mlpin has a defect: {type(problem).__name__}: {problem}\n"
            "  hint: please report it; MLPIN_DEBUG=1 shows where it happened\n"
        )
        return EXIT_DEFECT


def _failed(problem: MlpinError, given: Sequence[str]) -> int:
    as_json = ("json" in given and "--format" in given) or "--format=json" in given
    if as_json and problem.where != STDOUT:
        from mlpin.report import data

        with contextlib.suppress(InputError):
            say(data.error(problem))
            return problem.exit_code
    from mlpin.report import text

    complain(text.error(problem))
    return problem.exit_code


def run() -> NoReturn:
    """The console script. Leaves at once: worker threads have nothing to finish."""
    # A run makes a great many small values and ends: looking for cycles among them again and again is lost time.
    gc.set_threshold(200_000, 50, 50)
    open_closed()
    code = main()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    if "tempfile" in sys.modules:
        atexit._run_exitfuncs()  # noqa: SLF001 - what a run without a cache keeps of channels goes
    os._exit(code)
