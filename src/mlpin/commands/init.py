"""`mlpin init`: a first table for mlpin in a project, from what is on this machine."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from mlpin.commands.streams import complain, say
from mlpin.errors import InputError, UsageError

DESCRIPTION = (
    "Adds a target for this machine to pyproject.toml, or writes mlpin.toml where there is none. What is there already "
    "is left as it is."
)


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("path", nargs="?", default=".", metavar="DIRECTORY")
    parser.add_argument("--name", default="host", metavar="NAME", help="what the target is to be called")
    parser.add_argument("--dry-run", action="store_true", help="print the table, write nothing")


def run(options: argparse.Namespace) -> int:
    """Write the table, and the exit code."""
    from mlpin import machine
    from mlpin.lock.file import write
    from mlpin.report.wrap import wrapped

    if not re.fullmatch(r"[a-z0-9_-]+", options.name):
        raise UsageError(f"`{options.name}` cannot be a target: small letters, digits, `-` and `_` only")
    folder = Path(options.path)
    if not folder.is_dir():
        raise InputError("this is no directory", where=options.path)
    found = machine.detect(os.environ)
    for note in found.notes:
        complain("\n".join(wrapped(note, "note: ", "  ")) + "\n")
    pyproject, own = folder / "pyproject.toml", folder / "mlpin.toml"
    into = pyproject if pyproject.is_file() and not own.is_file() else own
    table = _table(machine.as_target(found), options.name, inside=into == pyproject)
    if options.dry_run:
        say(table)
        return 0
    before = _before(into)
    if before.strip():
        before = before.rstrip("\n") + "\n\n"
    write([(into.absolute(), before + table)])
    say(f"added the target `{options.name}` to {into}\n")
    return 0


def _table(values: dict[str, object], name: str, *, inside: bool) -> str:
    import tomli_w

    tables: dict[str, object] = {"targets": {name: values}}
    return tomli_w.dumps({"tool": {"mlpin": tables}} if inside else tables)


def _before(path: Path) -> str:
    """The text of the file as it is. Raises `InputError` where it has targets already, or is broken."""
    import tomllib

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise InputError("is not text in UTF-8", where=str(path)) from None
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not TOML: {error}", where=str(path)) from None
    own = tables
    for key in ("tool", "mlpin") if path.name == "pyproject.toml" else ():
        inner = own.get(key)
        own = inner if isinstance(inner, dict) else {}
    if "targets" in own:
        raise InputError(
            "there are targets already",
            where=str(path),
            hint="`mlpin host` prints a table for this machine, ready to be pasted",
        )
    return text
