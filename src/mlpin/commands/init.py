"""`mlpin init`: a first table for mlpin in a project, from what is on this machine."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlpin.commands.machine_options import target_name, this_machine
from mlpin.commands.streams import complain, say
from mlpin.errors import InputError

DESCRIPTION = (
    "Adds a target for this machine to pyproject.toml, or writes mlpin.toml where there is none. What is there already "
    "is left as it is."
)
_PASTE = "`mlpin host` prints a table for this machine, ready to be pasted"


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("path", nargs="?", default=".", metavar="DIRECTORY")
    parser.add_argument("--name", default="host", metavar="NAME", help="what the target is to be called")
    parser.add_argument("--dry-run", action="store_true", help="print the table, write nothing")


def run(options: argparse.Namespace) -> int:
    """Write the table, and the exit code."""
    from mlpin.report.wrap import wrapped

    name = target_name(options.name)
    folder = Path(options.path)
    if not folder.is_dir():
        raise InputError(
            "this is no directory" if folder.exists() else "there is no such directory", where=options.path
        )
    pyproject, own = _File.read(folder / "pyproject.toml"), _File.read(folder / "mlpin.toml")
    for file in (own, pyproject):
        if file and "targets" in file.own:
            inside = "" if file is pyproject else ", without `tool.mlpin.` here"
            raise InputError("there are targets already", where=str(file.path), hint=_PASTE + inside)
    into = own or pyproject or _File(folder / "mlpin.toml", "", {})
    found, values = this_machine()
    notes = [*found.notes]
    wanted = next((file.requires_python for file in (own, pyproject) if file and file.requires_python), "")
    if not _allowed(wanted, values["python"]):
        notes.append(f"this is Python {values.pop('python')}, the project wants {wanted}: the target leaves it open")
    table, text = into.with_target(name, values)
    for note in notes:
        complain("\n".join(wrapped(note, "note: ", "  ")) + "\n")
    if options.dry_run:
        say(table)
        return 0
    _write(into.path, text)
    say(f"added the target `{name}` to {into.path}\n")
    return 0


class _File(NamedTuple):
    """A TOML file that may hold settings of mlpin's: its text to the byte, and what that says."""

    path: Path
    text: str
    tables: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> _File | None:
        """The file at `path`; None where there is none. Raises `InputError` where it is broken."""
        try:
            text = path.read_bytes().decode()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise InputError("this is a directory, where a file was expected", where=str(path)) from None
        except UnicodeDecodeError:
            raise InputError("is not text in UTF-8", where=str(path)) from None
        return cls(path, text, _parsed(text, path))

    @property
    def keys(self) -> tuple[str, ...]:
        """Where mlpin's settings stand in it."""
        return ("tool", "mlpin") if self.path.name == "pyproject.toml" else ()

    @property
    def own(self) -> Mapping[str, Any]:
        """Mlpin's settings. Raises `InputError` where they are no table."""
        found = self.tables
        for position, key in enumerate(self.keys, 1):
            found = found.get(key, {})
            if not isinstance(found, dict):
                raise InputError(
                    f"`{'.'.join(self.keys[:position])}` is not a table, so that no target can be added to it",
                    where=str(self.path),
                    hint="make it a table, `[tool.mlpin]`",
                )
        return found

    @property
    def requires_python(self) -> str:
        """The range of Python versions of the project; empty where the file has none."""
        project = self.tables.get("project", {}) if self.keys else self.tables
        found = project.get("requires-python", "") if isinstance(project, dict) else ""
        return found if isinstance(found, str) else ""

    def with_target(self, name: str, values: Mapping[str, object]) -> tuple[str, str]:
        """A table for a target, and the text with it at the end. Raises `InputError` where it cannot stand there."""
        import tomli_w

        added: Mapping[str, Any] = {"targets": {name: values}}
        for key in reversed(self.keys):
            added = {key: added}
        table = tomli_w.dumps(added)
        gap = "" if not self.text.strip("\ufeff\r\n\t ") else "\n" if self.text.endswith("\n") else "\n\n"
        end = "\r\n" if "\r\n" in self.text else "\n"
        text = self.text + (gap + table).replace("\n", end)
        try:
            _parsed(text, self.path)
        except InputError:
            inline = ".".join(self.keys[: 1 + ("mlpin" in self.tables["tool"])])
            raise InputError(
                f"`{inline}` is written inline, so that no table can be appended to it",
                where=str(self.path),
                hint=f"write it as a table, `[{inline}]`; {_PASTE}",
            ) from None
        return table, text


def _allowed(requires_python: str, python: str) -> bool:
    """Whether the project allows a Python; a range that cannot be read is for `mlpin lock` to complain of."""
    from mlpin.project import allows

    try:
        return allows(requires_python, python)
    except (InputError, ValueError):
        return True


def _parsed(text: str, path: Path) -> Mapping[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not TOML: {error}", where=str(path)) from None


def _write(path: Path, text: str) -> None:
    from mlpin.lock.file import write

    try:
        write([(path.absolute(), text)])
    except InputError as error:
        error.where, error.hint = str(path), "`mlpin init --dry-run` prints the table, to be pasted by hand"
        raise
