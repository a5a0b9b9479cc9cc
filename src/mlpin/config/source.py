"""Where values of settings are written: a TOML table, or names with plain text (variables, pip.conf).

Both give the same few types of raw values, or an `InputError` that names file and key; what the values
mean is the work of `options`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest.model import Context
from mlpin.requirement import Origin

Lines = Callable[[Sequence[str | int]], int]
"""The line of a path of keys and positions in a file; 0 where it is not known."""

ENVIRONMENT = "environment"
_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "0"})


def no_lines(path: Sequence[str | int]) -> int:
    """What is known of lines where the parser keeps none."""
    del path
    return 0


class Source(Protocol):
    """One place with raw values by key. Each getter gives None where nothing is said."""

    base: Path
    """Relative paths are relative to it."""
    context: Context
    only_files: bool
    """Lists of constraints name files; otherwise requirements can stand there too."""

    def text(self, key: str) -> str | None: ...
    def flag(self, key: str) -> bool | None: ...
    def number(self, key: str) -> float | None: ...
    def words(self, key: str, *, or_one: bool = False) -> tuple[str, ...] | None: ...
    def error(self, key: str, message: str, *, hint: str | None = None) -> InputError: ...
    def label(self, key: str) -> str:
        """Where a value was set, for messages about it later: a file, a variable."""
        ...

    def origin(self, key: str, position: int, text: str) -> Origin: ...


@contextmanager
def located(source: Source, key: str) -> Iterator[None]:
    """Says file and key on an `InputError` that does not."""
    try:
        yield
    except InputError as error:
        if error.where is not None and not error.where.startswith(source.origin(key, 0, "").file):
            raise
        outer = source.error(key, "")
        if not error.message.startswith(outer.message.rstrip()):
            error.message = f"{outer.message.rstrip()}: {error.message}"
        error.where = error.where or outer.where
        error.args = (error.message,)
        raise


class Table:
    """A table of a TOML file."""

    only_files = False

    def __init__(self, fields: Fields, base: Path, context: Context, lines: Lines = no_lines) -> None:
        self.fields = fields
        self.base = base
        self.context = context
        self.lines = lines

    def table(self, key: str) -> Table:
        """The table at `key`, empty where there is none."""
        return Table(self.fields.table(key), self.base, self.context, self.lines)

    def text(self, key: str) -> str | None:
        """The string at `key`; a date that TOML has read as such is written out again."""
        value = self.fields.data.get(key)
        if value is not None and hasattr(value, "isoformat"):
            return str(value.isoformat())
        return self.fields.string(key)

    def flag(self, key: str) -> bool | None:
        """The boolean at `key`."""
        return self.fields.boolean(key)

    def number(self, key: str) -> float | None:
        """The number at `key`."""
        value = self.fields.data.get(key)
        if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            return value
        raise self.error(key, "must be a number")

    def words(self, key: str, *, or_one: bool = False) -> tuple[str, ...] | None:
        """The list of strings at `key`; with `or_one` a single string too."""
        return self.fields.strings(key, or_one=or_one)

    def error(self, key: str, message: str, *, hint: str | None = None) -> InputError:
        """An `InputError` at `key`; the caller raises it."""
        return self.fields.error(key, message, hint=hint)

    def label(self, key: str) -> str:
        """The file; its keys are few enough to be found."""
        del key
        return self.fields.file

    def origin(self, key: str, position: int, text: str) -> Origin:
        """The origin of an item of the list at `key`."""
        from mlpin.manifest.source_text import redacted

        return Origin("config", self.fields.file, self.lines((*self.fields.path, key, position)), redacted(text))


class Texts:
    """Plain text by name: environment variables, or what is left of pip's files. Empty text says nothing.

    `files` says in which file a key stands, if not in the environment; `names` how a key is spelt there, if
    not as here; `commas` are the keys whose lists are divided by commas instead of blanks.
    """

    only_files = True

    def __init__(
        self,
        values: Mapping[str, str],
        base: Path,
        context: Context,
        *,
        files: Mapping[str, str] | None = None,
        names: Mapping[str, str] | None = None,
        commas: frozenset[str] = frozenset(),
    ) -> None:
        self.values = values
        self.base = base
        self.context = context
        self.in_files = files or {}
        self.names = names or {}
        self.commas = commas

    def text(self, key: str) -> str | None:
        """The text at `key` without blanks around it."""
        return self.values.get(key, "").strip() or None

    def flag(self, key: str) -> bool | None:
        """The boolean at `key`, in the words that pip and uv know."""
        value = self.text(key)
        if value is None:
            return None
        if value.lower() in _TRUE:
            return True
        if value.lower() in _FALSE:
            return False
        raise self.error(key, f"must be true or false, not `{value}`")

    def number(self, key: str) -> float | None:
        """The number at `key`."""
        value = self.text(key)
        try:
            return None if value is None else float(value)
        except ValueError:
            raise self.error(key, f"must be a number, not `{value}`") from None

    def words(self, key: str, *, or_one: bool = False) -> tuple[str, ...] | None:
        """The words at `key`."""
        del or_one
        value = self.text(key)
        if value is None:
            return None
        words = value.split(",") if key in self.commas else value.split()
        return tuple(word.strip() for word in words if word.strip())

    def _file(self, key: str) -> str:
        return self.in_files.get(key, ENVIRONMENT)

    def error(self, key: str, message: str, *, hint: str | None = None) -> InputError:
        """An `InputError` at `key`; the caller raises it."""
        return InputError(f"`{self.names.get(key, key)}` {message}", where=self._file(key), hint=hint)

    def label(self, key: str) -> str:
        """The file and key, or the variable."""
        name = self.names.get(key, key)
        return f"{self.in_files[key]} ({name})" if key in self.in_files else name

    def origin(self, key: str, position: int, text: str) -> Origin:
        """The origin of a word at `key`."""
        from mlpin.manifest.source_text import redacted

        del position
        return Origin("config", self._file(key), 0, redacted(text))
