"""Files that spare requests: pages by index and project, metadata by the hash of its file.

Any number of processes may share one cache directory, on a network file system too: a record is written
beside its place and renamed into it, so that a reader sees all of it or none. What is cut off or cannot be
read is a miss, never an error; a cache that cannot be written is one that keeps nothing.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mlpin.candidate import Artifact, Metadata
from mlpin.errors import BadDistribution
from mlpin.index import metadata as metadata_form
from mlpin.index.page import Page

_ABANDONED = 3600
"""Seconds after which a file that was not finished belongs to nobody."""

DEFAULT_MAX_AGE = 600
"""Seconds that a page is taken as fresh where the index says nothing: what the public one says."""

_REFUSALS = "refused-v1"
"""Counted up whenever more can be read from a source archive than before."""

_HEAD = 96 << 10
"""Bytes of a page's record that are read at first: its versions, and the files of the newest ones."""


class StoredPage(NamedTuple):
    """A page of the cache, and how to ask whether it still holds."""

    page: Page
    fresh: bool
    etag: str
    last_modified: str
    header: dict[str, Any]


class Cache:
    """A cache directory. `root` None keeps nothing."""

    def __init__(self, root: Path | None, *, refresh: bool = False) -> None:
        self._root = str(root) if root else ""
        self._refresh = refresh
        self._started = time.time()
        self._swept: set[str] = set()

    @property
    def enabled(self) -> bool:
        return bool(self._root)

    def folder(self, name: str) -> Path | None:
        """A directory of the cache for things that are no records; None where nothing is kept."""
        return Path(self._root) / name if self._root else None

    def _page_path(self, index: str, project: str) -> str:
        digest = hashlib.sha256(index.encode()).hexdigest()[:16]
        return f"{self._root}/pages-v1/{digest}/{project or '@links'}"

    def _file_path(self, kind: str, key: str) -> str:
        digest = hashlib.sha256(key.encode()).hexdigest()
        return f"{self._root}/{kind}/{digest[:2]}/{digest[2:40]}"

    def page(self, index: str, project: str) -> StoredPage | None:
        """The stored page, fresh or not; None where there is none."""
        if not self._root:
            return None
        path = self._page_path(index, project)
        try:
            with open(path, "rb", buffering=0) as file:
                data = file.read(_HEAD)
                facts = os.fstat(file.fileno())
                if b"\n" not in data and len(data) == _HEAD:
                    data += file.read()
        except OSError:
            return None

        def whole() -> Page | None:
            try:
                with open(path, "rb") as file:
                    found = Page.load(file.read())
            except OSError:
                return None
            return found[0] if found else None

        checked = facts.st_mtime
        loaded = Page.load(data, facts.st_size, whole if facts.st_size > len(data) else None)
        if loaded is None or loaded[0].project != project:
            return None
        page, header = loaded
        # With --refresh only what was asked for since this process began counts as fresh.
        limit = self._started if self._refresh else time.time() - header.get("max_age", 0)
        fresh = limit <= checked <= time.time() + 60
        return StoredPage(page, fresh, header.get("etag", ""), header.get("last_modified", ""), header)

    def store_page(self, index: str, page: Page, *, max_age: int, etag: str = "", last_modified: str = "") -> None:
        """Keep a page that has just been fetched."""
        if self._root and max_age >= 0:
            self._write(
                self._page_path(index, page.project),
                page.dump(max_age=max_age, etag=etag, last_modified=last_modified),
            )

    def touch_page(self, index: str, project: str) -> None:
        """Note that the index has just confirmed the stored page (304)."""
        with suppress(OSError):
            os.utime(self._page_path(index, project))

    def metadata(self, key: str) -> Metadata | None:
        """The metadata of the file with this hash (`sha256:hex`); None where it is not known."""
        data = self.blob("metadata-v1", key)
        return metadata_form.load(data) if data is not None else None

    def store_metadata(self, key: str, metadata: Metadata) -> None:
        """Keep the metadata of the file with this hash, for ever."""
        if self._root and key:
            self._write(self._file_path("metadata-v1", key), metadata_form.dump(metadata))

    def refusal(self, artifact: Artifact, name: str, version: str) -> BadDistribution | None:
        """Why a source archive with these bytes has no metadata that can be had; None where that is not known."""
        data = self.blob(_REFUSALS, _bytes_of(artifact, name, version), lasting=False)
        if data is None:
            return None
        message, _, hint = data.decode("utf-8", "replace").partition("\n")
        return BadDistribution(message, where=artifact.filename, hint=hint or None)

    def store_refusal(self, artifact: Artifact, name: str, version: str, error: BadDistribution) -> None:
        """Keep why a source archive has no metadata until a --refresh."""
        message = " ".join(error.message.split())
        self.store_blob(_REFUSALS, _bytes_of(artifact, name, version), f"{message}\n{error.hint or ''}".encode())

    def blob(self, kind: str, key: str, *, lasting: bool = True) -> bytes | None:
        """The bytes stored for `key`; those that are not for ever hold no longer than until a --refresh."""
        if not self._root or not key:
            return None
        try:
            with open(self._file_path(kind, key), "rb") as file:
                if self._refresh and not lasting and os.fstat(file.fileno()).st_mtime < self._started:
                    return None
                return file.read()
        except OSError:
            return None

    def store_blob(self, kind: str, key: str, data: bytes) -> None:
        """Keep bytes for `key`."""
        if self._root and key:
            self._write(self._file_path(kind, key), data)

    def _write(self, path: str, data: bytes) -> None:
        temporary = f"{path}.{os.getpid()}.{time.monotonic_ns()}.tmp"
        try:
            try:
                file = open(temporary, "xb")  # noqa: SIM115
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                file = open(temporary, "xb")  # noqa: SIM115
            with file:
                file.write(data)
            os.replace(temporary, path)
            self._sweep(os.path.dirname(path))
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)

    def _sweep(self, folder: str) -> None:
        """Take away what runs that were cut off left in a folder; once a process, and only by one that writes."""
        if folder in self._swept:
            return
        self._swept.add(folder)
        with suppress(OSError):
            for entry in os.scandir(folder):
                if entry.name.endswith(".tmp") and time.time() - entry.stat().st_mtime > _ABANDONED:
                    os.unlink(entry.path)


def _bytes_of(artifact: Artifact, name: str, version: str) -> str:
    return f"sha256:{artifact.sha256} {name} {version}" if artifact.sha256 else ""


def default_root(environ: dict[str, str] | os._Environ[str], system: str) -> Path:
    """Where the cache is unless it is configured: the platform's own place for caches."""
    home = Path.home()
    if system == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "mlpin" / "cache"
    if system == "darwin":
        return home / "Library" / "Caches" / "mlpin"
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "mlpin"
