"""How one line of a manifest is written anew, keeping its formatting and comments.

Texts are as `source_text.decoded` gives them, their line ends untouched; the format is told by the text
itself. Knows nothing of why something is changed, and opens no file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from mlpin.errors import InputError
from mlpin.manifest import conda_edits, pep508, pip_lines, poetry_versions
from mlpin.manifest.script import _BLOCK
from mlpin.manifest.source_text import _BOMS, _CODING
from mlpin.manifest.toml_lines import Step, _Lines
from mlpin.requirement import Declared, Origin, normalise

_GAP = r"(?:[ \t]|\\\r?\n)*+"
_CLAUSE = rf"[<>=!~]={{0,2}}+{_GAP}[^\s,;()#'\"\\]++"
_CLAUSES = rf"{_CLAUSE}(?:{_GAP},{_GAP}{_CLAUSE})*+"
_HEAD = re.compile(
    rf"[ \t]*+(?P<name>{pep508.NAME})(?:{_GAP}(?P<extras>\[[^\]\n]*\]))?"
    rf"(?P<specifier>(?P<gap>{_GAP})(?:{_CLAUSES}|\({_GAP}{_CLAUSES}{_GAP}\)))?"
    rf"(?={_GAP}(?:[;#]|[^\S \t]|\Z)|[ \t]+-)"
)
_BEGINNING = re.compile(r"(?:^|[:=;])[ \t]*(?=[A-Za-z0-9])")  # `key = a; b` is how setup.cfg may have a list
_PYTHON_REQUIRES = re.compile(rf"(?:python[_-]requires[ \t]*[:=])?[ \t]*(?P<specifier>{_CLAUSES})")
_CONDA_PYTHON = re.compile(r"(?:[^\s:]+::)?python(?![\w.-])\s*(?P<specifier>.*)", re.IGNORECASE)
_LAST_KEY = re.compile(r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')\s*$""")
_POETRY = ("tool", "poetry")
_POETRY_PYTHON = (*_POETRY, "dependencies", "python")
_PIPENV_KEYS = ("python_version", "python_full_version")
_SOURCES = frozenset({"git", "hg", "svn", "bzr", "url", "path", "file"})

Steps = tuple[Step, ...]


class Change(NamedTuple):
    """One edit of a text, and all of the `text` afterwards.

    `old` and `new` are the whole lines that it is about, without indentation; one is empty where lines are
    added or taken away.
    """

    line: int
    old: str
    new: str
    text: str


class _Asked(NamedTuple):
    declared: Declared
    specifier: str
    extras: Sequence[str] | None


class _Splice(NamedTuple):
    start: int
    end: int
    text: str


Editor = Callable[[str, int, int], list[_Splice] | None]
"""Gives the splices for what stands between two places of a text; None where that is something else."""


def respecified(
    text: str, line: int, declared: Declared, specifier: str, *, extras: Sequence[str] | None = None
) -> Change | None:
    """`text` with `specifier` (and `extras`) in place of those of `declared`, which begins on `line`.

    An empty specifier takes the bound away; Poetry's tables take Poetry's language (`^2.1`) too; of a conda package
    it is the new MatchSpec. None where hashes would no longer fit, where the version stands elsewhere (a URL, a path,
    a variable), and where the requirement is not found on the line, or found twice.
    """
    document = _toml(text)
    if declared.hashes or line < 1 or (document is None and declared.source is not None):
        return None
    asked = _Asked(declared, specifier, extras)
    edit = partial(_respelled, asked)
    if document is not None:
        return _in_toml(document, line, asked, edit)
    return _in_yaml(text, line, edit) if _scalars(text) else _in_lines(text, line, edit)


def requires_python(text: str, line: int, specifier: str) -> Change | None:
    """`text` with `specifier` as the range of Python versions that stands on `line`; None where none does."""
    if _meaning(specifier) is None:
        return None
    if (document := _toml(text)) is not None:
        keys = ("requires-python", *_PIPENV_KEYS)
        found = [path for path in document.places.at(line) if path[-1] in keys or path == _POETRY_PYTHON]
        for path in [*found, *((*one, "version") for one in found)]:
            old, new = document.value(path), spelled("", specifier) or "*"
            if not isinstance(old, str):
                continue
            if path[-1] not in _PIPENV_KEYS:
                new = spelled(old, specifier) or "*" * (path[:4] == _POETRY_PYTHON)
            elif bare := re.fullmatch(r"==([0-9.]+[0-9])(\.\*)?", specifier):
                new = bare[1] if bool(bare[2]) == (path[-1] == "python_version") else new
            return document.changed([document.written(path, new)], path)
        return None

    def edit(text: str, start: int, end: int) -> list[_Splice] | None:
        found = (_CONDA_PYTHON if conda else _PYTHON_REQUIRES).fullmatch(text, start, end)
        new = spelled(found["specifier"] if found and not conda else "", specifier)
        new = re.sub(r"^==([0-9.]+)\.\*$", r"=\1", new) if conda else new
        return [_Splice(*found.span("specifier"), new)] if found else None

    conda = bool(_scalars(text))
    return _in_yaml(text, line, edit) if conda else _in_lines(text, line, edit, whole=True)


def spelled(old: str, specifier: str) -> str:
    """`specifier` as the author of the specifier `old` writes: brackets, blanks, Poetry's `^` and `~`."""
    clauses = [re.sub(r"^([<>=!~]+)\s+", r"\1", clause.strip()) for clause in specifier.split(",") if clause.strip()]
    if not all(clause.startswith(("<", ">", "=", "!", "~=")) for clause in clauses):
        return specifier
    clauses.sort(key=lambda clause: (clause.startswith("!"), clause.startswith("<")))
    short = re.match(r"\s*(\^|~(?!=)|(?=v?[0-9]))", old)
    if short and clauses:
        candidate = short[1] + clauses[0].lstrip("<>=!~")
        if _meaning(candidate, _POETRY) == _meaning(specifier):
            return candidate
    if re.search(r"[<>=!~]\s", old):
        clauses = [re.sub(r"^([<>=!~]+)", r"\1 ", clause) for clause in clauses]
    written = (", " if re.search(r",\s", old) else ",").join(clauses)
    return f"({written})" if written and old.lstrip().startswith("(") else written


def field_set(text: str, table: tuple[str, ...], key: str, value: str, old_value: str | None = None) -> Change | None:
    """The TOML `text` with the string `value` at `key` of `table`; a table that is missing comes at the end.

    With `old_value`, the item of the list at `key` that is that string is replaced. None where `text` is no
    TOML, or has no such item.
    """
    document = _toml(text)
    path: Steps = (*table, key)
    if document is None:
        return None
    old = document.value(path)
    if old is None:
        return document.changed([document.added(table, key, f'"{value}"')], path)
    if old_value is not None and isinstance(old, list):
        path = (*path, old.index(old_value) if old_value in old else len(old))
    return document.changed([document.written(path, value)], path) if path in document.places.values else None


def field_dropped(text: str, table: tuple[str, ...], key: str) -> Change | None:
    """The TOML `text` without `key` of `table` and the comment on its line; None where it is not there."""
    document, path = _toml(text), (*table, key)
    if document is None or path not in document.places.values:
        return None
    text, start, (_, end) = document.text, document.places.keys[path], document.places.values[path]
    if any(path[:length] in document.places.values for length in range(1, len(path))):  # in an inline table
        comma = re.compile(r"\s*,\s*").match(text, end)
        start, end = (start, comma.end()) if comma else (len(re.sub(r"\s*,\s*$", "", text[:start])), end)
    else:
        before, after = text[:start].rstrip(" \t"), text[_line_end(text, end) :]
        start = len(before.removesuffix("\n").removesuffix("\r"))
        end = len(text) - len(after if before else after.removeprefix("\r").removeprefix("\n"))
    return document.changed([_Splice(start, end, "")], path)


def encoded(text: str, like: bytes, *, declared_coding: bool = False) -> bytes:
    """`text` in the encoding of `like`, with its byte order mark: what `source_text.decoded` undoes."""
    mark, encoding = next(((mark, name) for mark, name in _BOMS if like.startswith(mark)), (b"", "utf-8"))
    comments = [line for line in like.split(b"\n")[:2] if line.startswith(b"#")] if declared_coding else []
    found = None if mark else next(filter(None, map(_CODING.search, comments)), None)
    return mark + text.encode(found[1].decode("ascii") if found else encoding)


def _respelled(asked: _Asked, text: str, start: int, end: int) -> list[_Splice] | None:
    """The splices for the requirement (PEP 508) that begins at `start`, where it is the one asked for."""
    if asked.declared.conda:
        new = conda_edits.respelled(text[start:end], asked.declared, asked.specifier)
        return [_Splice(start, end, new)] if new is not None else None
    found = _HEAD.match(text, start, end)
    old, meaning = _read(found[0]) if found else None, _meaning(asked.specifier)
    if found is None or old is None or (old.name, old.specifier) != (asked.declared.name, asked.declared.specifier):
        return None
    if asked.declared.extras not in ((), old.extras):  # the readers leave out those of constraints
        return None
    gap, written = found["gap"] or "", (found["specifier"] or "")[len(found["gap"] or "") :]
    new = written if meaning == old.specifier else spelled(written, asked.specifier)
    splices = [_Splice(found.end() - len(gap + written), found.end(), gap + new if new else "")]
    extras = old.extras if asked.extras is None else tuple(sorted(map(normalise, asked.extras)))
    if extras != old.extras:
        name_end, comma = found.end("name"), ", " if ", " in (found["extras"] or "") else ","
        brackets = f"[{comma.join(asked.extras or ())}]" if extras else ""
        splices.insert(0, _Splice(name_end, max(name_end, found.end("extras")), brackets))
    after = _spliced(text, splices)
    now = _read(after[found.start() : found.end() + len(after) - len(text)])
    return splices if now and (now.name, now.extras, now.specifier) == (old.name, extras, meaning) else None


def _read(head: str) -> Declared | None:
    try:
        return pep508.declared(re.sub(r"\\\r?\n", "", head), Origin("manifest"), bases=())
    except InputError:
        return None


def _meaning(text: str, path: Steps = ()) -> str | None:
    """The version constraint as PEP 440 has it; below Poetry's table in Poetry's language. None: it is none."""
    try:
        text = poetry_versions.specifier(text) if path[:2] == _POETRY else text
        return pep508.specifier("" if text.strip() == "*" else text, Origin("manifest"))
    except (InputError, ValueError):
        return None


def _spliced(text: str, splices: Sequence[_Splice]) -> str:
    parts, at = [], 0
    for start, end, new in sorted(splices, key=lambda one: one.start):
        parts += [text[at:start], new]
        at = end
    return "".join((*parts, text[at:]))


def _changed(text: str, splices: Sequence[_Splice], line: int = 1, at: int = 0) -> Change:
    """The change that the splices make; `at` is on the line `line`."""
    after = _spliced(text, splices)
    start, end = min(one.start for one in splices), max(one.end for one in splices)
    added = splices[0].text
    if start == end and "\n" in added:
        blank = added[: len(added) - len(added.lstrip())]
        return Change(line + text.count("\n", at, start) + blank.count("\n"), "", added.strip(), after)
    start += len(text[start:end]) - len(text[start:end].lstrip("\r\n"))
    first, last = text.rfind("\n", 0, start) + 1, _line_end(text, max(start, end - 1))
    now = after[first : max(first, last + len(after) - len(text))]
    return Change(line + text.count("\n", at, start), text[first:last].strip(), now.strip(), after)


def _line_end(text: str, at: int) -> int:
    found = re.compile(r"\r?(?:\n|\Z)").search(text, at)
    return found.start() if found else len(text)


def _in_lines(text: str, line: int, edit: Editor, *, whole: bool = False) -> Change | None:
    """The change in a requirements file or setup.cfg; with `whole`, of a line that is one value."""
    lines = text.splitlines(keepends=True)
    at = sum(map(len, lines[: line - 1]))
    bare = pip_lines.without_comment("".join(lines[line - 1 : line]).rstrip())
    places = [(at, at + len(bare))] if whole else [(at + one.end(), len(text)) for one in _BEGINNING.finditer(bare)]
    found = [splices for place in places if (splices := edit(text, *place))]
    return _changed(text, found[0], line, at) if len(found) == 1 else None


def _scalars(text: str) -> list[tuple[int, int, int, str]]:
    """Line, place and value of each scalar of an environment.yml; none where `text` is something else."""
    if not re.search(r"(?m)^dependencies[ \t]*:", text):
        return []
    import yaml

    found = []
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            start, end = event.start_mark, event.end_mark
            if isinstance(event, yaml.ScalarEvent) and start and end:
                quote = 1 if event.style else 0
                found.append((start.line + 1, start.index + quote, end.index - quote, event.value))
    except yaml.YAMLError:
        return []
    return found


def _in_yaml(text: str, line: int, edit: Editor) -> Change | None:
    found: list[Change] = []
    scalars = _scalars(text)
    values = [value for *_, value in scalars]
    for position, (number, start, end, _) in enumerate(scalars):
        splices = edit(text, start, end) if number == line else None
        if splices:
            change = _changed(text, splices, line, start)
            after = [value for *_, value in _scalars(change.text)]
            if [*values[:position], *after[position : position + 1], *values[position + 1 :]] == after:
                found.append(change)
    return found[0] if len(found) == 1 else None


class _Places(_Lines):
    """Where headers end, keys begin, and values begin and end, by path."""

    def __init__(self, text: str) -> None:
        self.headers: dict[Steps, int] = {}
        self.header: Steps | None = None
        self.keys: dict[Steps, int] = {}
        self.values: dict[Steps, tuple[int, int]] = {}
        super().__init__(text)

    def at(self, line: int) -> list[Steps]:
        """The paths that first stand on `line`."""
        return [path for path, number in self.found.items() if number == line]

    def _table(self, path: Steps, double: bool) -> Steps:
        self.header = super()._table(path, double)
        return self.header

    def _note(self, path: Steps, at: int) -> None:
        if path is self.header:
            self.headers[path] = at
        super()._note(path, at)

    def _pair(self, table: Steps, at: int) -> int:
        self.keys[(*table, *self._key(at)[0])] = at
        return super()._pair(table, at)

    def _value(self, path: Steps, at: int) -> int:
        end = super()._value(path, at)
        self.values[path] = (at, at + len(self.text[at:end].rstrip()))
        return end


class _Toml:
    """The TOML of a file. For that in the `comment`s of a script, `text` has blanks for all that is not of it."""

    def __init__(self, whole: str, text: str, comment: str = "") -> None:
        self.whole = whole
        self.text = text
        self.comment = comment
        self.data = tomllib.loads(text)
        self.places = _Places(text)

    def value(self, path: Steps) -> Any:
        """What stands at `path`; None where nothing does."""
        value: Any = self.data
        for step in path:
            if not (isinstance(value, list) if isinstance(step, int) else isinstance(value, dict) and step in value):
                return None
            value = value[step]
        return value

    def inside(self, path: Steps) -> tuple[int, int]:
        """Where the string at `path` begins and ends, without its quotes."""
        start, end = self.places.values[path]
        quotes = 3 if self.text.startswith(('"""', "'''"), start) else 1
        return start + quotes, end - quotes

    def written(self, path: Steps, value: str) -> _Splice:
        """`value` in place of what stands at `path`, in the same quotes."""
        if isinstance(self.value(path), str):
            return _Splice(*self.inside(path), value)
        return _Splice(*self.places.values[path], f'"{value}"')

    def added(self, table: Steps, key: str, value: str) -> _Splice:
        """A pair after the others of `table`, else below its header, else in a table of its own at the end."""
        places, text, pair = self.places, self.text, f"{key} = {value}"
        end_of_line = "\r\n" if "\r\n" in self.whole else "\n"
        last = max((path for path in places.keys if path[:-1] == table), key=places.keys.__getitem__, default=None)
        begin, end = (places.keys[last], places.values[last][1]) if last else (0, 0)
        if table in places.values:
            return _Splice(end, end, f", {pair}") if last else _Splice(*places.values[table], f"{{ {pair} }}")
        if last:
            line = text.rfind("\n", 0, begin) + 1 + len(self.comment)
            head = _LAST_KEY.sub("", text[line : text.index("=", begin)])
            at = _line_end(text, end)
            return _Splice(at, at, end_of_line + head + pair)
        if table in places.headers:
            at = _line_end(text, places.headers[table])
            return _Splice(at, at, end_of_line + pair)
        if not table:
            return _Splice(0, 0, pair + end_of_line)
        at = _line_end(text, len(text.rstrip()))
        before = end_of_line * (1 if self.comment else 2) if at else ""
        return _Splice(at, at, f"{before}[{'.'.join(map(str, table))}]{end_of_line}{pair}{'' if at else end_of_line}")

    def changed(self, splices: Sequence[_Splice], path: Steps) -> Change | None:
        """The change of the whole text; None where it would be one of anything but what stands at `path`."""
        moved = [one._replace(text=one.text.replace("\n", "\n" + self.comment)) for one in splices]
        change = _changed(self.whole, moved)
        after = _toml(change.text)
        same = after is not None and dict(_leaves(self.data, path)) == dict(_leaves(after.data, path))
        return change if same else None


def _leaves(value: Any, apart: Steps, path: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Every value by its path, without what stands at `apart`."""
    if isinstance(value, dict | list) and path != apart:
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, apart, (*path, step))
    elif path != apart:
        yield path, value


def _toml(text: str) -> _Toml | None:
    """The TOML in `text`, a file or a script; None where it holds none."""
    plain, shown = text.replace("\r\n", "\n"), text
    for block in _BLOCK.finditer(plain):
        if block["type"] == "script":
            first = plain.count("\n", 0, block.start("content"))
            last = first + block["content"].count("\n")
            blank = re.sub(r"[^\r\n]|\r(?!\n)", " ", text).split("\n")
            inside = [re.sub("^# ?", lambda found: " " * len(found[0]), line) for line in text.split("\n")[first:last]]
            shown = "\n".join([*blank[:first], *inside, *blank[last:]])
    try:
        document = _Toml(text, shown, "# " if shown != text else "")
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    return document if {path for path, _ in _leaves(document.data, ("",))} <= document.places.values.keys() else None


def _in_toml(document: _Toml, line: int, asked: _Asked, edit: Editor) -> Change | None:
    found: list[tuple[Steps, list[_Splice]]] = []
    for path in document.places.at(line):
        value, poetry, splices = document.value(path), path[:2] == _POETRY, None
        if isinstance(path[-1], int) and isinstance(value, str) and not poetry:
            splices = edit(document.text, *document.inside(path))
        elif asked.declared.conda and path[-2:] == ("dependencies", asked.declared.name):
            at: Steps = path if isinstance(value, str) else (*path, "version")
            new = conda_edits.pixi_version(document.value(at), asked.declared, asked.specifier)
            splices = [document.written(at, new)] if new else None
        elif isinstance(value, str | dict) and (poetry or len(path) == 2) and not asked.declared.conda:
            key = next(step for step in reversed(path) if isinstance(step, str))
            splices = _version_edited(document, path, asked) if normalise(key) == asked.declared.name else None
        if splices:
            found.append((path, splices))
    found = [one for one in found if document.value(one[0]) == asked.declared.origin.text] or found
    return document.changed(found[0][1], found[0][0]) if len(found) == 1 else None


def _version_edited(document: _Toml, path: Steps, asked: _Asked) -> list[_Splice] | None:
    """The splices for `name = "version"` or `name = {version = "…"}` of Poetry and Pipenv."""
    value = document.value(path)
    table = {"version": value} if isinstance(value, str) else value
    old, meaning = table.get("version", "*"), _meaning(asked.specifier, path)
    if meaning is None or _SOURCES & table.keys() or not isinstance(old, str):
        return None
    if _meaning(old, path) != asked.declared.specifier:
        return None
    new = old if meaning == asked.declared.specifier else spelled(old, asked.specifier) or "*"
    if _meaning(new, path) != meaning:
        return None
    kept = asked.extras is None or tuple(sorted(map(normalise, asked.extras))) == asked.declared.extras
    listed = ", ".join(f'"{extra}"' for extra in asked.extras or ())
    if isinstance(value, str):
        entry = _Splice(*document.places.values[path], f'{{ version = "{new}", extras = [{listed}] }}')
        return [document.written(path, new) if kept else entry]
    splices = [document.written((*path, "version"), new)] if "version" in table else []
    if not splices and new != "*":
        splices.append(document.added(path, "version", f'"{new}"'))
    if not kept:
        there = document.places.values.get((*path, "extras"))
        splices.append(_Splice(*there, f"[{listed}]") if there else document.added(path, "extras", f"[{listed}]"))
    return splices
