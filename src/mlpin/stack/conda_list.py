"""What `conda list` prints (as a table, as JSON, with `--export` and with `--explicit`), and mamba's and pixi's like.

`pip list` prints a table and JSON of the same kinds, so they are read here too.
"""

from __future__ import annotations

import re
from typing import Any

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.stack import document
from mlpin.stack.artifacts import conda_file, file_name, platform_of, subdir_in, version_in
from mlpin.stack.gathered import Gathered, printable
from mlpin.stack.model import Stack

_PLATFORM = re.compile(r"#\s*platform:\s*(\S+)")
_PIP_LINE = re.compile(r"#\s*pip\s+(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*@\s*(?P<url>\S+).*")
_NO_PIP = "neither from conda nor from PyPI"


def read_json(text: str, shown: str) -> Stack:
    """`conda list --json` or `pip list --format=json`. Raises `InputError`."""
    data = document.json(text, shown)
    if isinstance(data, dict) and isinstance(data.get("packages"), list):
        data = data["packages"]
    if not isinstance(data, list) or any(isinstance(item, dict) and "name" not in item for item in data):
        hint = "`conda list --json` and `pip list --format=json` print one"
        raise InputError("must be a list of packages with their names", where=shown, hint=hint)
    items = Fields({"packages": data}, shown).tables("packages")
    of_conda = not items or any("channel" in item or "build_string" in item for item in items)
    found = Gathered(shown, "conda-list" if of_conda else "freeze")
    subdirs = []
    for item in items:
        name, version = item.string("name") or "", item.string("version") or ""
        if of_conda and item.string("channel") != "pypi":
            found.conda(name, version, item.string("build_string") or item.string("build") or "")
            subdirs.append(item.string("platform") or item.string("subdir") or "")
        else:
            found.pypi(name, version)
    return found.stack(python=found.version("python"), platform=platform_of(subdirs))


def read_explicit(text: str, shown: str) -> Stack:
    """The URLs after `@EXPLICIT`, and the `# pip` lines that conda-lock adds to them. Raises `InputError`."""
    found = Gathered(shown, "conda-explicit")
    subdirs = []
    for line, content in enumerate(text.splitlines(), 1):
        words = content.strip()
        if pip := _PIP_LINE.fullmatch(words):
            file = file_name(pip["url"])
            reason = "its version is not stated"
            found.pypi(pip["name"], version_in(file, pip["name"]), line, files=(file,), reason=reason)
        elif stated := _PLATFORM.fullmatch(words):
            subdirs.append(stated[1])
        elif words and not words.startswith(("#", "@")):
            url = words.split()[0]
            package = conda_file(file_name(url))
            if package is None or "/" not in url:
                raise found.error(line, f"`{printable(words)}` is not the URL of a conda package")
            found.conda(*package, line)
            subdirs.append(subdir_in(url))
    return found.stack(python=found.version("python"), platform=platform_of(subdirs))


def read_export(text: str, shown: str) -> Stack:
    """`conda list --export`: `name=version=build` on each line. Raises `InputError`."""
    found = Gathered(shown, "conda-list")
    subdirs = []
    for line, content in enumerate(text.splitlines(), 1):
        words = content.strip()
        if stated := _PLATFORM.fullmatch(words):
            subdirs.append(stated[1])
        elif words and not words.startswith("#"):
            parts = words.split("=")
            if len(parts) != 3:
                raise found.error(line, f"`{printable(words)}` is not `name=version=build`")
            _add(found, parts[0], parts[1], parts[2], parts[2].partition("_")[0], line)
    return found.stack(python=found.version("python"), platform=platform_of(subdirs))


def read_table(text: str, shown: str) -> Stack:
    """The tables of `conda list`, `mamba list` and `pip list`. Raises `InputError`."""
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1)]
    of_pip = any(words[:2] == ["Package", "Version"] for _, words in lines)
    found = Gathered(shown, "freeze" if of_pip else "conda-list")
    for line, words in lines:
        if not words or words[0].startswith("#") or not words[0].strip("-─") or words[0] in {"Package", "Name", "List"}:
            continue
        if len(words) < 2:
            raise found.error(line, f"`{printable(' '.join(words))}` is not a package with its version")
        if of_pip:
            found.pypi(words[0], words[1], line)
        else:
            build, channel = (*words[2:4], "", "")[:2]
            _add(found, words[0], words[1], build, channel or build.partition("_")[0], line)
    return found.stack(python=found.version("python"))


def _add(found: Gathered, name: str, version: str, build: str, channel: Any, line: int) -> None:
    if channel == "pypi":
        found.pypi(name, version, line)
    else:
        found.conda(name, version, build, line)
