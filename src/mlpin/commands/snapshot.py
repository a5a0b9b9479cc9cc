"""`mlpin snapshot`: what an environment and its host are, to compare many machines with a lock."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mlpin.commands.environments import active
from mlpin.commands.streams import complain, put

DESCRIPTION = (
    "Writes what an environment and its host are as JSON: packages with versions, builds and a digest of their files; "
    "Python, glibc, CPU, driver and GPUs. No secrets, no paths, no user names, no environment variables, no time. "
    "`mlpin check --fleet DIR` compares the snapshots of many machines with a lock and with one another."
)


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "--env",
        metavar="PATH",
        help="a virtual environment, a conda prefix or its Python; else the active one or .venv",
    )
    parser.add_argument("--name", metavar="NAME", help="what the node is called; else its host name")
    parser.add_argument("-o", "--output", metavar="FILE", help="else standard output")
    parser.add_argument("-q", "--quiet", action="store_true", help="leave the notes out")


def run(options: argparse.Namespace) -> int:
    """Take the snapshot; 0 whatever there is, as long as an environment that was named is one."""
    from mlpin import machine, snapshot
    from mlpin.report.wrap import wrapped
    from mlpin.stack import distributions

    root = Path.cwd()
    path = root / options.env if options.env is not None else active(os.environ, root)
    notes = []
    environment = None
    if path is None:
        notes.append(
            "no environment is active and there is no .venv here: the snapshot has the host alone; --env names one"
        )
    else:
        environment = distributions.read(path, options.env or str(path))
        notes += [f"left out: {one.text}: {one.reason}" for one in environment.skipped]
    # What conda is told to take the machine for is no fact of the machine.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("CONDA_OVERRIDE_")}
    found = machine.detect(environ)
    text = snapshot.as_json(snapshot.taken(options.name if options.name is not None else _host(), found, environment))
    put(text, options.output)
    if not options.quiet:
        for note in (*notes, *found.notes):
            complain("\n".join(wrapped(note, "note: ", "  ")) + "\n")
    return 0


def _host() -> str:
    import socket

    return socket.gethostname()
