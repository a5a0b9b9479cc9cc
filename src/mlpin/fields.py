"""Typed access to what a TOML, JSON or YAML parser returned, with the path of keys kept for messages.

Parsers hand out `dict`s of anything; the inside of mlpin sees only frozen values. `Fields` is the
step between: each getter returns the type that it names or raises `InputError` that says which key of
which file holds what instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlpin.errors import InputError

_NAMES = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
    type(None): "nothing",
}


def _name_of(value: object) -> str:
    return next((name for kind, name in _NAMES.items() if type(value) is kind), type(value).__name__)


class Fields:
    """One table of a parsed file; `file` and `path` say where it stands."""

    __slots__ = ("data", "file", "path")

    def __init__(self, data: Mapping[str, Any], file: str, path: tuple[str, ...] = ()) -> None:
        self.data = data
        self.file = file
        self.path = path

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def where(self, key: str | None = None) -> str:
        """The dotted path of a key, as the file spells it."""
        return ".".join((*self.path, key) if key is not None else self.path)

    def error(self, key: str | None, message: str, *, hint: str | None = None) -> InputError:
        """An `InputError` at `key`; the caller raises it."""
        return InputError(f"`{self.where(key)}` {message}", where=self.file, hint=hint)

    def _wrong(self, key: str, wanted: str) -> InputError:
        return self.error(key, f"must be {wanted}, not {_name_of(self.data[key])}")

    def string(self, key: str) -> str | None:
        """The string at `key`, or None where there is none."""
        value = self.data.get(key)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(key, "a string")

    def boolean(self, key: str) -> bool | None:
        """The boolean at `key`, or None where there is none."""
        value = self.data.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(key, "true or false")

    def strings(self, key: str, *, or_one: bool = False) -> tuple[str, ...] | None:
        """The list of strings at `key`; with `or_one` a single string stands for a list of one."""
        value = self.data.get(key)
        if value is None:
            return None
        if or_one and isinstance(value, str):
            return (value,)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise self._wrong(key, "a string or a list of strings" if or_one else "a list of strings")

    def items(self, key: str) -> list[Any]:
        """The list at `key`, its items unchecked; empty where there is none."""
        value = self.data.get(key)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        raise self._wrong(key, "a list")

    def table(self, key: str) -> Fields:
        """The table at `key`; an empty one where there is none."""
        value = self.data.get(key)
        if value is None:
            value = {}
        if isinstance(value, dict):
            return Fields(value, self.file, (*self.path, key))
        raise self._wrong(key, "a table")

    def tables(self, key: str) -> list[Fields]:
        """The array of tables at `key`; empty where there is none."""
        found = []
        for position, item in enumerate(self.items(key)):
            if not isinstance(item, dict):
                raise self.error(key, f"must be a list of tables, but item {position + 1} is {_name_of(item)}")
            found.append(Fields(item, self.file, (*self.path, f"{key}[{position}]")))
        return found

    def known(self, *keys: str) -> None:
        """Raise on a key that is none of `keys`, naming the nearest one."""
        for key in self.data:
            if key not in keys:
                from difflib import get_close_matches

                near = get_close_matches(key, keys, 1)
                raise self.error(
                    key,
                    "is not a key that mlpin knows",
                    hint=f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(sorted(keys))}",
                )
