"""The lines of a requirements file, as pip splits them: joined, without comments, variables expanded.

Knows the syntax of lines and options, after pip's own `req_file`; knows nothing of what options mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from mlpin.manifest.source_text import redacted

_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_HASH_OPTION = re.compile(r" --hash[= ]\S+")

WITH_VALUE = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--pypi-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "-r": "--requirement",
    "--requirement": "--requirement",
    "-c": "--constraint",
    "--constraint": "--constraint",
    "--only-binary": "--only-binary",
    "--no-binary": "--no-binary",
    "--all-releases": "--all-releases",
    "--only-final": "--only-final",
    "--trusted-host": "--trusted-host",
    "--use-feature": "--use-feature",
    "--hash": "--hash",
    "-C": "--config-settings",
    "--config-setting": "--config-settings",
    "--config-settings": "--config-settings",
    "--global-option": "--global-option",
    "--install-option": "--install-option",
    "--build-option": "--build-option",
}
FLAGS = frozenset({"--no-index", "--pre", "--prefer-binary", "--require-hashes", "--no-require-hashes"})


class Line(NamedTuple):
    """One logical line. `shown` is the author's own, with no credential; `text` has variables expanded."""

    number: int
    shown: str
    text: str


class Option(NamedTuple):
    """One option of a line, by its long name; `value` is empty for a flag."""

    name: str
    value: str = ""


class Parts(NamedTuple):
    """A line taken apart: what is asked for, or a target after `-e`, then options."""

    requirement: str = ""
    editable: str = ""
    options: tuple[Option, ...] = ()
    extra: tuple[str, ...] = ()
    """Words after options, which pip drops."""


def lines(content: str, environ: Mapping[str, str]) -> Iterator[Line]:
    """The logical lines of a requirements file that are not blank."""
    for number, joined in _joined(enumerate(content.splitlines(), start=1)):
        line = logical_line(number, joined, environ)
        if line is not None:
            yield line


def logical_line(number: int, text: str, environ: Mapping[str, str]) -> Line | None:
    """`text` without its comment and with `${VARIABLES}` that are set; None where nothing is left."""
    bare = without_comment(text).strip()
    if not bare:
        return None
    expanded = _VARIABLE.sub(lambda found: environ.get(found[1]) or found[0], bare) if "${" in bare else bare
    shown = _HASH_OPTION.sub("", " ".join(bare.split()))
    return Line(number, redacted(shown), expanded)


def without_comment(text: str) -> str:
    """`text` up to the first `#` that begins it or follows a blank."""
    at = text.find("#")
    while at > 0 and not text[at - 1].isspace():
        at = text.find("#", at + 1)
    return text if at < 0 else text[:at].rstrip()


def _joined(numbered: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Lines that end in a backslash joined with the next ones; a comment line ends the joining."""
    first = 0
    parts: list[str] = []
    for number, text in numbered:
        comment = text.lstrip().startswith("#")
        if text.endswith("\\") and not comment:
            first = first if parts else number
            parts.append(text.strip("\\"))
            continue
        if parts:
            yield first, "".join((*parts, " " + text if comment else text))
            parts = []
        else:
            yield number, text
    if parts:
        yield first, "".join(parts)


def parts(text: str) -> Parts:
    """`text` taken apart; `ValueError` with the reason where an option is none of pip's."""
    words = re.split(r"(\s+)", text)
    at = next((position for position in range(0, len(words), 2) if words[position].startswith("-")), len(words))
    requirement = "".join(words[:at]).strip()
    rest = "".join(words[at:])
    editable = re.match(r"(?:-e|--editable(?=[\s=]|$))[\s=]*(.*)", rest, re.DOTALL) if not requirement else None
    if editable:
        target, *others = re.split(r"(?<!\s)\s++(?=--?[A-Za-z])", editable[1], maxsplit=1)
        target = target.strip()
        if len(target) > 1 and target[0] in "'\"" and target[-1] == target[0]:
            target = target[1:-1]
        if not target:
            raise ValueError("there is nothing after `-e`")
        options, extra = _options(others[0] if others else "")
        return Parts(editable=target, options=options, extra=extra)
    options, extra = _options(rest)
    return Parts(requirement, "", options, extra)


def _options(text: str) -> tuple[tuple[Option, ...], tuple[str, ...]]:
    if not text:
        return (), ()
    import shlex

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"its options cannot be split: {str(error).lower()}") from None
    found: list[Option] = []
    extra: list[str] = []
    queue = iter(words)
    for word in queue:
        if not word.startswith("-") or word == "-":
            extra.append(word)
            continue
        name, equals, value = word.partition("=")
        if not word.startswith("--") and len(word) > 2:  # -rfile
            name, equals, value = word[:2], "=", word[2:].removeprefix("=")
        full = _full_name(name)
        if full in FLAGS:
            if equals:
                raise ValueError(f"`{full}` takes no value")
            found.append(Option(full))
            continue
        if not equals:
            value = next(queue, "")
        if not value:
            raise ValueError(f"`{name}` needs a value")
        found.append(Option(full, value))
    return tuple(found), tuple(extra)


def _full_name(name: str) -> str:
    """The option that `name`, perhaps shortened as optparse allows, stands for."""
    if name in FLAGS:
        return name
    if name in WITH_VALUE:
        return WITH_VALUE[name]
    if name in ("-e", "--editable"):
        raise ValueError("`-e` stands on a line of its own")
    if name.startswith("--"):
        fitting = {WITH_VALUE.get(option, option) for option in (*WITH_VALUE, *FLAGS) if option.startswith(name)}
        if len(fitting) == 1:
            return fitting.pop()
    raise ValueError(f"`{name}` is not an option that requirements files have")
