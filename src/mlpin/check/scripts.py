"""Scripts that are not as RECORD has them: edited, or only given another interpreter when the environment was moved.

Knows what pip and uv write for an entry point, and how the first lines of scripts name an interpreter. Which scripts
there are, and what to say of them, is `check.recorded`'s.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from mlpin.stack.distributions import Distribution
from mlpin.stack.folders import beginning

FOLDERS = {"bin", "Scripts"}
_READ = 64 * 1024
"""Bytes. Longer ones are no launchers."""
_HEAD = 1024
_TRAMPOLINE = re.compile(r"#![^\n]*\n'''exec' [^\n]*\n' '''\r?\n|#![^\n]*\n")
"""The lines that start an interpreter; where its path is long or has spaces, a shell does it."""
_IMPORT = re.compile(r"from ([\w.]+) import (\w+)")
_GENERATED = re.compile(
    r"(?:# -\*- coding: utf-8 -\*-|import (?:re|sys)|if __name__ == ['\"]__main__['\"]:"
    r"|sys\.exit\(\w+(?:\.\w+)*\(\)\)"
    r"|(?:el)?if sys\.argv\[0\]\.endswith\(['\"][\w.-]+['\"]\):"
    r"|sys\.argv\[0\] = (?:sys\.argv\[0\](?:\[:-\d+\]|\.removesuffix\(['\"]\.exe['\"]\))"
    r"|re\.sub\(r['\"][^'\"]*['\"], ['\"]{2}, sys\.argv\[0\]\)))?"
)


class Launcher(NamedTuple):
    """A script that starts an interpreter, and is not as it was installed."""

    generated: bool
    """But for its interpreter it is what installers write for an entry point."""
    here: bool
    """It names the interpreter of its environment."""
    anywhere: bool
    """It takes the interpreter that comes first in PATH."""


def launcher(path: str, one: Distribution) -> Launcher | None:
    """What the file at `path`, one of this distribution's, is now; None where it starts no interpreter."""
    text = beginning(Path(path), _READ)
    head = text[:_HEAD]
    if path.lower().endswith(".exe") and text.startswith("MZ"):
        return Launcher(generated=False, here=False, anywhere=False)
    if not text.startswith("#!") or not ("python" in head or "pypy" in head or "exec" in head):
        return None
    started = _TRAMPOLINE.match(text)
    lines = started[0] if started else head
    folder = os.path.dirname(path)
    here = "$(dirname" in lines or any(os.path.join(place, "") in lines for place in (folder, os.path.realpath(folder)))
    return Launcher(_is_generated(text[len(lines) :], one), here, "/env " in lines)


def _is_generated(body: str, one: Distribution) -> bool:
    entries = re.sub(r"\s*([:=])\s*", r"\1", beginning(one.info / "entry_points.txt", _READ))
    imported = False
    for line in map(str.strip, body.splitlines()):
        if found := _IMPORT.fullmatch(line):
            imported = f"={found[1]}:{found[2]}" in entries
            if not imported:
                return False
        elif not _GENERATED.fullmatch(line):
            return False
    return imported
