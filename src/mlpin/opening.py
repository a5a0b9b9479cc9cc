"""What a run opens: the catalog of the indexes with the cache, and the reader of sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlpin.errors import InputError
from mlpin.lock import file as lock_file
from mlpin.manifest.model import Context
from mlpin.settings import Settings, SuppliedMetadata

if TYPE_CHECKING:
    from mlpin.index.catalog import Catalog, Event
    from mlpin.index.channels import Channels
    from mlpin.index.transport import Connection
    from mlpin.matrix.matrix import Matrix
    from mlpin.sources import Sources


class RunOptions(NamedTuple):
    """What a command that resolves was asked for beside the settings."""

    path: Path
    root: Path
    settings: Settings
    environ: Mapping[str, str]
    target: str | None = None
    output: Path | None = None
    upgrade: frozenset[str] = frozenset()
    """Names that may leave their locked version; `:all:` for every one."""
    refresh: bool = False
    dry: bool = False
    """Write nothing."""
    lines: tuple[str, ...] = ()
    """Requirements in place of a project's."""


def no_fetch(url: str) -> str:
    """Raises: nothing is fetched here."""
    raise InputError("cannot be fetched", where=url)


def _fallback(matrix: Matrix | None) -> Callable[[str, str], SuppliedMetadata | None] | None:
    """What the matrix supplies for files without metadata that can be read."""
    if matrix is None:
        return None

    def supplied(name: str, version: str) -> SuppliedMetadata | None:
        found = matrix.supplied(name, version)
        if found is None:
            return None
        return SuppliedMetadata(name, "", found.requires, found.requires_python, found.extras)

    return supplied


def open_catalog(
    settings: Settings, options: RunOptions, on_event: Event | None, matrix: Matrix | None = None
) -> Catalog:
    """The indexes and the cache that the settings name; nothing is asked of them yet."""
    import sys

    from mlpin.index.cache import Cache, default_root
    from mlpin.index.catalog import Catalog
    from mlpin.index.places import places

    root = None
    if not settings.no_cache:
        root = Path(settings.cache_dir) if settings.cache_dir else default_root(dict(options.environ), sys.platform)
    known = places(settings)

    def connection() -> Connection:
        from mlpin.index.transport import Connection

        environ = options.environ
        netrc = environ.get("NETRC") or str(Path.home() / ".netrc")
        return Connection(
            timeout=settings.timeout or 30.0,
            retries=settings.retries if settings.retries is not None else 3,
            cert=settings.cert or environ.get("SSL_CERT_FILE") or environ.get("REQUESTS_CA_BUNDLE") or None,
            client_cert=settings.client_cert,
            proxy=settings.proxy,
            trusted_hosts=settings.trusted_hosts or (),
            keyring=bool(settings.keyring),
            netrc=netrc if Path(netrc).is_file() else None,
            credentials=known.credentials,
            environ=environ,
        )

    def connect() -> Any:
        from mlpin.index.transport import Transport

        return Transport(connection())

    def channels(names: tuple[str, ...], subdir: str) -> Channels:
        from mlpin.index.channel_names import channel_places
        from mlpin.index.channels import Channels

        return Channels(
            channel_places(settings, names, subdir),
            subdir,
            cache=root / "conda" if root else None,
            offline=bool(settings.offline),
            refresh=options.refresh,
            connection=connection(),
            on_event=on_event,
        )

    return Catalog(
        known,
        Cache(root, refresh=options.refresh),
        connect,
        channels=channels,
        offline=bool(settings.offline),
        supplied=settings.metadata or (),
        fallback=_fallback(matrix),
        on_event=on_event,
    )


def sources_of(
    settings: Settings, catalog: Catalog, options: RunOptions, old: lock_file.OldLock | None
) -> Callable[[], Sources]:
    """The reader of sources, made when the first one is met: few projects have any."""
    made: list[Sources] = []

    def sources() -> Sources:
        if not made:
            from mlpin.sources import Sources

            context = Context(options.root, options.environ, catalog.text)
            locked = old.commits if old else {}
            kept = {key: commit for key, (name, commit) in locked.items() if not options.upgrade & {":all:", name}}
            made.append(Sources(catalog, context, catalog.cache.folder("git"), settings.metadata or (), kept))
        return made[0]

    return sources
