"""Variables in the text of an instruction → their values, as BuildKit puts them in.

Knows the forms `$V`, `${V}`, `${V:-x}` (and `-`, `:+`, `+`, `:?`, `?`), `${V#x}`, `${V##x}`, `${V%x}`, `${V%%x}`,
`${V/x/y}`, `${V//x/y}`, one within another. Where values come from is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

_MOST = 1000
"""Characters of a value: names of images have a few hundred at most."""
_DEEPEST = 10
_HOLE = re.compile(
    r"\\(?P<escaped>.)"
    r"|\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?P<verb>\}|:?[-+?]|##?|%%?|//?)|(?P<odd>\{\w*)?)"
)

_BRACE = re.compile(r"\\.|\$\{|\}")
_REPLACED = re.compile(r"((?:\\.|[^/\\])+)/(.*)")


class _UnknownError(Exception):
    """Why a text has no value, in words that follow "it"."""


def expanded(text: str, values: Mapping[str, str | None]) -> tuple[str | None, str]:
    """`text` with its variables, and an empty text; or None, and why not, in words that follow what `text` is."""
    try:
        return _expanded(text, values, 0), ""
    except _UnknownError as why:
        return None, str(why)


def _expanded(text: str, values: Mapping[str, str | None], depth: int) -> str:
    if len(text) > _MOST:
        raise _UnknownError("is too long for a name")
    made, at = "", 0
    while (hole := _HOLE.search(text, at)) is not None:
        made, at = made + text[at : hole.start()], hole.end()
        name = hole["plain"] or hole["name"] or ""
        if hole["escaped"] is not None:
            made += hole["escaped"]
        elif not name:
            raise _odd(hole["odd"])
        else:
            verb, word = hole["verb"] or "}", ""
            if verb != "}":
                end = _end(text, at)
                if end < 0 or depth == _DEEPEST:
                    raise _odd(f"{{{name}")
                word, at = text[at:end], end + 1
            made += _value(name, verb, word, values, depth + 1)
        if len(made) > _MOST:
            raise _UnknownError("is too long for a name")
    return made + text[at:]


def _value(name: str, verb: str, word: str, values: Mapping[str, str | None], depth: int) -> str:
    known = values.get(name)
    there = bool(known) if verb.startswith(":") else known is not None
    if verb.endswith("+"):
        return _expanded(word, values, depth) if there else ""
    if verb.endswith("-") and not there:
        return _expanded(word, values, depth)
    if known is None or (verb.endswith("?") and not there):
        raise _UnknownError(f"depends on `{name}`, which has no value in the file")
    if verb[0] in "#%":
        return _trimmed(known, verb, _expanded(word, values, depth))
    if verb[0] == "/":
        parts = _REPLACED.fullmatch(word)
        pattern = _expanded(parts[1], values, depth) if parts else ""
        if parts is None or re.search(r"[*?]", pattern):
            raise _odd(f"{{{name}")
        return known.replace(pattern, _expanded(parts[2], values, depth), -1 if verb == "//" else 1)
    return known


def _trimmed(text: str, verb: str, pattern: str) -> str:
    """`text` without what of its beginning (`#`), or end (`%`), the pattern matches: the least, or the most (`##`)."""
    glob = pattern.replace("[", "[[]")
    sizes = range(len(text) + 1) if len(verb) == 1 else range(len(text), -1, -1)
    for size in sizes:
        rest = len(text) - size
        if verb[0] == "#" and fnmatchcase(text[:size], glob):
            return text[size:]
        if verb[0] == "%" and fnmatchcase(text[rest:], glob):
            return text[:rest]
    return text


def _end(text: str, at: int) -> int:
    """Where the brace is closed that was opened before `at`; -1 where it is not."""
    depth = 1
    for mark in _BRACE.finditer(text, at):
        depth += {"${": 1, "}": -1}.get(mark[0], 0)
        if not depth:
            return mark.start()
    return -1


def _odd(what: str | None) -> _UnknownError:
    shown = f"${what}…}}" if what else "$"
    return _UnknownError(f"has `{shown}` in it, a form that is not understood")
