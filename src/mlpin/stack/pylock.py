"""`pylock.toml` (PEP 751), whichever tool made it. Every extra and dependency group of it counts.

The specification's checks on what may be installed are an installer's work; here a lock is only read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.requirement import normalise
from mlpin.stack import document
from mlpin.stack.artifacts import file_names, version_in
from mlpin.stack.gathered import Gathered
from mlpin.stack.markers import Markers, target_for
from mlpin.stack.model import Stack
from mlpin.target import Target, parse_platform, python_minor

_EQUAL = re.compile(r"""\b([a-z_]+) *== *(?:'([^']*)'|"([^"]*)")""")
_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_PLACES = ("name", "url", "path")


def read(text: str, shown: str, target: Target | None) -> Stack:
    """The lock as the target would install it. Raises `InputError`."""
    lock = document.toml(text, shown, "packages")
    root = lock.root
    version = root.string("lock-version") or ""
    if version.partition(".")[0] != "1":
        message = f"states the lock-version `{version}`" if version else "states no lock-version"
        raise InputError(f"{message}, and mlpin reads 1.0 of PEP 751", where=shown)
    own = _own_target(root)
    python, platform = (str(own.get("python", "")), str(own.get("platform", ""))) if own else _stated(root)
    markers = Markers(target or _stated_target(own, python, platform, shown) or _any_target(root))
    chosen = {
        normalise(name) for key in ("extras", "dependency-groups", "default-groups") for name in root.strings(key) or ()
    }
    found = Gathered(shown, "pylock")
    for fields, line in lock.entries(root, "packages"):
        if markers.hold(fields.string("marker") or "", fields.file, chosen):
            _take(found, fields, line)
    return found.stack(python=python, platform=platform, target=own)


def _take(found: Gathered, fields: Fields, line: int) -> None:
    name, version, reason = fields.string("name") or "", fields.string("version") or "", ""
    files = file_names(fields.tables("wheels"), *_PLACES)
    for key in ("sdist", "archive"):
        if fields.table(key).data:
            files += file_names([fields.table(key)], *_PLACES)
    if not version and files and "archive" in fields:
        version = version_in(files[-1], name)
    if "vcs" in fields:
        reason = "from a repository, and its version is not stated"
    elif "directory" in fields:
        reason = "from a directory, and its version is not stated"
    found.pypi(name, version, line, files=files, reason=reason)


def _own_target(root: Fields) -> Mapping[str, Any]:
    """What mlpin itself wrote of the target; empty in other tools' locks."""
    table = root.table("tool").table("mlpin").table("target")
    table.string("python")
    table.string("platform")
    return MappingProxyType(dict(table.data))


def _stated(root: Fields) -> tuple[str, str]:
    """Python and platform, where the lock is for one environment and says which."""
    environments = root.strings("environments") or ()
    if len(environments) != 1 or " or " in environments[0]:
        return "", ""
    facts = {name: one or other for name, one, other in _EQUAL.findall(environments[0])}
    system, machine = _SYSTEMS.get(facts.get("sys_platform", "")), facts.get("platform_machine", "")
    platform = f"{system}-{machine.lower()}" if system and machine else ""
    return facts.get("python_full_version", "") or facts.get("python_version", ""), platform


def _stated_target(own: Mapping[str, Any], python: str, platform: str, shown: str) -> Target | None:
    try:
        if not python or not platform:
            return None
        python_minor(python)
        glibc = own.get("glibc")
        return Target("", python, parse_platform(platform, glibc if isinstance(glibc, str) else None))
    except InputError as error:
        if own:
            raise InputError(error.message, where=shown, hint=error.hint) from None
        return None  # for a machine that mlpin has no name for


def _any_target(root: Fields) -> Target:
    return target_for(None, root.string("requires-python") or "", root.file)
