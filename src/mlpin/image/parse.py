"""A Dockerfile as text → stages of instructions. Of what instructions do, only ARG and FROM are understood here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mlpin.image.variables import expanded

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z]+)\s*=\s*(\S+)\s*")
_HEREDOC = re.compile(r"(?:^|\s)\d*<<(-?)(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\2(?=\s|$)")
_LONG = 10_000
"""Characters of an ARG; shlex takes time by their square."""
_FLAG = re.compile(r"--[a-z-]+(?:=\S*)?\s+")


class Instruction(NamedTuple):
    """One instruction, its continued lines joined, with the text of its here-documents behind it."""

    line: int
    name: str
    """In capitals."""
    text: str


class Stage(NamedTuple):
    """A FROM and what follows it."""

    line: int
    name: str
    """In lower case; empty where it has none."""
    base: str
    """As it is written, without the platform."""
    platform: str
    instructions: tuple[Instruction, ...]


class Dockerfile(NamedTuple):
    """Its stages, and the ARGs that stand before them; None for one without a default."""

    stages: tuple[Stage, ...]
    arguments: Mapping[str, str | None]


def parse(text: str) -> Dockerfile:
    """The stages of a Dockerfile; none where there is no FROM in it."""
    arguments: dict[str, str | None] = {}
    found: list[tuple[Instruction, list[Instruction]]] = []
    for one in _instructions(text):
        if one.name == "FROM":
            found.append((one, []))
        elif found:
            found[-1][1].append(one)
        elif one.name == "ARG":
            for word in _words(one.text):
                name, equals, default = word.partition("=")
                arguments[name] = expanded(default, arguments)[0] if equals else None
    return Dockerfile(tuple(_stage(head, tuple(rest)) for head, rest in found), arguments)


def _stage(head: Instruction, instructions: tuple[Instruction, ...]) -> Stage:
    words = head.text.split()
    platform = ""
    while words and words[0].startswith("--"):
        flag, _, value = words.pop(0).partition("=")
        platform = value if flag == "--platform" else platform
    base = words[0].strip("\"'") if words else ""
    name = words[2].lower() if len(words) > 2 and words[1].lower() == "as" else ""
    return Stage(head.line, name, base, platform.strip("\"'"), instructions)


def _words(text: str) -> list[str]:
    if len(text) > _LONG:
        return text.split()
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is not closed
        return text.split()


def flags(text: str) -> tuple[Mapping[str, str], str]:
    """The flags that an instruction begins with (`--from=builder`), and the rest of it."""
    found: dict[str, str] = {}
    while match := _FLAG.match(text):
        name, _, value = match[0].strip().partition("=")
        found[name] = value
        text = text[match.end() :]
    return found, text


def _instructions(text: str) -> Iterator[Instruction]:
    # Only this ends a line; a form feed, say, does not.
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    escape = _escape(lines)
    at = 0
    while at < len(lines):
        start, going = at, True
        parts: list[str] = []
        while going and at < len(lines):
            line = lines[at]
            at += 1
            if not line.strip() or line.lstrip().startswith("#"):
                if not parts:
                    start = at
                continue
            going = line.rstrip().endswith(escape)
            parts.append(line.rstrip().removesuffix(escape) if going else line)
        if not parts:
            continue
        joined = " ".join(part.strip() for part in parts).strip()
        name = joined.split(None, 1)[0] if joined else ""
        rest = joined[len(name) :].lstrip()
        made = [rest]
        if name.upper() in {"RUN", "COPY", "ADD"}:
            for dash, _, end in _HEREDOC.findall(rest):
                last = _end(lines, at, end, tabs=bool(dash))
                made += lines[at:last]
                at = last + 1 if last > at or (at < len(lines) and lines[at].strip() == end) else at
        yield Instruction(start + 1, name.upper(), "\n".join(made))


def _end(lines: list[str], at: int, word: str, *, tabs: bool) -> int:
    """The line that ends a here-document; where none does, it has no text."""
    for position in range(at, len(lines)):
        if (lines[position].lstrip("\t") if tabs else lines[position]) == word:
            return position
    return at


def _escape(lines: list[str]) -> str:
    """The character that continues a line; directives stand before anything else."""
    for line in lines:
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        if match[1].lower() == "escape" and match[2] in {"\\", "`"}:
            return match[2]
    return "\\"
