"""conda's versions and what a version spec (`>=1.2,<2|1.0.*`) says of them.

The grammar is conda's: rattler reads no regular expressions and no inner globs (`1.*.1`). The order of versions is
rattler's. The only module that knows rattler's type for them.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from mlpin.conda.pattern import Remembered, glob, pattern
from mlpin.errors import InputError

DEEPEST = 20
"""Parentheses within each other."""

LONGEST = 255
"""Characters of a version; no file system has room for a longer one in a file's name."""

_TOKEN = re.compile(r"\s*(\^[^$]*\$|[()|,]|[^()|,]+)")
_RELATION = re.compile(r"(==|!=|<=|>=|~=|=|<|>)([^=<>!~\s]\S*)")
_PLAIN = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,9}")
_STARS = re.compile(r"\*+")
_LETTERS = re.compile(r"[a-z]+")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}

Test = Callable[[str], bool]


class _Node(NamedTuple):
    """A part of a version spec: a leaf where `joined` is empty, else parts joined by `|` or `,`."""

    test: Test
    text: str
    joined: str = ""
    parts: tuple[_Node, ...] = ()
    exact: bool = False


class VersionSpec(Remembered):
    """Which versions a version spec allows, asked as `spec[version text]`; remembers each answer.

    A version that is none in conda's eyes is allowed by `*`, globs and regular expressions only.
    """

    __slots__ = ("exact", "text")

    def __init__(self, text: str) -> None:
        node = _Reader(text).spec()
        super().__init__(_forgiving(node.test))
        self.text = node.text
        """As conda writes it: `1.7*` is `1.7.*`."""
        self.exact = node.exact
        """Whether it names one version outright."""


@cache
def version_spec(text: str) -> VersionSpec:
    """The version spec that `text` is; one object per text. Raises `InputError`."""
    return VersionSpec(text)


@cache
def version(text: str) -> Any:
    """A version by conda's order: it can be compared and hashed. Raises `InputError` where it is none."""
    from rattler import Version
    from rattler.exceptions import InvalidVersionError

    if len(text) > LONGEST:
        raise InputError(f"`{text[:80]}…` is longer than a version can be")
    try:
        # `*` in a version is below all letters for conda; the lowest that rattler has is `dev`
        return Version(_STARS.sub("dev", text.strip()))
    except InvalidVersionError:
        raise InputError(f"`{text}` is not a version that conda knows") from None


def _forgiving(test: Test) -> Test:
    def tolerant(text: str) -> bool:
        try:
            return test(text)
        except InputError:
            return False

    return tolerant


class _Reader:
    """Reads a version spec: `|` binds less than `,`, and parentheses group."""

    def __init__(self, text: str) -> None:
        self._tokens = [token for found in _TOKEN.findall(text) if (token := found.strip())]
        self._text = text
        self._place = 0
        self._depth = 0

    def spec(self) -> _Node:
        node = self._joined("|", any)
        if self._place < len(self._tokens):
            raise InputError(f"`{self._text}` is not a version that can be asked for")
        return node

    def _next(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _joined(self, sign: str, together: Callable[[Any], bool]) -> _Node:
        parts: list[_Node] = []
        while True:
            part = self._joined(",", all) if sign == "|" else self._atom()
            parts.extend(part.parts if part.joined == sign else (part,))
            if self._next() != sign:
                break
            self._place += 1
        if len(parts) == 1:
            return parts[0]
        tests = [part.test for part in parts]
        shown = [f"({part.text})" if sign == "," and part.joined == "|" else part.text for part in parts]
        return _Node(lambda text: together(test(text) for test in tests), sign.join(shown), sign, tuple(parts))

    def _atom(self) -> _Node:
        item = self._next()
        self._place += 1
        if item == "(":
            self._depth += 1
            if self._depth > DEEPEST:
                raise InputError("its version has too many parentheses")
            node = self._joined("|", any)
            if self._next() != ")":
                raise InputError(f"`{self._text}` does not close a parenthesis")
            self._place += 1
            self._depth -= 1
            return node
        if item in ("", "|", ",", ")"):
            raise InputError(f"`{self._text}` has no version where one is due")
        return _leaf(item)


@cache
def _leaf(text: str) -> _Node:
    if text.startswith("^") or text.endswith("$"):
        if not (text.startswith("^") and text.endswith("$")):
            raise InputError("a regular expression of versions begins with `^` and ends with `$`")
        return _Node(pattern(text).__getitem__, text)
    if text[0] in "=<>!~":
        return _relation(text)
    if text == "*":
        return _Node(lambda _: True, text)
    if "*" in text.rstrip("*"):
        return _Node(glob(text), text)
    if text.endswith("*"):
        prefix = text.rstrip("*").rstrip(".")
        return _Node(_starts(prefix), f"{prefix}.*")
    if "@" in text:
        # conda leaves such a version to what its writer means by it
        return _Node(text.__eq__, text, exact=True)
    return _Node(_compares("==", text), text, exact=True)


def _relation(text: str) -> _Node:
    found = _RELATION.fullmatch(text)
    if found is None:
        raise InputError(f"`{text}` does not compare with a version")
    sign, asked = found[1], found[2]
    family = asked.endswith(".*")
    asked = asked.removesuffix(".*")
    if sign == "=":
        return _Node(_starts(asked), text)
    if sign == "!=" and family:
        starts = _starts(asked)
        return _Node(lambda given: not starts(given), text)
    if sign == "~=":
        prefix, dot, _ = asked.rpartition(".")
        if family or not dot:
            raise InputError(f"`{text}` needs two numbers at least, and no `*`")
        starts, from_there = _starts(prefix), _compares(">=", asked)
        return _Node(lambda given: from_there(given) and starts(given), text)
    return _Node(_compares(sign, asked), text, exact=sign == "==")


def _checked(asked: str) -> str:
    """`asked` if it is a version. Raises `InputError`. For most it is plain, and rattler takes a while to load."""
    if not _PLAIN.fullmatch(asked):
        version(asked)
    return asked


def _compares(sign: str, asked: str) -> Test:
    compare, bound = COMPARE[sign], _checked(asked)
    return lambda text: compare(version(text), version(bound))


def _starts(asked: str) -> Test:
    """A test for `asked.*`. Letters at its end begin a word, as conda has it: `2013a.*` takes `2013ab`."""
    prefix = _checked(asked)
    letters = asked[len(asked.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")) :].lower()
    if not letters:
        return lambda text: bool(version(text).starts_with(version(prefix)))
    before = asked[: -len(letters)]

    def starts(text: str) -> bool:
        given = version(text)
        words = {word for word in _LETTERS.findall(text.lower()) if word.startswith(letters)} - {"dev", "post"}
        return any(given.starts_with(version(before + word)) for word in (letters, *words))

    return starts
