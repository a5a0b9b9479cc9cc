"""Wheels and source archives made in memory: real zip and tar files that installers take."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_EPOCH = (2020, 1, 1, 0, 0, 0)


class Built(NamedTuple):
    """A distribution as an index would list it."""

    filename: str
    data: bytes
    metadata: bytes
    """What PEP 658 serves; empty for a source archive."""
    requires_python: str = ""
    yanked: str | None = None
    upload_time: str = "2024-05-01T12:00:00.000000Z"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def project(self) -> str:
        return self.filename.split("-")[0].lower().replace("_", "-").replace(".", "-")


def headers(
    name: str,
    version: str,
    requires: Sequence[str] = (),
    *,
    extras: Sequence[str] = (),
    requires_python: str = "",
    metadata_version: str = "2.1",
    dynamic: Sequence[str] = (),
) -> str:
    """Core metadata as text."""
    lines = [f"Metadata-Version: {metadata_version}", f"Name: {name}", f"Version: {version}"]
    lines += [f"Dynamic: {field}" for field in dynamic]
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {line}" for line in requires]
    return "\n".join(lines) + "\n\nA description.\n"


def wheel(
    name: str,
    version: str,
    requires: Sequence[str] = (),
    *,
    extras: Sequence[str] = (),
    requires_python: str = "",
    tags: str = "py3-none-any",
    metadata: str | None = None,
    first: Mapping[str, bytes] | None = None,
    last: Mapping[str, bytes] | None = None,
    yanked: str | None = None,
    upload_time: str = "2024-05-01T12:00:00.000000Z",
) -> Built:
    """A wheel with one module. `first` and `last` are members before and after those of the metadata.

    `metadata` replaces the text of METADATA. What is in `first` and `last` is stored, not compressed.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    text = (
        metadata
        if metadata is not None
        else headers(name, version, requires, extras=extras, requires_python=requires_python)
    ).encode()
    tag_lines = "".join(f"Tag: {tags}\n" for _ in (0,))
    members: dict[str, bytes] = {
        **(first or {}),
        f"{name.replace('-', '_')}.py": f'__version__ = "{version}"\n'.encode(),
        f"{stem}.dist-info/METADATA": text,
        f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n{tag_lines}".encode(),
        **(last or {}),
    }
    record = "".join(f"{path},{_record_hash(data)},{len(data)}\n" for path, data in members.items())
    members[f"{stem}.dist-info/RECORD"] = (record + f"{stem}.dist-info/RECORD,,\n").encode()
    stored = {*(first or ()), *(last or ())}
    return Built(f"{stem}-{tags}.whl", zipped(members, stored=stored), text, requires_python, yanked, upload_time)


def _record_hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def zipped(members: Mapping[str, bytes], *, stored: Sequence[str] | set[str] = (), comment: bytes = b"") -> bytes:
    """A zip archive of `members`, the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in members.items():
            info = zipfile.ZipInfo(path, _EPOCH)
            info.external_attr = 0o644 << 16
            archive.writestr(info, data, zipfile.ZIP_STORED if path in stored else zipfile.ZIP_DEFLATED)
        archive.comment = comment
    return buffer.getvalue()


def tarred(members: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """A .tar.gz of `members`, the same bytes each time; a `TarInfo` stands for a link or the like."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for path, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
                continue
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def sdist(
    name: str,
    version: str,
    requires: Sequence[str] = (),
    *,
    pkg_info: str | None = None,
    files: Mapping[str, str] | None = None,
    requires_python: str = "",
    yanked: str | None = None,
    upload_time: str = "2024-05-01T12:00:00.000000Z",
    form: str = "tar.gz",
) -> Built:
    """A source archive. Unless `pkg_info` says otherwise, its PKG-INFO is of metadata 2.2 with `requires`.

    `pkg_info` empty leaves the file out. `files` come on top of it, by path inside of the archive's folder.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    if pkg_info is None:
        pkg_info = headers(name, version, requires, requires_python=requires_python, metadata_version="2.2")
    members: dict[str, bytes] = {f"{stem}/PKG-INFO": pkg_info.encode()} if pkg_info else {}
    members |= {f"{stem}/{path}": text.encode() for path, text in (files or {}).items()}
    members |= {f"{stem}/{name.replace('-', '_')}.py": f'__version__ = "{version}"\n'.encode()}
    data = tarred(members) if form == "tar.gz" else zipped(members)
    return Built(f"{stem}.{form}", data, b"", requires_python, yanked, upload_time)
