"""The METADATA of a wheel out of as few of its bytes as possible.

A wheel is a zip archive: its directory stands at its end, and METADATA mostly right before that. Archives
are hostile input: sizes are checked before anything is unpacked, and only one member is ever read.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable

from mlpin.errors import BadDistribution
from mlpin.index.names import normalised_version
from mlpin.requirement import normalise

MAX_METADATA = 16 << 20
MAX_DIRECTORY = 64 << 20
TAIL = 48 << 10
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)

_END = struct.Struct("<4s4H2LH")
"""The end of the central directory: disks, entries, size, offset, length of the comment (APPNOTE 4.3.16)."""
_ENTRY = struct.Struct("<4s6H3L3H")
"""A directory entry up to the lengths of name, extra field and comment; 12 bytes stand between them and the name."""
_WANTED = b".dist-info/METADATA"
_SMALL_DIRECTORY = 16 << 10

Fetch = Callable[[int, int], bytes]
"""The bytes of the file from start to end (exclusive)."""


class _Remote(io.RawIOBase):
    """A seekable file whose bytes are fetched when they are read, whole stretches at a time."""

    def __init__(self, size: int, tail: bytes, fetch: Fetch) -> None:
        self._size = size
        self._fetch = fetch
        self._at = 0
        self._chunks: list[tuple[int, bytes]] = [(size - len(tail), tail)]

    def with_end(self, offset: int, end: bytes) -> _Remote:
        """The same file up to `offset`, then `end`."""
        other = _Remote(offset + len(end), end, self._fetch)
        other._chunks += [(start, data[: offset - start]) for start, data in self._chunks if start < offset]
        return other

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("it is too short for an archive")
        self._at = base + offset
        return self._at

    def read(self, count: int = -1) -> bytes:
        end = self._size if count is None or count < 0 else min(self._at + count, self._size)
        if end <= self._at:
            return b""
        for start, data in self._chunks:
            if start <= self._at and end <= start + len(data):
                found = data[self._at - start : end - start]
                self._at = end
                return found
        if end - self._at > MAX_DIRECTORY:
            raise BadDistribution("the archive's directory is too large to be true")
        # The directory is asked for whole, with what stands before it: METADATA is mostly there.
        start = max(0, self._at - TAIL)
        fetched_end = min(self._size, max(end, self._at + TAIL))
        data = self._fetch(start, fetched_end)
        if len(data) != fetched_end - start:
            raise BadDistribution("the index sent fewer bytes than it was asked for")
        self._chunks.append((start, data))
        found = data[self._at - start : end - start]
        self._at = end
        return found


def _reduced(remote: _Remote) -> _Remote | None:
    """The archive with a directory of METADATA alone; None where that is not worth it or not possible.

    torch's directory has 13,000 entries, and reading them takes longer than anything else about its metadata.
    What is left out is no more than what would be passed over; everything else about the archive stays as it is.
    """
    remote.seek(-_END.size, io.SEEK_END)
    signature, *_, size, offset, comment = _END.unpack(remote.read(_END.size))
    if signature != b"PK\x05\x06" or comment or size < _SMALL_DIRECTORY or 0xFFFFFFFF in (size, offset):
        return None
    if offset + size + _END.size != remote.seek(0, io.SEEK_END):
        return None
    remote.seek(offset)
    directory = remote.read(size)
    kept = []
    at = directory.find(_WANTED)
    while at >= 0:
        start = directory.rfind(b"PK\x01\x02", 0, at)
        if start < 0 or start + _ENTRY.size > size:
            return None
        *_, name, extra, note = _ENTRY.unpack_from(directory, start)
        end = start + _ENTRY.size + 12 + name
        if end == at + len(_WANTED):
            kept.append(directory[start : end + extra + note])
        at = directory.find(_WANTED, at + 1)
    if not kept:
        return None
    entries = b"".join(kept)
    end_record = _END.pack(b"PK\x05\x06", 0, 0, len(kept), len(kept), len(entries), offset, 0)
    return remote.with_end(offset, entries + end_record)


def metadata_of(size: int, tail: bytes, fetch: Fetch, filename: str, project: str, version: str) -> str:
    """The METADATA of the wheel of `size` bytes that ends with `tail`.

    Raises `BadDistribution` where it is no such wheel or lies about its sizes.
    """
    try:
        remote = _Remote(size, tail, fetch)
        archive = zipfile.ZipFile(_reduced(remote) or remote)
        info = _metadata_member(archive, filename, project, version)
        if info.file_size > MAX_METADATA or info.compress_size > MAX_METADATA:
            raise BadDistribution(  # noqa: TRY301
                f"its METADATA claims {max(info.file_size, info.compress_size)} bytes", where=filename
            )
        with archive.open(info) as member:
            data = member.read(MAX_METADATA + 1)
        if len(data) > MAX_METADATA or len(data) != info.file_size:
            raise BadDistribution("its METADATA is not of the size that the archive states")  # noqa: TRY301
    except BadDistribution as error:
        raise BadDistribution(error.message, where=filename) from None
    except _BROKEN as error:
        raise BadDistribution(f"not a readable wheel: {error}", where=filename) from None
    return data.decode("utf-8", "replace")


def _metadata_member(archive: zipfile.ZipFile, filename: str, project: str, version: str) -> zipfile.ZipInfo:
    found = None
    for info in archive.infolist():
        folder, slash, name = info.filename.partition("/")
        if name != "METADATA" or not slash or not folder.endswith(".dist-info"):
            continue
        stem, _, stated = folder[: -len(".dist-info")].rpartition("-")
        if normalise(stem) == project and normalised_version(stated.replace("_", "+")) == version:
            return info
        found = info
    if found is None:
        raise BadDistribution("a wheel without METADATA", where=filename)
    # Some build tools write another spelling of the version; the METADATA's own words are checked later.
    return found
