"""The user's choices that a resolution follows, as one value. What they mean is the work of `resolver.view`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from mlpin.requirement import Declared
from mlpin.settings import IndexPin


class Policy(NamedTuple):
    """The user's choices that decide which candidates are offered, and in which order."""

    prerelease: str = "if-necessary-or-explicit"
    resolution: str = "highest"
    only_binary: frozenset[str] = frozenset()
    no_binary: frozenset[str] = frozenset()
    cutoff: str = ""
    """RFC 3339 in UTC: files uploaded then or later do not exist."""
    cutoffs: Mapping[str, str] = MappingProxyType({})
    """The same by package; empty text: none for this package."""
    pins: Mapping[str, tuple[IndexPin, ...]] = MappingProxyType({})
    families: Mapping[str, str] = MappingProxyType({})
    """By family of the matrix, the URL above its indexes per build line where it is not the usual one; empty: none."""
    hashes: Mapping[str, frozenset[str]] = MappingProxyType({})
    constraints: tuple[Declared, ...] = ()
    overrides: Mapping[str, tuple[Declared, ...]] = MappingProxyType({})
    exclude: frozenset[str] = frozenset()
    preferred: Mapping[str, str] = MappingProxyType({})
    """Versions to take where they are admitted: those of the old lock or of an earlier target."""
    lowest: frozenset[str] = frozenset()
    """Names whose oldest admitted version is wanted, whatever `resolution` says."""
    absent: Mapping[str, str] = MappingProxyType({})
    """By URL, files that an index lists and that turned out not to be had, with the reason."""
    channels: tuple[str, ...] = ()
    """conda channels, the first one first."""
    channel_priority: str = "strict"
    python_said: bool = False
    """Whether a line on conda's `python` names the target's Python and no other: it is the line that counts then."""
    prefer: str = "pypi"
    """`conda` or `pypi`: where a distribution comes from that both have."""
    prefers: Mapping[str, str] = MappingProxyType({})
    """The same by name."""
    preferred_builds: Mapping[str, tuple[str, str]] = MappingProxyType({})
    """By conda package, the version and build to take where it is admitted."""
    selected_extras: frozenset[str] = frozenset()
    selected_groups: frozenset[str] = frozenset()

    def binary_only(self, name: str) -> bool:
        return name in self.only_binary or (":all:" in self.only_binary and name not in self.no_binary)

    def preference(self, name: str) -> str:
        """`conda` or `pypi`: where this distribution comes from if both have it."""
        return self.prefers.get(name, self.prefer)

    def source_only(self, name: str) -> bool:
        return name in self.no_binary or (":all:" in self.no_binary and name not in self.only_binary)
