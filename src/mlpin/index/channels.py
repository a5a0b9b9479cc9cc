"""The records of conda channels by name, each asked for at most once, through py-rattler's gateway.

Knows how channels are fetched and kept, and says what went wrong in the words of the house; it does not know which
records are wanted. Of rattler's own messages none is shown: there are URLs in them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlpin.conda.record import CondaRecord
from mlpin.errors import IndexUnavailable, InputError
from mlpin.index import repodata
from mlpin.index.cache import DEFAULT_MAX_AGE
from mlpin.index.channel_names import ChannelPlace
from mlpin.index.credentials import Logins
from mlpin.index.repodata import Part, Usable
from mlpin.index.transport import Connection, Transport
from mlpin.index.url import local_path

Event = Callable[[str, str], None]
"""Told of (`channel`, its name) when a channel is first asked."""

_NAME = re.compile(r"[a-z0-9_.][a-z0-9_.-]*")
_LONGEST = 3600
"""Seconds that one file of a channel may take as long as its server still answers."""


class Channels:
    """Records by name, from `places` in their order, for `subdir` and `noarch`."""

    def __init__(
        self,
        places: Sequence[ChannelPlace],
        subdir: str,
        *,
        cache: Path | None = None,
        offline: bool = False,
        refresh: bool = False,
        connection: Connection | None = None,
        on_event: Event | None = None,
    ) -> None:
        """`cache` is the directory for repodata; with None nothing outlives the run."""
        self.places = tuple(places)
        self.subdir = subdir
        self.dropped: list[tuple[str, str]] = []
        """(file, why) of records that cannot be used, as far as they were met."""
        self._fetch = _Fetch(cache, connection or Connection(), offline=offline, refresh=refresh)
        self._on_event = on_event
        self._known: dict[str, tuple[CondaRecord, ...]] = {}
        self._lock = threading.Lock()

    def records(self, names: Iterable[str]) -> dict[str, tuple[CondaRecord, ...]]:
        """All records of each of `names`; an empty tuple where no channel has the name.

        Raises `IndexUnavailable` where a channel cannot answer, `InputError` where there is no such channel or its
        repodata cannot be read.
        """
        asked = tuple(dict.fromkeys(names))
        with self._lock:
            missing = [name for name in asked if name not in self._known]
            if missing:
                self._load(missing)
        return {name: self._known[name] for name in asked}

    def _load(self, names: list[str]) -> None:
        fetchable = [name for name in names if _NAME.fullmatch(name) and not name.startswith("__")]
        found: dict[str, list[CondaRecord]] = {name: [] for name in names}
        if fetchable:
            for usable in asyncio.run(self._ask(fetchable)):
                self.dropped += usable.dropped
                for name, records in usable.by_name.items():
                    if name in found:
                        found[name] += records
        self._known |= {name: tuple(records) for name, records in found.items()}

    async def _ask(self, names: list[str]) -> list[Usable]:
        subdirs = dict.fromkeys((self.subdir, "noarch"))
        asking = [
            self._fetch.usable(place, Part(place.name, subdir, f"{place.url}/{subdir}", position), names)
            for position, place in enumerate(self.places)
            for subdir in subdirs
        ]
        return [usable for usable in await asyncio.gather(*asking) if usable is not None]


class _Fetch:
    def __init__(self, cache: Path | None, connection: Connection, *, offline: bool, refresh: bool) -> None:
        import tempfile

        self.cache = cache or Path(tempfile.mkdtemp())

    async def usable(self, place: ChannelPlace, part: Part, names: list[str]) -> Usable | None:
        from rattler import Channel
        from rattler.repo_data.gateway import Gateway

        base = place.url
        if place.is_local:
            folder = repodata.local_folder(local_path(part.url), self.cache)
            if not folder:
                return None
            base = Path(folder).parent.as_uri()
        if not hasattr(self, "gateway"):
            self.gateway = Gateway(cache_dir=self.cache)
        result = await self.gateway.query(
            [Channel(base)], [part.subdir], names, recursive=False, channel_relations="disabled"
        )
        return repodata.from_rattler(result[0], part, f"{base}/{part.subdir}/")
