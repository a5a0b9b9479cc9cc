"""`pylock.toml` (PEP 751), whichever tool made it. Every extra and dependency group of it counts.

The specification's checks on what may be installed are an installer's work; here a lock is only read.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.requirement import normalise
from mlpin.settings import TargetSettings
from mlpin.stack import document
from mlpin.stack.artifacts import file_names, version_in
from mlpin.stack.gathered import Gathered
from mlpin.stack.markers import Markers, target_for
from mlpin.stack.model import Stack, Where
from mlpin.target import ACCELERATORS, parse_driver, parse_platform, python_minor

_EQUAL = re.compile(r"""\b([a-z_]+) *== *(?:'([^']*)'|"([^"]*)")""")
_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
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
    python, platform = _stated(root)
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
    table = root.table("tool").table("mlpin").table("target")
    if not table.data:
        return None
    python, platform, glibc = (table.string(key) for key in ("python", "platform", "glibc"))
    accelerator, driver = table.string("accelerator"), table.string("driver")
    try:
        if python:
            python_minor(python)
        if platform:
            parse_platform(platform, glibc)
        if driver:
            parse_driver(driver)
    except InputError as error:
        error.where = root.file
        raise
    if accelerator and accelerator not in ACCELERATORS:
        raise table.error("accelerator", f"cannot be `{accelerator}`", hint=f"one of: {', '.join(ACCELERATORS)}")
    return TargetSettings(
        python=(python,) if python else None,
        platform=platform,
        glibc=glibc,
        accelerator=accelerator,
        driver=driver,
        gpus=table.strings("gpus"),
    )


def _stated(root: Fields) -> tuple[str, str]:
    """Python and platform, where the lock is for one environment and says which."""
    environments = root.strings("environments") or ()
    if len(environments) != 1 or " or " in environments[0]:
        return "", ""
    facts = {name: one or other for name, one, other in _EQUAL.findall(environments[0])}
    system, machine = _SYSTEMS.get(facts.get("sys_platform", "")), facts.get("platform_machine", "")
    platform = f"{system}-{machine.lower()}" if system and machine else ""
    return facts.get("python_full_version", "") or facts.get("python_version", ""), platform


def _usable(text: str, check: Callable[[str], object]) -> str:
    """`text`, or nothing where it is none that mlpin has a name for."""
    try:
        check(text)
    except InputError:
        return ""
    return text
