"""`pylock.toml` (PEP 751), whichever tool made it. Every extra and dependency group of it counts.

The specification's checks on what may be installed are an installer's work; here a lock is only read.
"""

from __future__ import annotations

from collections.abc import Callable

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.lock.locked import named, recorded
from mlpin.requirement import normalise
from mlpin.settings import TargetSettings
from mlpin.stack import document
from mlpin.stack.artifacts import file_names, version_in
from mlpin.stack.gathered import Gathered
from mlpin.stack.markers import Markers, target_for
from mlpin.stack.model import Stack, Where
from mlpin.target import ACCELERATORS, parse_driver, parse_platform, python_minor

_PLACES = ("name", "url", "path")


def read(text: str, shown: str, where: Where) -> Stack:
    """The lock as the target would install it. Raises `InputError`."""
    lock = document.toml(text, shown, "packages")
    root = lock.root
    version = root.string("lock-version") or ""
    if version.partition(".")[0] != "1":
        message = f"states the lock-version `{version}`" if version else "states no lock-version"
        raise InputError(f"{message}, and mlpin reads 1.0 of PEP 751", where=shown)
    own = _own_target(root)
    stated = named(root)
    python, platform = "".join(stated.python or ()), stated.platform or ""
    if own:
        python, platform = "".join(own.python or ()) or python, own.platform or platform
    seen = Where(where.python or _usable(python, python_minor), where.platform or _usable(platform, parse_platform))
    markers = Markers(target_for(seen, root.string("requires-python") or "", shown))
    chosen = {
        normalise(name) for key in ("extras", "dependency-groups", "default-groups") for name in root.strings(key) or ()
    }
    found = Gathered(shown, "pylock")
    for fields, line in lock.entries(root, "packages"):
        if markers.hold(fields.string("marker") or "", fields.file, chosen):
            _take(found, fields, line)
    for fields in root.table("tool").table("mlpin").tables("conda"):
        name, version, build = (fields.string(key) or "" for key in ("name", "version", "build"))
        found.conda(name, version, build)
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


def _own_target(root: Fields) -> TargetSettings | None:
    """What mlpin itself wrote of the target, checked; None in other tools' locks."""
    own = recorded(root)
    if own is None:
        return None
    try:
        if own.python:
            python_minor(own.python[0])
        if own.platform:
            parse_platform(own.platform, own.glibc)
        if own.driver:
            parse_driver(own.driver)
    except InputError as error:
        error.where = root.file
        raise
    if own.accelerator and own.accelerator not in ACCELERATORS:
        table = root.table("tool").table("mlpin").table("target")
        raise table.error("accelerator", f"cannot be `{own.accelerator}`", hint=f"one of: {', '.join(ACCELERATORS)}")
    return own


def _usable(text: str, check: Callable[[str], object]) -> str:
    """`text`, or nothing where it is none that mlpin has a name for."""
    try:
        check(text)
    except InputError:
        return ""
    return text
