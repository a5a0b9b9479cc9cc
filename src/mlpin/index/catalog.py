"""Everything that the indexes say, fetched at most once, shared by all targets.

`listing` and `metadata` answer for one project and one file; the first caller of each does the work and
whoever asks meanwhile waits for it. As long as the cache answers, no thread and no connection exists. The
first miss starts a few workers, which run what `foresee` was given: guesses at what will be asked next.
Guesses only fill the catalog: what is answered never depends on them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from mlpin.candidate import Artifact, Listing, Metadata, joined
from mlpin.errors import BadDistribution, IndexUnavailable
from mlpin.index.cache import DEFAULT_MAX_AGE, Cache
from mlpin.index.names import version as parsed
from mlpin.index.page import Page
from mlpin.index.places import Place, Places, named_place, shown
from mlpin.index.url import redacted
from mlpin.settings import SuppliedMetadata

if TYPE_CHECKING:
    from mlpin.conda.record import CondaRecord
    from mlpin.index.channels import Channels

T = TypeVar("T")
Event = Callable[[str, str], None]
"""Told of (`page` | `metadata` | `download`, what) when something is asked of an index."""

Fallback = Callable[[str, str], SuppliedMetadata | None]
"""Metadata for a name and a version, for files that have none of their own that can be read."""

WORKERS = 16


class _Slot:
    """The place of one answer: made by the first who asks, awaited by the others."""

    __slots__ = ("done", "error", "value")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: Any = None
        self.error: Exception | None = None


class Catalog:
    """Listings and metadata by name and file, from `places` through `cache`."""

    def __init__(
        self,
        places: Places,
        cache: Cache,
        connect: Callable[[], Any],
        *,
        offline: bool = False,
        supplied: tuple[SuppliedMetadata, ...] = (),
        fallback: Fallback | None = None,
        on_event: Event | None = None,
        channels: Callable[[tuple[str, ...], str], Channels] | None = None,
    ) -> None:
        self._channels = channels
        self.places = places
        self.cache = cache
        self.offline = offline
        self._connect = connect
        self._supplied = supplied
        self._fallback = fallback or (lambda *_: None)
        self._on_event = on_event
        self._slots: dict[object, _Slot] = {}
        self._lock = threading.Lock()
        self._transport: Any = None
        self._transport_lock = threading.Lock()
        self._guesses: deque[Callable[[], object]] = deque()
        self._wanted = threading.Semaphore(0)
        self._workers = 0
        self._idle = 0
        self.online = False
        """Whether anything had to be asked of an index so far."""

    @property
    def requests(self) -> int:
        """Requests sent so far."""
        return self._transport.requests if self._transport else 0

    # -- answers

    def listing(self, name: str, pinned: str = "") -> Listing:
        """What the indexes say of the project `name`, from the index called `pinned` alone if there is one.

        Raises `IndexUnavailable` where an index that must be asked cannot answer.
        """
        return self._once(("listing", name, pinned), lambda: self._listing(name, pinned))

    def listing_at(self, name: str, url: str) -> Listing:
        """What the one index at `url` says of the project. Raises `IndexUnavailable`."""
        place = Place(url)
        return self._once(("listing at", name, url), lambda: self._page(name, place).listing(place.url))

    def metadata(self, name: str, version: str, artifact: Artifact) -> Metadata:
        """The metadata of the file `artifact` of `name` at `version`.

        Raises `BadDistribution` where there is none that can be used, `IndexUnavailable` where the index
        cannot answer.
        """
        return self._once(("metadata", artifact.url), lambda: self._metadata(name, version, artifact))

    def records(
        self, channels: Sequence[str], subdir: str, names: Sequence[str]
    ) -> Mapping[str, Sequence[CondaRecord]]:
        """All records of conda packages in the channels of these names, for a platform and for none.

        Raises `IndexUnavailable` where a channel cannot answer, `InputError` where there is none of a name.
        """
        assert self._channels is not None
        mine = tuple(channels)
        open_channels = self._channels
        opened = self._once(("channels", mine), lambda: open_channels(mine, subdir))
        return self._once(("channels", mine, subdir), lambda: opened.at(subdir)).records(names)

    def sha256(self, artifact: Artifact) -> str:
        """The sha256 of a file whose index states none, computed from its bytes."""
        from mlpin.index import files

        return artifact.sha256 or self._once(("sha256", artifact.url), lambda: files.sha256(self, artifact))

    def text(self, url: str) -> str:
        """The text at `url`. Raises `IndexUnavailable`."""
        answer = self.transport.get(url)
        if answer.status != 200:
            raise IndexUnavailable(f"the server answered {answer.status}", where=redacted(url))
        return str(answer.body.decode("utf-8", "replace"))

    # -- guesses

    def foresee(self, guess: Callable[[], object]) -> None:
        """Run `guess` beside the search once there is a reason to; never blocks. Its errors are dropped."""
        self._guesses.append(guess)
        if self.online:
            self._start_workers()

    def _start_workers(self) -> None:
        with self._lock:
            while self._workers < WORKERS and self._idle < len(self._guesses):
                self._workers += 1
                self._idle += 1
                threading.Thread(target=self._work, daemon=True).start()
        self._wanted.release()

    def _work(self) -> None:
        while True:
            try:
                guess = self._guesses.popleft()
            except IndexError:
                self._wanted.acquire()
                continue
            with self._lock:
                self._idle -= 1
            with suppress(Exception):  # whoever really needs the answer gets the error
                guess()
            with self._lock:
                self._idle += 1

    # -- how

    @property
    def transport(self) -> Any:
        """The connection to the indexes. Raises `IndexUnavailable` when offline."""
        if self.offline:
            raise IndexUnavailable(
                "not in the cache, and --offline forbids to ask the index",
                hint="run once without --offline to fill the cache",
            )
        if self._transport is None:
            with self._transport_lock:
                if self._transport is None:
                    self._transport = self._connect()
        if not self.online:
            self.online = True
            if self._guesses:
                self._start_workers()
                for _ in range(WORKERS):
                    self._wanted.release()
        return self._transport

    def tell(self, kind: str, what: str) -> None:
        """Report that something is being asked of an index."""
        if self._on_event:
            self._on_event(kind, what)

    def _once(self, key: object, work: Callable[[], T]) -> T:
        with self._lock:
            slot = self._slots.get(key)
            mine = slot is None
            if slot is None:
                slot = self._slots[key] = _Slot()
        if mine:
            try:
                slot.value = work()
            except Exception as error:  # noqa: BLE001 - kept for everybody who asks
                slot.error = error
            except BaseException:
                slot.error = IndexUnavailable("interrupted")
                slot.done.set()
                raise
            slot.done.set()
        else:
            slot.done.wait()
        if slot.error is not None:
            raise slot.error
        return slot.value  # type: ignore[no-any-return]

    def _listing(self, name: str, pinned: str) -> Listing:
        if pinned:
            place = named_place(self.places, pinned, name)
            return self._flat_listing(name, place) if place.flat else self._page(name, place).listing(place.url)
        found = []
        for place in self.places.searched:
            page = self._page(name, place)
            if page.kind != "absent":
                found.append(page.listing(place.url))
                if self.places.strategy == "first-index":
                    break
        from_index = joined(name, found, parsed if self.places.strategy == "unsafe-best-match" else None)
        links = [listing for place in self.places.flat if (listing := self._flat_listing(name, place)).found]
        return joined(name, [from_index, *links], parsed) if links else from_index

    def _flat_listing(self, name: str, place: Place) -> Listing:
        from mlpin.index import flat

        links = self._once(("flat", place.url), lambda: flat.links(self, place))
        return flat.listing(name, place, links)

    def links(self, place: Place) -> Page:
        """The page of links of a flat index, files of all projects on it."""
        return self._page("", place)

    def _page(self, name: str, place: Place) -> Page:
        if place.is_local:
            from mlpin.index import flat

            return flat.local_page(name, place)
        stored = self.cache.page(place.url, name)
        if stored and (stored.fresh or self.offline):
            return stored.page
        from mlpin.index.simple import ACCEPT, parse, parse_html

        url = place.page(name) if name else place.url
        headers = {"Accept": ACCEPT}
        if stored and stored.etag:
            headers["If-None-Match"] = stored.etag
        if stored and stored.last_modified:
            headers["If-Modified-Since"] = stored.last_modified
        try:
            transport = self.transport
        except IndexUnavailable as error:
            where = f"{shown(place)} ({name})" if name else shown(place)
            raise IndexUnavailable(error.message, where=where, hint=error.hint) from None
        self.tell("page", name or shown(place))
        try:
            answer = transport.get(url, headers=headers)
        except IndexUnavailable as error:
            if place.forbidden_is_absent and "answered 403" in error.message:
                return Page.absent(name)
            raise
        if answer.status == 304 and stored:
            self.cache.touch_page(place.url, name)
            return stored.page
        if answer.status in {404, 410} and name:
            page = Page.absent(name)
        elif answer.status == 200 and not name:
            page = parse_html("", answer.body, answer.url, flat=True)
        elif answer.status == 200:
            page = parse(name, answer.headers.get("content-type", ""), answer.body, answer.url)
        else:
            raise IndexUnavailable(f"the index answered {answer.status}", where=redacted(url))
        self.cache.store_page(
            place.url,
            page,
            max_age=_max_age(answer.headers),
            etag=answer.headers.get("etag", ""),
            last_modified=answer.headers.get("last-modified", ""),
        )
        return page

    def _metadata(self, name: str, version: str, artifact: Artifact) -> Metadata:
        for supplied in self._supplied:
            if supplied.name == name and supplied.version in {"", version}:
                return _supplied_metadata(supplied, version, artifact)
        key = f"sha256:{artifact.sha256}" if artifact.sha256 else ""
        known = self.cache.metadata(key)
        if known is not None:
            if (known.name, known.version) == (name, version):
                return known
            raise BadDistribution(f"its metadata is that of {known.name} {known.version}", where=artifact.filename)
        fallback = None if artifact.is_wheel and "+" not in version else self._fallback(name, version)
        if fallback is not None and artifact.is_wheel:
            return _supplied_metadata(fallback, version, artifact)
        try:
            if refusal := self.cache.refusal(artifact, name, version):
                raise refusal
            from mlpin.index import files

            found = files.metadata(self, name, version, artifact)
        except BadDistribution:
            if fallback is None:
                raise
            return _supplied_metadata(fallback, version, artifact)
        except IndexUnavailable as error:
            if self.offline:
                raise IndexUnavailable(error.message, where=artifact.filename, hint=error.hint) from None
            raise
        self.cache.store_metadata(key, found)
        return found


def _max_age(headers: Any) -> int:
    """Seconds for which an answer is fresh (RFC 9111), -1 where it must not be kept."""
    control = headers.get("cache-control", "").lower()
    if not control:
        return DEFAULT_MAX_AGE
    if "no-store" in control:
        return -1
    if "no-cache" in control:
        return 0
    for part in control.split(","):
        name, _, value = part.strip().partition("=")
        if name == "max-age" and value.isdigit():
            return int(value)
    return DEFAULT_MAX_AGE


def _supplied_metadata(supplied: SuppliedMetadata, version: str, artifact: Artifact) -> Metadata:
    from mlpin.index.metadata import dependencies

    return Metadata(
        supplied.name,
        version,
        supplied.requires_python,
        dependencies(list(supplied.requires_dist), artifact.filename),
        supplied.provides_extra,
        "supplied",
    )
