"""Stacks: exact sets of packages that any tool installed or locked.

`read` reads one file, `read_text` what came in on standard input, `environment` what is installed. Each format has
a module of its own, imported only when a text needs it. Nothing here asks an index or runs anything.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

from mlpin.errors import InputError
from mlpin.stack.model import ANYWHERE, Pinned, Skipped, Stack, Where

__all__ = ["Pinned", "Skipped", "Stack", "Where", "environment", "read", "read_text"]

_Format = Literal[
    "freeze",
    "pylock",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "pixi.lock",
    "conda-lock",
    "json",
    "explicit",
    "export",
    "table",
]
_NAMES: tuple[tuple[str, _Format], ...] = (
    (r"pylock(?:\.[^.]+)?\.toml", "pylock"),
    (r"(?:uv|.*\.pyw?)\.lock", "uv.lock"),
    (r"poetry\.lock", "poetry.lock"),
    (r"pdm(?:\.[^.]+)?\.lock", "pdm.lock"),
    (r"pixi\.lock", "pixi.lock"),
    (r"(?:.*[.-])?conda-lock\.ya?ml", "conda-lock"),
)
_CONTENT: tuple[tuple[str, _Format], ...] = (
    (r"\A\s*(?:\{|\[\s*(?:\{|\]\s*\Z))", "json"),
    (r"(?m)^@EXPLICIT\s*$", "explicit"),
    (r"(?m)^lock_version\s*=", "pdm.lock"),
    (r"(?m)^\[\[\s*packages\s*\]\]|^created-by\s*=", "pylock"),
    (r"(?m)^lock-version\s*=", "poetry.lock"),
    (r"(?m)^version\s*=\s*\d+\s*$", "uv.lock"),
    (r"(?m)^environments\s*:", "pixi.lock"),
    (r"(?m)^package\s*:", "conda-lock"),
    (r"(?m)^#[ \t]*(?:packages in environment at|Name[ \t]+Version)\b", "table"),
    (r"(?m)^[ \t]*(?:Package[ \t]+Version\b|List of packages in environment|Name[ \t]+Version[ \t]+Build\b)", "table"),
    (r"(?m)\A(?:[ \t]*+(?:#[^\n]*+)?\n)*+[A-Za-z0-9_][\w.-]*=[^=\s]+=[^=\s]+[ \t]*$", "export"),
)
_MANIFESTS: tuple[tuple[str, str], ...] = (
    (r"(?m)^\[(?:project|tool\.|build-system|dependency-groups|packages\]|dev-packages\]|options[].])", "a manifest"),
    (r"(?m)^dependencies\s*:", "a manifest of conda's"),
)
_EXECUTABLE = r"python[0-9.]*t?(?:\.exe)?"
_READ = (
    "what can be read: `pip freeze`, `conda list --json`, pylock.toml, uv.lock, poetry.lock, pdm.lock, pixi.lock, "
    "conda-lock.yml, requirements with pins"
)
STDIN = "standard input"


def read(path: Path, shown: str, where: Where = ANYWHERE) -> Stack:
    """The stack in the file at `path`, which messages call `shown`; a directory or a Python is an environment.

    Where several platforms are locked, what holds `where` it is looked at for; what is not said there and not stated
    by the file is Linux, with the lowest Python allowed. Raises `InputError`, with file and line where they are known.
    """
    from mlpin.manifest.model import Context
    from mlpin.manifest.source_text import bytes_of, decoded

    name = path.name.lower()
    if os.path.isdir(path) or re.fullmatch(_EXECUTABLE, name):
        return _directory(path, shown)
    try:
        data = bytes_of(path, Context(path.parent, {}, str))
    except InputError as error:
        error.where = shown
        raise
    form = next((form for pattern, form in _NAMES if re.fullmatch(pattern, name)), None)
    text = decoded(data, shown, declared_coding=form is None).replace("\r\n", "\n")
    return _read(form or _by_content(text, shown), text, shown, where, path)


def _directory(path: Path, shown: str) -> Stack:
    """The environment at `path`; where there is none, the hint names what lies there and can be read."""
    try:
        return environment(path, shown)
    except InputError as error:
        names = sorted(os.listdir(path)) if os.path.isdir(path) and os.access(path, os.R_OK) else []
        there = [
            name
            for name in names
            if os.path.isfile(path / name / "pyvenv.cfg") or any(re.fullmatch(pattern, name) for pattern, _ in _NAMES)
        ]
        if there:
            error.hint = f"name what is in it: {', '.join(there)}"
        raise


def read_text(text: str, shown: str = STDIN, where: Where = ANYWHERE) -> Stack:
    """The stack that `text` states, its format told by its content. Raises as `read` does."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if "\0" in text:
        raise InputError("holds a NUL character, so it is not text", where=shown)
    return _read(_by_content(text, shown), text, shown, where, None)


def environment(path: Path, shown: str = "") -> Stack:
    """What is installed at `path`: a virtual environment, conda prefix, interpreter or site-packages directory.

    Messages call it `shown`. Raises `InputError` where there is no environment.
    """
    from mlpin.stack.installed import read as reader

    return reader(path, shown or str(path))


def _by_content(text: str, shown: str) -> _Format:
    for pattern, form in _CONTENT:
        if re.search(pattern, text):
            return form
    for pattern, what in _MANIFESTS:
        if re.search(pattern, text):
            raise InputError(
                f"is {what}: it says what is wanted, not what is installed",
                where=shown,
                hint="lock it first (`mlpin lock`), or give the output of `pip freeze` or `conda list --json`",
            )
    return "freeze"


def _read(form: _Format, text: str, shown: str, where: Where, path: Path | None) -> Stack:
    """The stack by the reader of its format. Imports here are lazy: start-up time counts."""
    if form == "freeze":
        from mlpin.stack.freeze import read as read_freeze

        try:
            return read_freeze(text, shown, where, path)
        except InputError as error:
            error.hint = error.hint or _READ
            raise
    if form in ("json", "explicit", "export", "table"):
        from mlpin.stack import conda_list

        return {
            "json": conda_list.read_json,
            "explicit": conda_list.read_explicit,
            "export": conda_list.read_export,
            "table": conda_list.read_table,
        }[form](text, shown)
    if form == "pylock":
        from mlpin.stack.pylock import read as reader
    elif form == "uv.lock":
        from mlpin.stack.uv_lock import read as reader
    elif form == "poetry.lock":
        from mlpin.stack.poetry_lock import read as reader
    elif form == "pdm.lock":
        from mlpin.stack.pdm_lock import read as reader
    elif form == "pixi.lock":
        from mlpin.stack.pixi_lock import read as reader
    else:
        from mlpin.stack.conda_lock import read as reader
    return reader(text, shown, where)
