"""A TOML file as values together with the lines that they stand on.

`tomllib` gives values and no positions, so a second, forgiving pass over text that is known to be
valid notes where each key and each item of a list begins. It never reads a value.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest import pep508
from mlpin.manifest.model import Context
from mlpin.manifest.source_text import redacted, text_of
from mlpin.requirement import Declared, Origin

Step = str | int

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*(?:([A-Za-z0-9_-]+)|("(?:\\.|[^"\\\n])*")|'([^'\n]*)')[ \t]*""")
_VALUE = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|[^\[\]{},#\n"\'][^,\]}#\n]*', re.DOTALL
)
_AT = re.compile(r" \((?:at line (\d+), column (\d+)|at end of document)\)$")
_MESSAGE_KEY = re.compile(r"`([^`]+)`")


class _Lines:
    """The line of each key and item, by path."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self.found: dict[tuple[Step, ...], int] = {}
        self.arrays: dict[tuple[Step, ...], int] = {}
        try:
            self._document()
        except (IndexError, RecursionError, ValueError):
            return  # positions are a courtesy: without them messages name the file alone

    def _note(self, path: tuple[Step, ...], at: int) -> None:
        line = bisect_right(self.starts, at)
        for length in range(1, len(path) + 1):
            self.found.setdefault(path[:length], line)

    def _document(self) -> None:
        text, at = self.text, 0
        table: tuple[Step, ...] = ()
        while True:
            at = self._blank(at)
            if at >= len(text):
                return
            if text[at] == "[":
                double = text.startswith("[[", at)
                path, at = self._key(at + 1 + double)
                table = self._table(path, double)
                self._note(table, at)
                at += 1 + double
            else:
                at = self._pair(table, at)

    def _table(self, path: tuple[Step, ...], double: bool) -> tuple[Step, ...]:
        """The path of a header, with the positions in arrays of tables that it passes through."""
        full: tuple[Step, ...] = ()
        for position, step in enumerate(path):
            full = (*full, step)
            if double and position == len(path) - 1:
                self.arrays[full] = self.arrays.get(full, -1) + 1
            if full in self.arrays:
                full = (*full, self.arrays[full])
        return full

    def _blank(self, at: int) -> int:
        found = _BLANK.match(self.text, at)
        return found.end() if found else at

    def _key(self, at: int) -> tuple[tuple[Step, ...], int]:
        path: tuple[Step, ...] = ()
        while True:
            found = _KEY.match(self.text, at)
            if found is None:
                raise ValueError
            bare, basic, literal = found.groups()
            if basic is not None:
                bare = tomllib.loads(f"k = {basic}")["k"] if "\\" in basic else basic[1:-1]
            path, at = (*path, bare if bare is not None else literal), found.end()
            if self.text[at] != ".":
                return path, at
            at += 1

    def _pair(self, table: tuple[Step, ...], at: int) -> int:
        start = at
        path, at = self._key(at)
        self._note((*table, *path), start)
        return self._value((*table, *path), self._blank(at + 1))

    def _value(self, path: tuple[Step, ...], at: int) -> int:
        if self.text[at] == "[":
            at, item = self._blank(at + 1), 0
            while self.text[at] != "]":
                self._note((*path, item), at)
                at, item = self._blank(self._value((*path, item), at)), item + 1
                if self.text[at] == ",":
                    at = self._blank(at + 1)
            return at + 1
        if self.text[at] == "{":
            at = self._blank(at + 1)
            while self.text[at] != "}":
                at = self._blank(self._pair(path, at))
                if self.text[at] == ",":
                    at = self._blank(at + 1)
            return at + 1
        found = _VALUE.match(self.text, at)
        if found is None:
            raise ValueError
        return found.end()


class TomlFile:
    """A parsed TOML text. `shown` is its name in messages; its first line is line `first`."""

    __slots__ = ("_lines", "data", "first", "path", "shown")

    def __init__(self, text: str, path: Path, shown: str, *, first: int = 1) -> None:
        self.path = path
        self.shown = shown
        self.first = first
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise self._not_toml(str(error), text) from None
        except RecursionError:
            raise InputError("is not valid TOML: it is nested too deeply", where=shown) from None
        self._lines = _Lines(text)

    @classmethod
    def read(cls, path: Path, context: Context) -> TomlFile:
        """The file at `path`; `InputError` where it cannot be read or is not TOML."""
        return cls(text_of(path, context), path, context.shown(path))

    def _not_toml(self, message: str, text: str) -> InputError:
        found = _AT.search(message)
        line, column = text.rstrip("\n").count("\n") + 1, ""
        reason = message
        if found:
            reason = message[: found.start()]
            if found[1]:
                line, column = int(found[1]), f" (column {found[2]})"
        reason = reason[:1].lower() + reason[1:]
        return InputError(f"is not valid TOML: {reason}{column}", where=f"{self.shown}:{line + self.first - 1}")

    @property
    def fields(self) -> Fields:
        """The root table."""
        return Fields(self.data, self.shown)

    def line(self, path: Sequence[Step]) -> int:
        """The line where `path` stands, or what encloses it; 0 where none is known."""
        for length in range(len(path), 0, -1):
            line = self._lines.found.get(tuple(path[:length]))
            if line is not None:
                return line + self.first - 1
        return 0

    def origin(self, path: Sequence[Step], text: str = "") -> Origin:
        """The origin of what stands at `path`."""
        return Origin("manifest", self.shown, self.line(path), redacted(text))

    def error(self, path: Sequence[Step], message: str, *, hint: str | None = None) -> InputError:
        """An `InputError` at the line of `path`; the caller raises it."""
        return InputError(message, where=self.origin(path).place, hint=hint)

    @contextmanager
    def located(self) -> Iterator[None]:
        """Adds the line to an `InputError` of `Fields`, which knows the path of keys only."""
        try:
            yield
        except InputError as error:
            key = _MESSAGE_KEY.match(error.message)
            if error.where == self.shown and key:
                found = re.findall(r"\[(\d+)\]|([^.\[\]]+)", key[1])
                steps: list[Step] = [int(position) if position else name for position, name in found]
                error.where = self.origin(steps).place
            raise

    def requirements(
        self, fields: Fields, key: str, steps: Sequence[Step], bases: Sequence[Path]
    ) -> tuple[Declared, ...]:
        """The list of requirements at `key` of `fields`, which stands at `steps`."""
        return tuple(
            pep508.declared(text, self.origin((*steps, position), text), bases=bases)
            for position, text in enumerate(fields.strings(key) or ())
        )
