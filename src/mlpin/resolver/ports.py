"""What the resolver asks of the world outside: two protocols that `index.catalog` and `sources` implement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from mlpin.candidate import Artifact, Listing, Metadata
from mlpin.conda.record import CondaRecord
from mlpin.requirement import Origin, Source


class Catalog(Protocol):
    """What the view asks of `index.catalog`."""

    def listing(self, name: str, pinned: str = "") -> Listing: ...

    def listing_at(self, name: str, url: str) -> Listing: ...

    def metadata(self, name: str, version: str, artifact: Artifact) -> Metadata: ...

    def sha256(self, artifact: Artifact) -> str: ...

    def records(
        self, channels: Sequence[str], subdir: str, names: Sequence[str]
    ) -> Mapping[str, Sequence[CondaRecord]]: ...

    def foresee(self, guess: Callable[[], object]) -> None: ...


class Sources(Protocol):
    """What the view asks of `mlpin.sources`: distributions that are not on an index."""

    def fetch(self, source: Source, hashes: tuple[str, ...], origin: Origin) -> tuple[Metadata, Artifact | None]: ...
