"""The conda part of a lock, as values: the packages of `[[tool.mlpin.conda]]`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class LockedConda(NamedTuple):
    """One conda package of a lock."""

    name: str
    version: str
    build: str
    build_number: int
    channel: str
    """A name, or a URL without credentials."""
    subdir: str
    url: str
    """Without credentials; for a local channel as the lock has it."""
    hashes: Mapping[str, str]
    """`sha256`, `md5` in hexadecimal; at least one."""
    line: int = 0
    """On which its table begins; 0 where that is not known."""
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    """The distributions of PyPI that it stands in for, by normalised name."""
    size: int | None = None
    timestamp: int = 0
    """Milliseconds since 1970; 0 where it is not known."""
    noarch: str = ""
    license: str = ""

    @property
    def filename(self) -> str:
        return self.url.rpartition("/")[2]
