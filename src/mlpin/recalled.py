"""What only a lock still knows: the options of the command line that it was made with.

A lock that was made with `--platform` or `--extra` holds for these; where it is checked, nobody says them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mlpin import hardware
from mlpin.errors import InputError
from mlpin.lock.locked import Lock
from mlpin.manifest.model import Manifest
from mlpin.matrix.matrix import Matrix
from mlpin.settings import Settings, TargetSettings
from mlpin.target import DEFAULT_GLIBC

_HARDWARE = ("accelerator", "driver", "gpus", "cuda")
_OPTIONS = {
    "python": "--python",
    "platform": "--platform",
    "glibc": "--glibc",
    "accelerator": "--accelerator",
    "driver": "--driver",
    "gpus": "--gpu",
    "cuda": "--cuda",
    "extras": "--extra",
    "groups": "--group",
}


class Recalled(NamedTuple):
    """A target with what its lock knows of it."""

    target: TargetSettings
    settings: Settings
    options: tuple[str, ...] = ()
    """Words of a command line that say what only the lock knew."""


def recalled(
    one: TargetSettings,
    settings: Settings,
    command_line: Settings,
    lock: Lock | None,
    read: Manifest,
    rules: Matrix,
) -> Recalled:
    """The target and the settings, with what no layer of them says as the lock has it."""
    if lock is None or not lock.ours or not _sound(lock.stated, rules):
        return Recalled(one, settings)
    said = (command_line, one, settings)
    silent = {
        field: value
        for field, value in lock.stated._asdict().items()
        if field not in _HARDWARE and value and all(getattr(layer, field, None) is None for layer in said)
    }
    if not any(getattr(layer, field) for layer in said for field in _HARDWARE):
        silent |= {field: getattr(lock.stated, field) for field in _HARDWARE}
    if "platform" not in silent and lock.stated.platform not in {layer.platform for layer in said}:
        silent.pop("glibc", None)  # of another platform than the one that is wanted now
    if one.extras is None and settings.extras is None and not settings.all_extras:
        silent["extras"] = tuple(name for name in lock.extras if name in read.extras)
    if one.groups is None and settings.groups is None:
        defaults = {*read.default_groups, *(settings.default_groups or ())}
        silent["groups"] = tuple(name for name in lock.groups if name in read.groups and name not in defaults)
    left_out = lock.options.get("default-groups")
    options = (*_options(silent, lock), *_choices(settings, lock))
    if settings.default_groups is None and isinstance(left_out, list):
        settings = settings._replace(default_groups=tuple(name for name in left_out if name in read.groups))
        options += () if left_out else ("--no-default-groups",)
    return Recalled(one._replace(**silent), settings, options)


def _options(silent: Mapping[str, Any], lock: Lock) -> tuple[str, ...]:
    """The options that say what is `silent`, without what was detected or is so anyway."""
    words: list[str] = []
    for field, option in _OPTIONS.items():
        value = silent.get(field)
        implied = field == "accelerator" and (silent.get("driver") or silent.get("gpus"))
        if field in lock.detected or implied:
            continue
        if field == "glibc" and ("platform" in lock.detected or value == "{}.{}".format(*DEFAULT_GLIBC)):
            continue
        for one in (value,) if isinstance(value, str) else value or ():
            words += [option, str(one)]
    return tuple(words)


def _choices(settings: Settings, lock: Lock) -> tuple[str, ...]:
    """The options for how versions were chosen, which the settings do not say."""
    words: list[str] = []
    for key in ("prerelease", "resolution", "index-strategy", "exclude-newer", "only-binary", "no-binary"):
        value = lock.options.get(key)
        if value and getattr(settings, key.replace("-", "_")) is None:
            words += [f"--{key}", value if isinstance(value, str) else ",".join(map(str, value))]
    for key, option in (("constraints", "--constraint"), ("overrides", "--override")):
        if not getattr(settings, key):
            words += [word for file in dict.fromkeys(line.file for line in lock.given(key)) for word in (option, file)]
    return tuple(words)


def _sound(stated: TargetSettings, rules: Matrix) -> bool:
    """Whether the target of a lock is one that there can be."""
    try:
        return bool(hardware.target_of(stated, rules))
    except InputError:
        return False
