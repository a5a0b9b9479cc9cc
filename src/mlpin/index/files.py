"""The metadata and the hash of one file of an index, by the cheapest way that the index offers.

The order: the metadata file beside a wheel (PEP 658, 714), byte ranges of the wheel, the whole wheel; for a
source archive the whole archive. What has a hash is checked against it; nothing is built or executed.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from typing import IO, TYPE_CHECKING

from mlpin.candidate import Artifact, Metadata
from mlpin.errors import BadDistribution, IndexUnavailable
from mlpin.index import metadata as headers
from mlpin.index import sdist, wheel
from mlpin.index.url import local_path, redacted

if TYPE_CHECKING:
    from mlpin.index.catalog import Catalog
    from mlpin.index.transport import Answer

_TOTAL = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_SHA256 = re.compile(rb"[0-9a-f]{64}")
_ABSENT = frozenset({404, 410})
_NOT_THERE = "the index lists it, but answers that it is not there"


def metadata(catalog: Catalog, name: str, version: str, artifact: Artifact) -> Metadata:
    """The metadata of `artifact`. Raises `BadDistribution` and `IndexUnavailable`."""
    if not artifact.is_wheel:
        catalog.tell("metadata", artifact.filename)
        archive = _whole(catalog, artifact)
        try:
            return sdist.metadata_of(archive, artifact.filename, name, version)
        except BadDistribution as error:
            # The same bytes will say no more the next time.
            catalog.cache.store_refusal(artifact, name, version, error)
            raise
    text = None
    if local := local_path(artifact.url):
        with _opened(local, artifact) as file:
            return headers.parse(_from_file(file, artifact, name, version), artifact.filename, name, version, "wheel")
    transport = catalog.transport
    catalog.tell("metadata", artifact.filename)
    if artifact.metadata:
        answer = transport.get(artifact.url + ".metadata", limit=wheel.MAX_METADATA)
        if answer.status == 200:
            kind, _, stated = artifact.metadata.partition(":")
            if kind == "sha256" and hashlib.sha256(answer.body).hexdigest() != stated.lower():
                raise BadDistribution(
                    "its metadata file is not the one whose hash the index states", where=artifact.filename
                )
            text = answer.body.decode("utf-8", "replace")
            return headers.parse(text, artifact.filename, name, version, "metadata-file")
    text = _by_ranges(catalog, artifact, name, version)
    if text is None:
        with _downloaded(catalog, artifact) as file:
            text = _from_file(file, artifact, name, version)
    return headers.parse(text, artifact.filename, name, version, "wheel")


def _by_ranges(catalog: Catalog, artifact: Artifact, name: str, version: str) -> str | None:
    """The METADATA text by byte ranges; None where the server serves none."""
    transport = catalog.transport

    def partial(status: int) -> bool:
        return bool(status == 206)

    answer = transport.get(artifact.url, span=f"bytes=-{wheel.TAIL}", enough=partial)
    if answer.status in {416, 400} or (answer.status == 206 and not _is_tail(answer)):
        # Some servers know no ranges from the end, or take them for ranges from the start.
        size = transport.size(artifact.url)
        if size is None:
            return None
        answer = transport.get(artifact.url, span=f"bytes={max(0, size - wheel.TAIL)}-{size - 1}", enough=partial)
    if answer.status in _ABSENT:
        raise BadDistribution(_NOT_THERE, where=artifact.filename)
    total = _is_tail(answer) if answer.status == 206 else 0
    if not total:
        return None

    def fetch(start: int, end: int) -> bytes:
        part = transport.get(artifact.url, span=f"bytes={start}-{end - 1}", enough=partial)
        if part.status != 206:
            raise IndexUnavailable(f"the index answered {part.status} to a byte range", where=redacted(artifact.url))
        return bytes(part.body)

    return wheel.metadata_of(total, answer.body, fetch, artifact.filename, name, version)


def _is_tail(answer: Answer) -> int:
    """The size of the whole file if the answer is its last part; else 0."""
    stated = _TOTAL.fullmatch(answer.headers.get("content-range", "").strip())
    if not stated:
        return 0
    first, last, total = int(stated[1]), int(stated[2]), int(stated[3])
    return total if last + 1 == total and total - first == len(answer.body) else 0


def _from_file(file: IO[bytes], artifact: Artifact, name: str, version: str) -> str:
    size = file.seek(0, 2)

    def fetch(start: int, end: int) -> bytes:
        file.seek(start)
        return file.read(end - start)

    return wheel.metadata_of(size, fetch(max(0, size - wheel.TAIL), size), fetch, artifact.filename, name, version)


def sha256(catalog: Catalog, artifact: Artifact) -> str:
    """The sha256 of a file, computed. Raises as `metadata` does."""
    known = catalog.cache.blob("sha256-v1", artifact.url, lasting=False)
    if known and _SHA256.fullmatch(known) and not local_path(artifact.url):
        return known.decode()
    with _downloaded(catalog, artifact) as file:
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    if not local_path(artifact.url):
        catalog.cache.store_blob("sha256-v1", artifact.url, found.encode())
    return found


def _whole(catalog: Catalog, artifact: Artifact) -> bytes:
    if (artifact.size or 0) > sdist.MAX_ARCHIVE:
        raise BadDistribution("a source archive that is too large to read", where=artifact.filename)
    with _downloaded(catalog, artifact) as file:
        file.seek(0, 2)
        if file.tell() > sdist.MAX_ARCHIVE:
            raise BadDistribution("a source archive that is too large to read", where=artifact.filename)
        file.seek(0)
        return file.read()


def _downloaded(catalog: Catalog, artifact: Artifact) -> IO[bytes]:
    """The whole file, checked against its hash, in a file that goes away when it is closed."""
    if path := local_path(artifact.url):
        return _opened(path, artifact)
    transport = catalog.transport
    catalog.tell("download", artifact.filename)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        status, found = transport.download(artifact.url, file)
        _check(artifact, status, found)
    except BaseException:
        file.close()
        raise
    return file


def _check(artifact: Artifact, status: int, sha256: str) -> None:
    """Raises where a download is not the file that the index lists."""
    if status in _ABSENT:
        raise BadDistribution(_NOT_THERE, where=artifact.filename)
    if status != 200:
        raise IndexUnavailable(f"the index answered {status}", where=redacted(artifact.url))
    if artifact.sha256 and sha256 != artifact.sha256:
        raise BadDistribution(
            f"its sha256 is {sha256}, the index states {artifact.sha256}",
            where=artifact.filename,
            hint="the file was changed on the way or on the index; do not install it",
        )


def _opened(path: str, artifact: Artifact) -> IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise BadDistribution(f"cannot be read: {error.strerror}", where=artifact.filename) from None
