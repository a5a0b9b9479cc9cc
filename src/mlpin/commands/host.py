"""`mlpin host`: this machine as a target."""

from __future__ import annotations

import argparse

from mlpin.commands.machine_options import target_name, this_machine
from mlpin.commands.streams import complain, say

DESCRIPTION = (
    "Shows this machine as a table for [tool.mlpin.targets]: Python, platform, glibc, NVIDIA driver, GPUs. Imports no "
    "framework. Where something cannot be found out, a note on standard error says why."
)


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--name", default="host", metavar="NAME", help="what the target is to be called")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("-q", "--quiet", action="store_true", help="leave the notes out")


def run(options: argparse.Namespace) -> int:
    """Show the machine; 0 whatever there is."""
    from mlpin import machine
    from mlpin.report.wrap import wrapped

    name = target_name(options.name)
    found, table = this_machine()
    if options.format == "json":
        say(machine.as_json(found))
        return 0
    say(machine.as_toml(table, name))
    if not options.quiet:
        for note in found.notes:
            complain("\n".join(wrapped(note, "note: ", "  ")) + "\n")
    return 0
