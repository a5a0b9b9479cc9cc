"""TOML, YAML and JSON texts as `Fields`, with the line on which each item of a list of tables stands.

What the parsers say of a broken text becomes an `InputError`; what the tables mean is the readers' business.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlpin.errors import InputError
from mlpin.fields import Fields

_DEPTH = 100
"""No lock nests deeper; recursion in the parsers ends later."""


class Document:
    """A parsed text. `root` is its outermost table."""

    def __init__(self, data: dict[str, Any], shown: str, lines: dict[int, int]) -> None:
        self.root = Fields(data, shown)
        self.shown = shown
        self._lines = lines

    def line(self, value: object) -> int:
        """The line on which a table begins; 0 where it is not known."""
        return self._lines.get(id(value), 0)

    def entries(self, fields: Fields, key: str) -> Iterator[tuple[Fields, int]]:
        """The tables of the list at `key` with their lines, which their errors name too."""
        for table in fields.tables(key):
            line = self.line(table.data)
            yield (Fields(table.data, f"{self.shown}:{line}", table.path) if line else table), line


def toml(text: str, shown: str, key: str) -> Document:
    """A TOML text whose packages stand in the array of tables `key`."""
    import tomllib

    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        if isinstance(error, tomllib.TOMLDecodeError | RecursionError):
            from mlpin.manifest.toml_lines import TomlFile

            TomlFile(text, Path(), shown)  # says it with the line
        raise InputError("is not valid TOML: it holds a number that is too long", where=shown) from None
    found = data.get(key)
    header = f"[[{key}]]"
    numbers = [number for number, line in enumerate(text.split("\n"), 1) if line.strip() == header]
    lines = {}
    if isinstance(found, list) and len(found) == len(numbers):
        lines = {id(table): number for table, number in zip(found, numbers, strict=True)}
    return Document(data, shown, lines)


def json(text: str, shown: str) -> Any:
    """The value that a JSON text states."""
    import json as parser

    try:
        return parser.loads(text)
    except parser.JSONDecodeError as error:
        message = error.msg[:1].lower() + error.msg[1:]
        raise InputError(f"is not valid JSON: {message}", where=f"{shown}:{error.lineno}") from None
    except RecursionError:
        raise InputError("is not valid JSON: it is nested too deeply", where=shown) from None
    except ValueError:
        raise InputError("is not valid JSON: it holds a number that is too long", where=shown) from None


def yaml(text: str, shown: str) -> Document:
    """A YAML text. Every scalar is a string: `1.10` stays what it is, and nothing is empty text.

    Made from events, since libyaml's own trees cost more and end the process where a text is nested deeply.
    """
    import yaml as parser

    loader = getattr(parser, "CBaseLoader", parser.BaseLoader)
    builder = _Builder(shown)
    try:
        for event in parser.parse(text, Loader=loader):
            builder.take(event)
    except parser.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{shown}:{mark.line + 1}" if mark else shown
        raise InputError(f"is not valid YAML: {error.problem or 'it cannot be parsed'}", where=where) from None
    except parser.YAMLError:
        raise InputError("is not valid YAML: it has a character that YAML does not allow", where=shown) from None
    if not isinstance(builder.root, dict):
        raise InputError("must be a mapping of keys to values", where=shown)
    return Document(builder.root, shown, builder.lines)


class _Builder:
    """Values from the events of one YAML text."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.root: Any = None
        self.lines: dict[int, int] = {}
        self._open: list[tuple[dict[Any, Any] | list[Any], str]] = []
        self._keys: list[str | None] = []
        self._anchors: dict[str, Any] = {}
        self._documents = 0

    def _error(self, event: Any, message: str) -> InputError:
        return InputError(f"is not valid YAML: {message}", where=f"{self.shown}:{event.start_mark.line + 1}")

    def take(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "ScalarEvent":
            self._put(event.value, event)
            if event.anchor:
                self._anchors[event.anchor] = event.value
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            value: dict[Any, Any] | list[Any] = {} if kind == "MappingStartEvent" else []
            self._put(value, event)
            self.lines[id(value)] = event.start_mark.line + 1
            if len(self._open) >= _DEPTH:
                raise self._error(event, "it is nested too deeply")
            self._open.append((value, event.anchor or ""))
            self._keys.append(None)
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            value, anchor = self._open.pop()
            self._keys.pop()
            if anchor:
                self._anchors[anchor] = value
        elif kind == "AliasEvent":
            if event.anchor not in self._anchors:
                raise self._error(event, f"`*{event.anchor}` stands for nothing")
            self._put(self._anchors[event.anchor], event)
        elif kind == "DocumentStartEvent":
            self._documents += 1
            if self._documents > 1:
                raise self._error(event, "it has a second document")

    def _put(self, value: Any, event: Any) -> None:
        if not self._open:
            self.root = value
            return
        parent = self._open[-1][0]
        if isinstance(parent, list):
            parent.append(value)
            return
        key = self._keys[-1]
        if key is not None:
            parent[key] = value
            self._keys[-1] = None
        elif isinstance(value, str):
            self._keys[-1] = value
        else:
            raise self._error(event, "a key must be a word")
