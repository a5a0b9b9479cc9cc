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
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from mlpin import __version__
from mlpin.conda.record import CondaRecord
from mlpin.errors import IndexUnavailable, InputError, MlpinError
from mlpin.index import repodata
from mlpin.index.cache import DEFAULT_MAX_AGE
from mlpin.index.channel_names import ChannelPlace
from mlpin.index.credentials import Login, Logins
from mlpin.index.repodata import Part, Usable
from mlpin.index.transport import Connection, Transport
from mlpin.index.url import local_path

T = TypeVar("T")
Event = Callable[[str, str], None]
"""Told of (`channel`, its name) when a channel is first asked."""

_NAME = re.compile(r"[a-z0-9_.][a-z0-9_.-]*")
_URL = re.compile(r"https?://\S+|`[^`]*`")
_ONE_RECORD = re.compile("extract repodata records|invalid type|missing field|deserializ|msgpack")
"""In what rattler says where records of a name cannot be read, but the file can."""
_UNREADABLE = re.compile("pars|decod|decompress|frame|zstd|bzip2|extract|invalid|expected", re.IGNORECASE)

_Action = Literal["cache-or-fetch", "force-cache-only", "no-cache"]


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
        self._cache = _Cache(cache)
        self._gates = [
            _Gate(place, position, self._cache, connection or Connection(), offline=offline, refresh=refresh)
            for position, place in enumerate(self.places)
        ]
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

    def at(self, subdir: str) -> Channels:
        """The same channels for another platform; what was fetched of `noarch` is not fetched again."""
        other = copy(self)
        other.subdir, other.dropped, other._known = subdir, [], {}  # noqa: SLF001 - its own
        return other

    def close(self) -> None:
        """Takes away what a run without a cache has written."""
        self._cache.close()

    def _load(self, names: list[str]) -> None:
        found: dict[str, list[CondaRecord]] = {name: [] for name in names}
        asked = [name for name in names if _NAME.fullmatch(name) and not name.startswith("__")]
        if asked:
            for gate in self._gates:
                if not gate.parts and self._on_event:
                    self._on_event("channel", gate.place.name)
            answers: list[Usable] = []
            asyncio.run(self._ask(asked, answers))
            for usable in answers:
                self.dropped += usable.dropped
                for name, records in usable.by_name.items():
                    if name in found:
                        found[name] += records
        self._known |= {name: tuple(records) for name, records in found.items()}

    async def _ask(self, names: Sequence[str], into: list[Usable]) -> None:
        """Puts the answers into a list: asyncio makes a text of whatever a run returns, when it sets SIGINT back."""
        subdirs = tuple(dict.fromkeys((self.subdir, "noarch")))
        for answer in await _all(gate.usable(subdirs, names) for gate in self._gates):
            into += answer


class _Gate:
    """One channel: a gateway of rattler's for each of its subdirs."""

    def __init__(
        self,
        place: ChannelPlace,
        position: int,
        cache: _Cache,
        connection: Connection,
        *,
        offline: bool,
        refresh: bool,
    ) -> None:
        self.place = place
        self.parts: dict[str, Any] = {}
        """By subdir the gateway and the channel to ask it for; None where the channel lacks the subdir."""
        self._position = position
        self._cache = cache
        self._offline = offline
        self._refresh = refresh
        known = {place.url: place.access.login} if place.access.login else {}
        self._connection = connection._replace(credentials={**connection.credentials, **known})
        self._client: Any = None
        self._sharded = True
        self._trusting: set[str] = set()
        """Subdirs whose cached repodata is taken as it is, unasked."""

    async def usable(self, subdirs: Sequence[str], names: Sequence[str]) -> list[Usable]:
        """What the channel has of `names` in each of `subdirs`."""
        new = [subdir for subdir in subdirs if subdir not in self.parts]
        found = await _all(self._in(self._part(subdir), names) for subdir in subdirs)
        if new and not any(self.parts.get(subdir) for subdir in subdirs):
            looked = " and no ".join(subdirs)
            raise InputError(
                f"there is no conda channel here: no {looked}",
                where=local_path(self.place.url) or self.place.url,
                hint="check the channel's name and URL"
                + (", or run `conda index` on it" if self.place.is_local else ""),
            )
        if not (self._offline or self.place.is_local):
            for subdir in new:  # of a channel that is there: when nothing is, the server may be the wrong one
                self._cache.note_absent(self._part(subdir), absent=not self.parts[subdir])
        return [usable for usable in found if usable is not None]

    async def _in(self, part: Part, names: Sequence[str]) -> Usable | None:
        first = part.subdir not in self.parts
        if first:
            self.parts[part.subdir] = self._open(part)
        if not self.parts[part.subdir]:
            return None
        said = ""
        try:
            found = await self._query(part, names)
        except MlpinError:
            raise
        except Exception as error:  # noqa: BLE001 - rattler's have no common root
            said = _URL.sub("", str(error)) or type(error).__name__
        if said:  # out of the handler, so that no traceback can show the URLs of rattler's own error
            return await self._recovered(part, names, said)
        gateway, base = self.parts[part.subdir]
        if first and not found.by_name and not await gateway.names([base], [part.subdir]):
            self.parts[part.subdir] = None  # rattler says nothing of a platform that is not there
            return None
        return found

    async def _query(self, part: Part, names: Sequence[str]) -> Usable:
        gateway, base = self.parts[part.subdir]
        asking = gateway.query([base], [part.subdir], names, recursive=False, channel_relations="disabled")
        (records,) = await self._while_it_answers(part, asking)
        return repodata.from_rattler(records, part, f"{base.base_url.rstrip('/')}/{part.subdir}/")

    async def _while_it_answers(self, part: Part, asking: Awaitable[T]) -> T:
        """What `asking` returns. rattler waits for ever: when it takes long, the server is asked beside it."""
        task = asyncio.ensure_future(asking)
        while not (await asyncio.wait({task}, timeout=self._connection.timeout))[0]:
            if not self.place.is_local and (problem := await _beside(lambda: self._probe(part))):
                task.cancel()
                raise problem
        return task.result()

    # -- opening

    def _part(self, subdir: str) -> Part:
        return Part(self.place.name, subdir, f"{self.place.url}/{subdir}", self._position)

    def _open(self, part: Part, action: _Action | None = None) -> Any:
        from rattler import Channel
        from rattler.repo_data.gateway import Gateway, SourceConfig

        base = self.place.url
        if self.place.is_local:
            try:
                folder = repodata.local_folder(local_path(part.url), self._cache.folder)
            except OSError as error:
                raise InputError(f"the repodata cannot be read: {error.strerror}", where=local_path(part.url)) from None
            if not folder:
                return None
            base = Path(folder).parent.as_uri()
        elif self._offline and self._cache.is_absent(part):
            return None
        if self._client is None:
            self._client, self._sharded = self._new_client()
        config = SourceConfig(cache_action=action or self._action(part), sharded_enabled=self._sharded)
        return Gateway(cache_dir=self._cache.folder, default_config=config, client=self._client), Channel(base)

    def _action(self, part: Part) -> _Action:
        if self._offline:
            return "force-cache-only"
        if self._refresh:
            return "no-cache"
        if self._cache.is_fresh(part):
            self._trusting.add(part.subdir)
            return "force-cache-only"
        return "cache-or-fetch"

    def _new_client(self) -> tuple[Any, bool]:
        """A client that lets us in, and whether it may read sharded repodata."""
        from rattler import Config
        from rattler.networking import AddHeadersMiddleware, Client, MirrorMiddleware, RetryMiddleware

        if self.place.is_local:
            return Client([]), True
        url, access, known = self.place.url, self.place.access, self._connection
        host = urlsplit(url).hostname or ""
        login = Logins(known.credentials, known.netrc, keyring=known.keyring).find(url)
        headers = {"Authorization": _basic(login)} if login else {}
        agent = f"mlpin/{__version__}"
        unverified = host in known.trusted_hosts or urlsplit(url).netloc in known.trusted_hosts
        with _certificates(known):
            if known.proxy or unverified:
                # rattler takes either settings or callbacks. Its own headers go to every host that a channel names,
                # and only the shards of a channel may be on another host than the channel.
                lines = [f"tls-no-verify = {json.dumps(unverified)}"]
                if access.url:
                    lines.append(f"mirrors = {{ {json.dumps(url)} = [{json.dumps(access.url)}] }}")
                if known.proxy:
                    proxy = json.dumps(known.proxy if "://" in known.proxy else f"http://{known.proxy}")
                    lines.append(f"proxy-config = {{ http = {proxy}, https = {proxy} }}")
                config = Config.from_toml("\n".join(lines))
                return Client.from_config(config, known.retries, headers, agent), not login
            middlewares: list[Any] = [RetryMiddleware(known.retries)]
            if login:
                middlewares.append(AddHeadersMiddleware(lambda asked, _: headers if asked == host else None))
            if access.url:
                middlewares.append(MirrorMiddleware({url: [access.url]}))
            return Client(middlewares, user_agent=agent), True

    # -- when it fails

    async def _recovered(self, part: Part, names: Sequence[str], said: str) -> Usable | None:
        """An answer in spite of what rattler said, or an error in our words."""
        if "could not find subdir" in said:
            self.parts[part.subdir] = None
            return None
        if part.subdir in self._trusting:  # what the cache has is young, but not all of it is there
            self._trusting.discard(part.subdir)
            self.parts[part.subdir] = self._open(part, "cache-or-fetch")
            return await self._in(part, names)
        if self._offline and "cache" in said:
            raise IndexUnavailable(
                f"the channel's repodata for {part.subdir} is not in the cache, and --offline forbids to ask for it",
                where=self.place.url,
                hint="run once without --offline",
            )
        if not _ONE_RECORD.search(said):
            raise await _beside(lambda: self._diagnosed(part, said))
        if path := self._plain(part):
            return repodata.from_json(path, names, part)
        if len(names) == 1:
            return Usable({}, [(names[0], f"its records in {part.subdir} cannot be read")])
        middle = len(names) // 2
        halves = [await self._in(part, half) for half in (names[:middle], names[middle:])]
        return repodata.joined([half for half in halves if half])

    def _plain(self, part: Part) -> str:
        """The file with the whole repodata of a subdir, unpacked; empty where there is none."""
        if self.place.is_local:
            return f"{repodata.local_folder(local_path(part.url), self._cache.folder)}/repodata.json"
        return self._cache.plain(part)

    def _diagnosed(self, part: Part, said: str) -> MlpinError:
        what = f"the channel's repodata for {part.subdir} cannot be read"
        if self.place.is_local:
            return InputError(what, where=local_path(part.url), hint="run `conda index` on the channel again")
        if problem := self._probe(part):
            return problem
        if _UNREADABLE.search(said):
            return IndexUnavailable(
                what, where=part.url, hint="try again with --refresh; else its server has it broken"
            )
        return IndexUnavailable("the channel does not answer as it should", where=part.url, hint="try again")

    def _probe(self, part: Part) -> MlpinError | None:
        """What is wrong with the server, in our own words: rattler's have URLs in them."""
        access = self.place.access
        transport = Transport(self._connection._replace(retries=0))
        try:
            transport.get(f"{access.url or self.place.url}/{part.subdir}/repodata.json", enough=lambda _: False)
        except MlpinError as error:
            message = error.message.replace(access.url or self.place.url, self.place.url)
            message = message.replace("the index", "the channel")
            hint = (error.hint or "try again later").replace("the index", "the channel")
            if access.url and "it wants credentials" in message:
                message = message.replace("it wants credentials", "its token is refused")
                hint = "check what stands after /t/ in the channel's URL"
            where = error.where if isinstance(error, InputError) else part.url
            return type(error)(message, where=where, hint=hint)
        finally:
            transport.close()
        return None


class _Cache:
    """The folder that rattler keeps repodata in, and what it does not note itself."""

    def __init__(self, folder: Path | None) -> None:
        self._temporary = None
        if folder is None:
            import tempfile

            self._temporary = tempfile.TemporaryDirectory(prefix="mlpin-channels-")
            folder = Path(self._temporary.name)
        self.folder = folder

    def close(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    def _stored(self, part: Part) -> Iterator[tuple[Path, dict[str, Any]]]:
        """The files in which rattler notes where it has the repodata of a subdir from."""
        for path in self.folder.glob("*.info.json"):
            with suppress(OSError, ValueError):
                noted = json.loads(path.read_bytes())
                if isinstance(noted, dict) and str(noted.get("url")).startswith(f"{part.url}/repodata.json"):
                    yield path, noted

    def plain(self, part: Part) -> str:
        for path, _ in self._stored(part):
            file = path.with_name(path.name.removesuffix(".info.json") + ".json")
            if file.is_file():
                return str(file)
        return ""

    def is_fresh(self, part: Part) -> bool:
        """Whether the repodata is young, of a server that does not say how long it holds: rattler would ask."""
        for path, noted in self._stored(part):
            with suppress(OSError):
                if not noted.get("cache_control") and -60 <= time.time() - path.stat().st_mtime < DEFAULT_MAX_AGE:
                    return True
        return False

    def _absent(self, part: Part) -> Path:
        return self.folder / "absent" / hashlib.sha256(part.url.encode()).hexdigest()[:16]

    def is_absent(self, part: Part) -> bool:
        """Whether the channel lacked the subdir when it was last asked."""
        return self._absent(part).exists()

    def note_absent(self, part: Part, *, absent: bool) -> None:
        with suppress(OSError):
            if not absent:
                self._absent(part).unlink(missing_ok=True)
                return
            self._absent(part).parent.mkdir(parents=True, exist_ok=True)
            self._absent(part).touch()


@contextmanager
def _certificates(connection: Connection) -> Iterator[None]:
    """Lets rattler find `cert`: it looks for certificates only where the environment says."""
    cert = connection.cert
    name = "SSL_CERT_DIR" if cert and os.path.isdir(cert) else "SSL_CERT_FILE"
    before = connection.environ.get(name)
    if cert is None or cert == before:
        yield
        return
    os.putenv(name, cert)
    try:
        yield
    finally:
        if before is None:
            os.unsetenv(name)
        else:
            os.putenv(name, before)


def _basic(login: Login) -> str:
    from base64 import b64encode

    return "Basic " + b64encode(f"{login[0]}:{login[1]}".encode()).decode()


async def _all(asking: Iterable[Awaitable[T]]) -> list[T]:
    """What all of them return, in their order; of several that fail, the error of the first in that order."""
    answers = await asyncio.gather(*asking, return_exceptions=True)
    found: list[T] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        found.append(answer)
    return found


async def _beside(work: Callable[[], T]) -> T:
    """What `work` returns, from a thread that nobody waits for when the run is ended."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        found = work()
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(lambda: None if answer.done() else answer.set_result(found))

    threading.Thread(target=run, daemon=True).start()
    return await answer
