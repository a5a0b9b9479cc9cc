"""The machine that a lock is for: its Python, operating system, processor and C library.

A `Target` says which markers hold (PEP 508), which wheel tags are accepted (PEP 425, 600) and which
environment marker a lock states. It is described, never looked up here; detection is `host`'s work.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from mlpin.errors import InputError

if TYPE_CHECKING:
    from packaging.version import Version

DEFAULT_GLIBC = (2, 28)
_DEFAULT_MACOS = {"arm64": (14, 0), "x86_64": (13, 0)}
_PLATFORM = re.compile(r"(linux|macos|windows)(?:-(\d+(?:\.\d+)?))?-(x86_64|amd64|aarch64|arm64)")
_PYTHON = re.compile(r"3\.(\d+)(?:\.(\d+))?")
_PATCHES = (0, 99, *range(1, 60))

PLATFORM_HINT = "one of: linux-x86_64, linux-aarch64, macos-14-arm64, macos-13-x86_64, windows-amd64"

# uv's and pip's spellings that cannot be mistaken.
_ALIASES = {
    "linux": "linux-x86_64",
    "x86_64-unknown-linux-gnu": "linux-x86_64",
    "aarch64-unknown-linux-gnu": "linux-aarch64",
    "macos": "macos-14-arm64",
    "aarch64-apple-darwin": "macos-14-arm64",
    "x86_64-apple-darwin": "macos-13-x86_64",
    "windows": "windows-amd64",
    "x86_64-pc-windows-msvc": "windows-amd64",
    "win_amd64": "windows-amd64",
}
_MANYLINUX = re.compile(r"(?:(x86_64|aarch64)-manylinux_?(2014|\d+_\d+)|manylinux_?(2014|\d+_\d+)_(x86_64|aarch64))")


_FLOOR = re.compile(r"manylinux(?:_2_(\d+)|(2014)|(2010)|(1))_")
_LEGACY_FLOORS = (17, 12, 5)


def glibc_minor(platforms: str) -> int | None:
    """The minor version of the oldest glibc 2.x that the platform part of a wheel's tags asks for (PEP 600).

    None where it asks for none.
    """
    found = [
        int(match[1]) if match[1] else next(_LEGACY_FLOORS[n] for n in range(3) if match[n + 2])
        for match in _FLOOR.finditer(platforms)
    ]
    return min(found, default=None)


class Platform(NamedTuple):
    """An operating system on a processor. `release` is glibc's version on Linux, macOS's on macOS."""

    system: str
    """`linux`, `macos` or `windows`."""
    machine: str
    """As `platform.machine()` says on that system: x86_64, aarch64, arm64, AMD64."""
    release: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        """The name as configuration spells it."""
        if self.system == "macos":
            return f"macos-{self.release[0]}-{self.machine}"
        return f"{self.system}-{self.machine.lower()}"

    @property
    def kind(self) -> str:
        """The name without a release: `linux-x86_64`, `macos-arm64`, `windows-amd64`."""
        return f"{self.system}-{self.machine.lower()}"

    @property
    def glibc(self) -> str:
        """`2.28`; empty where the system has none."""
        return f"{self.release[0]}.{self.release[1]}" if self.system == "linux" else ""


class Hardware(NamedTuple):
    """What a lock must run on beside the platform; empty where it was not said."""

    accelerator: str = ""
    """`cuda`, `rocm`, `cpu` or `metal`; empty: what the default index offers."""
    driver: str = ""
    """The oldest NVIDIA driver, like `550.54`."""
    gpus: tuple[tuple[str, str], ...] = ()
    """(as the user names it, compute capability `8.9` or AMD's `gfx90a`); all must be served."""
    cuda: str = ""
    """Which CUDA lines may be taken, as a version specifier."""

    @property
    def shown(self) -> str:
        """A short description, empty where nothing was said."""
        parts = [self.accelerator, f"driver {self.driver}" if self.driver else ""]
        parts += [" and ".join(name for name, _ in self.gpus), f"CUDA {self.cuda}" if self.cuda else ""]
        return ", ".join(part for part in parts if part)


ACCELERATORS = ("cuda", "rocm", "cpu", "metal")


def parse_driver(text: str) -> str:
    """`text` if it is a driver's number like 550.54.14, or `CUDA 12.4` as nvidia-smi shows it. Raises `InputError`."""
    if re.fullmatch(r"\d{3}(\.\d+){0,2}|CUDA \d+\.\d+", text):
        return text
    raise InputError(
        f"`{text}` is not a version of NVIDIA's driver",
        hint="written like 550.54.14, or `CUDA 12.4` as nvidia-smi shows it",
    )


def parse_cuda(text: str) -> str:
    """A range of CUDA versions as a specifier: `12.4` is that one, `12` and `12.*` any 12. Raises `InputError`."""
    if re.fullmatch(r"\d+(\.\d+)?(\.\*)?", text):
        return f"=={text}" if "." in text else f"=={text}.*"
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier:
        raise InputError(
            f"`{text}` is not a range of CUDA versions", hint='written like "12.4", "12.*" or ">=12.1,<12.7"'
        ) from None


def parse_platform(text: str, glibc: str | None = None) -> Platform:
    """The platform that `text` names; `glibc` (`2.28`) sets the floor on Linux.

    Raises `InputError` on a name that is none, or a glibc where there can be none.
    """
    name = _ALIASES.get(text, text)
    release: tuple[int, int] | None = None
    if match := _MANYLINUX.fullmatch(name):
        tag = match[2] or match[3]
        major, _, minor = "2_17".partition("_") if tag == "2014" else tag.partition("_")
        name, release = f"linux-{match[1] or match[4]}", (int(major), int(minor))
    match = _PLATFORM.fullmatch(name)
    if not match:
        raise InputError(f"`{text}` is not a platform that mlpin knows", hint=PLATFORM_HINT)
    system, number, machine = match[1], match[2], match[3]
    if system == "linux":
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
        if number:
            raise InputError(f"`{text}`: a Linux platform has no version of its own", hint="set `glibc` instead")
        return Platform("linux", machine, parse_glibc(glibc) if glibc else release or DEFAULT_GLIBC)
    if glibc:
        raise InputError(f"`glibc` is set, but `{text}` has no glibc", hint="leave it out for this target")
    if system == "windows":
        if machine not in {"amd64", "x86_64"} or number:
            raise InputError(f"`{text}` is not a platform that mlpin knows", hint=PLATFORM_HINT)
        return Platform("windows", "AMD64")
    machine = {"aarch64": "arm64", "amd64": "x86_64"}.get(machine, machine)
    major, _, minor = (number or "").partition(".")
    return Platform("macos", machine, (int(major), int(minor or 0)) if major else _DEFAULT_MACOS[machine])


def parse_glibc(text: str) -> tuple[int, int]:
    """`2.28` as a pair. Raises `InputError`."""
    match = re.fullmatch(r"(\d+)\.(\d+)", text)
    if not match:
        raise InputError(f"`{text}` is not a version of glibc", hint="written like 2.28")
    return int(match[1]), int(match[2])


def python_minor(text: str) -> tuple[int, int]:
    """(3, 11) of `3.11` or `3.11.4`. Raises `InputError`."""
    match = _PYTHON.fullmatch(text)
    if not match:
        raise InputError(
            f"`{text}` is not a Python version that mlpin can lock for", hint="written like 3.11 or 3.11.4"
        )
    return 3, int(match[1])


class Target:
    """One environment to lock for. `python` is `3.11` (any patch release) or `3.11.4` (that one).

    `virtual` are virtual packages of conda that the user sets outright, (name, `version` or `version=build`).

    Facts that are `waived` (`python`, `glibc`, `platform`) restrict nothing: any Python, any wheel will do; with
    `metadata`, what cannot be read of a release asks for nothing. Markers are those of the target all the same. That is
    for asking what a conflict rests on; nothing is locked for such a target.
    """

    def __init__(
        self,
        name: str,
        python: str,
        platform: Platform,
        hardware: Hardware = Hardware(),  # noqa: B008 - a frozen value
        *,
        detected: bool = False,
        waived: frozenset[str] = frozenset(),
        virtual: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.waived = waived
        self.virtual = virtual
        self.name = name
        self.python = python
        self.platform = platform
        self.hardware = hardware
        self.detected = detected

    def but(
        self,
        *,
        python: str | None = None,
        platform: Platform | None = None,
        hardware: Hardware | None = None,
        waived: frozenset[str] | None = None,
        virtual: tuple[tuple[str, str], ...] | None = None,
    ) -> Target:
        """This target with something else in it."""
        return Target(
            self.name,
            python or self.python,
            platform or self.platform,
            hardware or self.hardware,
            detected=self.detected,
            waived=self.waived if waived is None else waived,
            virtual=self.virtual if virtual is None else virtual,
        )

    def __str__(self) -> str:
        glibc = f", glibc {self.platform.glibc}" if self.platform.glibc else ""
        hardware = f", {self.hardware.shown}" if self.hardware.shown else ""
        return f"Python {self.python}, {self.platform.name}{glibc}{hardware}"

    @cached_property
    def minor(self) -> tuple[int, int]:
        return python_minor(self.python)

    @cached_property
    def pythons(self) -> tuple[Version, ...]:
        """The full versions that the target stands for: every patch release, unless one is named."""
        from packaging.version import Version

        if "python" in self.waived:
            return tuple(Version(f"{line}.{patch}") for line in _ANY_PYTHON for patch in (0, 99))
        if self.python.count(".") == 2:
            return (Version(self.python),)
        return tuple(Version(f"{self.python}.{patch}") for patch in _PATCHES)

    @cached_property
    def markers(self) -> dict[str, str]:
        """The marker environment (PEP 508). A Python without a patch release is `.0` in it."""
        full = self.python if self.python.count(".") == 2 else f"{self.python}.0"
        os_name, sys_platform, system = {
            "linux": ("posix", "linux", "Linux"),
            "macos": ("posix", "darwin", "Darwin"),
            "windows": ("nt", "win32", "Windows"),
        }[self.platform.system]
        return {
            "implementation_name": "cpython",
            "implementation_version": full,
            "os_name": os_name,
            "platform_machine": self.platform.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": system,
            "platform_version": "",
            "python_full_version": full,
            "python_version": f"{self.minor[0]}.{self.minor[1]}",
            "sys_platform": sys_platform,
        }

    def holds(self, marker: str, extra: str = "") -> bool:
        """Whether a marker holds, with `extra` as its extra."""
        known = self._holding.get((marker, extra))
        if known is None:
            from packaging.markers import Marker, UndefinedEnvironmentName

            try:
                known = Marker(marker).evaluate({**self.markers, "extra": extra})
            except UndefinedEnvironmentName:
                known = False
            self._holding[marker, extra] = known
        return known

    @cached_property
    def _holding(self) -> dict[tuple[str, str], bool]:
        return {}

    @cached_property
    def environment(self) -> str:
        """The marker that a lock for this target states in `environments` (PEP 751)."""
        markers = self.markers
        python = (
            f"python_full_version == '{self.python}'"
            if self.python.count(".") == 2
            else f"python_version == '{markers['python_version']}'"
        )
        return (
            f"{python} and sys_platform == '{markers['sys_platform']}' and "
            f"platform_machine == '{markers['platform_machine']}' and implementation_name == 'cpython'"
        )

    @cached_property
    def tags(self) -> dict[str, int]:
        """Accepted wheel tags (`cp311-cp311-manylinux_2_17_x86_64`) with their rank, 0 the best."""
        from packaging import tags

        platforms = _platform_tags(self.platform)
        ordered = [*tags.cpython_tags(self.minor, platforms=platforms)]
        ordered += tags.compatible_tags(self.minor, f"cp{self.minor[0]}{self.minor[1]}", platforms)
        return {str(tag): rank for rank, tag in reversed(list(enumerate(ordered)))}

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {}

    def rank(self, compressed: str) -> int | None:
        """The rank of the best tag in a wheel's compressed tag set, 0 the best; None: it does not fit."""
        known = self._ranks.get(compressed)
        if known is None:
            accepted = self.tags
            pythons, abis, platforms = compressed.split("-")
            known = min(
                (
                    accepted.get(f"{python}-{abi}-{platform}", _UNFIT)
                    for python in pythons.split(".")
                    for abi in abis.split(".")
                    for platform in platforms.split(".")
                ),
                default=_UNFIT,
            )
            if known == _UNFIT and self.waived:
                known = self._waived_rank(compressed)
            self._ranks[compressed] = known
        return None if known == _UNFIT else known

    def _waived_rank(self, compressed: str) -> int:
        """The rank of a wheel that only the waived facts keep out: after every one that fits."""
        platforms, abis = self._parts
        there_pythons, there_abis, there = (part.split(".") for part in compressed.split("-"))
        fits_platform = "platform" in self.waived or any(one in platforms for one in there)
        fits_python = "python" in self.waived or any(
            f"{one}-{abi}" in abis for one in there_pythons for abi in there_abis
        )
        return _UNFIT - 1 if fits_platform and fits_python else _UNFIT

    @cached_property
    def _parts(self) -> tuple[frozenset[str], frozenset[str]]:
        """The accepted platforms, with any glibc where that is waived, and the accepted pairs of Python and ABI."""
        platforms = {tag.rpartition("-")[2] for tag in self.tags}
        if "glibc" in self.waived and self.platform.system == "linux":
            platforms |= {*_platform_tags(self.platform._replace(release=(2, 99)))}
        return frozenset(platforms), frozenset(tag.rpartition("-")[0] for tag in self.tags)


_UNFIT = 1 << 30
_ANY_PYTHON = ("2.7", *(f"3.{minor}" for minor in range(30)))


def _platform_tags(platform: Platform) -> list[str]:
    if platform.system == "windows":
        return ["win_amd64"]
    if platform.system == "macos":
        from packaging.tags import mac_platforms

        return list(mac_platforms(platform.release, platform.machine))
    legacy = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    lowest = 5 if platform.machine == "x86_64" else 17
    found = []
    for minor in range(platform.release[1], lowest - 1, -1):
        found.append(f"manylinux_2_{minor}_{platform.machine}")
        if minor in legacy:
            found.append(f"{legacy[minor]}_{platform.machine}")
    found.append(f"linux_{platform.machine}")
    return found
