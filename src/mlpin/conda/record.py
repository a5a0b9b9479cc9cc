"""One package file of a conda channel, as its repodata has it. A value: what it means is `resolver`'s work."""

from __future__ import annotations

from typing import NamedTuple


class CondaRecord(NamedTuple):
    """One build of a package."""

    name: str
    version: str
    build: str
    build_number: int
    channel: str
    """As the user named it (`conda-forge`, a URL without credentials), also where a mirror served it."""
    subdir: str
    filename: str
    url: str
    """Absolute, without credentials; `file:` for a local channel."""
    depends: tuple[str, ...] = ()
    """MatchSpecs, as they stand in the repodata."""
    constrains: tuple[str, ...] = ()
    track_features: tuple[str, ...] = ()
    features: str = ""
    noarch: str = ""
    """`python`, `generic`, or empty."""
    timestamp: int = 0
    """Milliseconds since 1970; 0 where it is not stated."""
    sha256: str = ""
    md5: str = ""
    size: int | None = None
    """Bytes."""
    license: str = ""
    position: int = 0
    """Of its channel among those that were asked, 0 the first."""

    @property
    def shown(self) -> str:
        """`numpy 1.26.4 py311h64a7726_0`."""
        return f"{self.name} {self.version} {self.build}"

    @property
    def needs_python(self) -> bool:
        """Whether it is for Python: it depends on it, or is a Python package of no platform."""
        return self.noarch == "python" or any(text == "python" or text.startswith("python ") for text in self.depends)
