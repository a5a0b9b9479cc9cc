"""Platforms of a pixi workspace: their subdirs, their virtual packages, and which of them a selector means.

Knows pixi's names and how they read as markers (PEP 508) and as a target's settings; nothing of dependencies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from mlpin.fields import Fields
from mlpin.manifest.model import Note
from mlpin.manifest.source_text import redacted
from mlpin.manifest.toml_lines import TomlFile
from mlpin.settings import TargetSettings

PLATFORMS = {
    "linux-64": "linux-x86_64",
    "linux-aarch64": "linux-aarch64",
    "osx-64": "macos-13-x86_64",
    "osx-arm64": "macos-14-arm64",
    "win-64": "windows-amd64",
}
"""What mlpin calls the subdirs that it locks for."""
_OTHERS = (
    *("noarch", "linux-32", "linux-armv6l", "linux-armv7l", "linux-loongarch64", "linux-ppc64le", "linux-ppc64"),
    *("linux-ppc", "linux-s390x", "linux-riscv32", "linux-riscv64", "win-32", "win-arm64", "zos-z"),
    *("freebsd-32", "freebsd-64", "freebsd-arm64", "freebsd-ppc64le", "freebsd-ppc64", "ios-arm64"),
    *("iossimulator-arm64", "iossimulator-64", "android-aarch64", "android-armv7a", "android-64", "android-32"),
    *("emscripten-wasm32", "emscripten-wasm64", "wasi-wasm32"),
)
"""The subdirs that rattler, and so pixi, knows beside them."""
_SUBDIR = re.compile(r"(linux|osx|win|freebsd|zos|emscripten|wasi)-[a-z0-9]+")
_MARKERS = {"linux": 'sys_platform == "linux"', "osx": 'sys_platform == "darwin"', "win": 'sys_platform == "win32"'}
_MACHINES = {"64": "x86_64", "aarch64": "aarch64", "arm64": "arm64"}
_VIRTUAL = {"libc": "__glibc", "macos": "__osx", "windows": "__win"}
"""Where pixi's word is not that of the virtual package."""
_ONLY_ON = {"__cuda": ("linux", "win"), "__glibc": ("linux",), "__linux": ("linux",), "__osx": ("osx",)}
_ONLY_ON |= {"__win": ("win",)}


class Platform(NamedTuple):
    """One entry of `platforms`."""

    name: str
    subdir: str
    virtual: tuple[tuple[str, str], ...] = ()
    """Virtual packages that the entry declares, by conda's name."""

    @property
    def system(self) -> str:
        """`linux`, `osx` or `win`."""
        return self.subdir.partition("-")[0]

    @property
    def is_locked(self) -> bool:
        """Whether mlpin can lock for it."""
        return self.subdir in PLATFORMS


def platforms(file: TomlFile, workspace: Fields, notes: list[Note]) -> tuple[Platform, ...]:
    """The platforms of a workspace, a note on each that mlpin does not lock for. Raises `InputError`."""
    found: dict[str, Platform] = {}
    for position, item in enumerate(workspace.items("platforms")):
        steps: tuple[str | int, ...] = (*workspace.path, "platforms", position)
        if isinstance(item, str):
            one = Platform(item, item)
        elif isinstance(item, dict):
            one = _rich(file, Fields(item, file.shown, workspace.path), steps)
        else:
            raise file.error(steps, "a platform must be a name or a table")
        if one.subdir not in (*PLATFORMS, *_OTHERS):
            near = get_close_matches(one.subdir.lower(), (*PLATFORMS, *_OTHERS), 1, 0.7)
            hint = f"did you mean `{near[0]}`?" if near else f"one of: {', '.join(PLATFORMS)}"
            raise file.error(steps, f"`{redacted(one.subdir)}` is not a platform that conda has", hint=hint)
        found.setdefault(one.name, one)
        if not one.is_locked:
            notes.append(Note(f"`{one.subdir}` is passed over: mlpin does not lock for it", file.origin(steps)))
    return tuple(found.values())


def _rich(file: TomlFile, fields: Fields, steps: Sequence[str | int]) -> Platform:
    name = fields.string("name")
    subdir = fields.string("platform") or name
    if not subdir:
        raise file.error(steps, "a platform that is a table needs `platform`", hint='{ platform = "linux-64", … }')
    own = {key: value for key, value in fields.data.items() if key not in ("name", "platform")}
    virtual = virtual_packages(file, Fields(own, fields.file, fields.path), steps)
    parts = [subdir, *(f"{key.lstrip('_')}-{value}" for key, value in sorted(virtual.items()))]
    made = re.sub(r"[._=]", "-", "-".join(parts))  # pixi's own name for it
    return Platform(name or made, subdir, tuple(virtual.items()))


def virtual_packages(file: TomlFile, fields: Fields, steps: Sequence[str | int]) -> dict[str, str]:
    """What `[system-requirements]` or a platform's table declares, by the names of conda. Raises `InputError`."""
    found: dict[str, str] = {}
    for key, said in fields.data.items():
        word, version = key, said
        if isinstance(said, dict) and key == "libc":
            word, version = str(said.get("family", "glibc")).lower(), said.get("version")
        elif isinstance(said, dict) and key == "cuda":
            version = said.get("driver")
            if "arch" in said:
                found["__cuda_arch"] = _version(file, key, said["arch"], steps)
        name = word if word.startswith("__") else _VIRTUAL.get(word, f"__{word}")
        text = _version(file, key, version, steps)
        found[name] = f"1={text}" if name == "__archspec" else text
    return found


def _version(file: TomlFile, key: str, value: Any, steps: Sequence[str | int]) -> str:
    text = str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"[A-Za-z0-9_.]+", text):
        hint = 'written like cuda = "12.4", libc = "2.28", macos = "13.0"'
        raise file.error((*steps, key), f"`{key}` is not a version", hint=hint)
    return text


def joined(declared: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Virtual packages of several places: of each name the highest version, as in pixi."""
    found: dict[str, str] = {}
    for one in declared:
        for name, version in one.items():
            found[name] = max(found.get(name, ""), version, key=_order)
    return found


def _order(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in version.split(".")] if version else []


def settings(platform: Platform, declared: Mapping[str, str]) -> TargetSettings:
    """A target's platform, glibc and virtual packages, where the system has the `declared` ones and its own."""
    virtual = {
        name: version
        for name, version in joined([declared, dict(platform.virtual)]).items()
        if platform.system in _ONLY_ON.get(name, (platform.system,))
    }
    glibc = re.match(r"[0-9]+\.[0-9]+", virtual.pop("__glibc", ""))
    name = PLATFORMS[platform.subdir]
    macos = re.match(r"([0-9]+)(\.[1-9][0-9]*)?", virtual.pop("__osx", ""))
    if macos:
        name = f"macos-{macos[0]}-{name.rpartition('-')[2]}"
    return TargetSettings(
        platform=name, glibc=glibc[0] if glibc else None, virtual_packages=tuple(sorted(virtual.items())) or None
    )


def meant(selector: str, known: Sequence[Platform]) -> frozenset[str]:
    """The names of the platforms that `[target.SELECTOR]` or a feature's `platforms` means; empty: none."""
    named = {one.name for one in known if one.name == selector}
    return frozenset(
        named
        or {
            one.name
            for one in known
            if selector in (one.subdir, one.system)
            or (selector == "unix" and one.system != "win")
            or ("*" in selector and fnmatchcase(one.name, selector))
        }
    )


def is_selector(text: str) -> bool:
    """Whether `text` can mean a platform that the workspace does not have."""
    return text in (*_MARKERS, "unix") or _SUBDIR.fullmatch(text) is not None or "*" in text


def marker(subdirs: Iterable[str]) -> str:
    """The environment marker of some of the subdirs in `PLATFORMS`; empty for all of them."""
    wanted = set(subdirs)
    if wanted == set(PLATFORMS):
        return ""
    if wanted == set(PLATFORMS) - {"win-64"}:
        return 'sys_platform != "win32"'
    parts = []
    for system, text in _MARKERS.items():
        own = [subdir for subdir in PLATFORMS if subdir.startswith(f"{system}-")]
        if wanted.issuperset(own):
            parts.append(text)
        else:
            machines = [_MACHINES[subdir.partition("-")[2]] for subdir in own if subdir in wanted]
            parts += [f'{text} and platform_machine == "{machine}"' for machine in machines]
    return " or ".join(parts)
