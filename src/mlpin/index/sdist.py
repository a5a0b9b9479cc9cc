"""The metadata of a source archive, as far as it can be known without running anything.

In this order: PKG-INFO with static dependencies (metadata 2.2 and newer, PEP 643), a static `[project]` table
(PEP 621), the `requires.txt` that setuptools left in the archive (marked *assumed*: a build could say otherwise).
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import tarfile
import tomllib
import zipfile
import zlib
from typing import IO, Any

from mlpin.candidate import Metadata
from mlpin.errors import BadDistribution
from mlpin.index import metadata
from mlpin.index.names import normalised_version
from mlpin.requirement import normalise

MAX_MEMBER = 16 << 20
MAX_ARCHIVE = 512 << 20
_SECTION = re.compile(r"\[([^\]]*)\]")
_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(OSError, EOFError, ValueError, NotImplementedError, RuntimeError),
)
_WANTED = re.compile(
    r"(?!\.\.?/)[^/]+/(?:PKG-INFO|pyproject\.toml|[^/]+\.egg-info/requires\.txt|src/[^/]+\.egg-info/requires\.txt)"
)


def metadata_of(data: bytes, filename: str, project: str, version: str) -> Metadata:
    """The static metadata of the source archive `data`.

    Raises `BadDistribution` where there is none, or where it contradicts the file's name.
    """
    try:
        members = _zip_members(data) if filename.endswith(".zip") else _tar_members(data)
    except _BROKEN as error:
        raise BadDistribution(f"not a readable source archive: {error}", where=filename) from None
    info = _only(members, lambda path: path.endswith("/PKG-INFO"))
    requires = _only(members, lambda path: path.endswith("/requires.txt"))
    fields = metadata.headers(info) if info else {}
    dynamic = {name.lower() for name in fields.get("dynamic", [])}
    if info and _static(fields) and "requires-dist" not in dynamic and "requires-python" not in dynamic:
        return metadata.parse(info, filename, project, version, "sdist")
    if pyproject := _only(members, lambda path: path.endswith("/pyproject.toml")):
        found = project_metadata(pyproject, filename)
        if found and (found.name != project or found.version not in {"", version}):
            raise BadDistribution(f"its pyproject.toml is that of {found.name} {found.version}", where=filename)
        if found:
            return found._replace(version=version, origin="sdist")
    if requires is not None and info is not None:
        head = metadata.parse(info, filename, project, version, "assumed")
        return head._replace(dependencies=metadata.dependencies(requires_txt(requires), filename))
    if info is not None and "requires-dist" in fields:
        return metadata.parse(info, filename, project, version, "assumed")
    raise BadDistribution(
        "a source archive that states its dependencies nowhere; they are known only by building it",
        where=filename,
        hint=f"give its metadata in [tool.mlpin.metadata] as `{project}`",
    )


def _static(fields: dict[str, list[str]]) -> bool:
    major, _, minor = fields.get("metadata-version", ["0.0"])[0].partition(".")
    return bool(re.fullmatch("[0-9]{1,4}", major) and re.fullmatch("[0-9]{1,4}", minor)) and (
        (int(major), int(minor)) >= (2, 2)
    )


def _only(members: dict[str, str], test: Any) -> str | None:
    """The member with the shortest matching path."""
    paths = sorted((path for path in members if test(path)), key=lambda path: (path.count("/"), path))
    return members[paths[0]] if paths else None


def _tar_members(data: bytes) -> dict[str, str]:
    found = {}
    read = 0
    with tarfile.open(fileobj=_Guarded(_unpacked(data)), mode="r:") as archive:  # type: ignore[call-overload]
        for member in archive:
            read += member.size
            if read > MAX_ARCHIVE:
                raise ValueError("it unpacks to more than can be true")
            name = member.name.removeprefix("./")
            if member.isfile() and _WANTED.fullmatch(name) and member.size <= MAX_MEMBER:
                file = archive.extractfile(member)
                if file is not None:
                    found[name] = file.read(MAX_MEMBER).decode("utf-8", "replace")
    return found


def _unpacked(data: bytes) -> IO[bytes]:
    file = io.BytesIO(data)
    if data.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if data.startswith(b"BZh"):
        return bz2.BZ2File(file)
    return lzma.LZMAFile(file) if data.startswith(b"\xfd7zXZ") else file


class _Guarded:
    """A file of which nothing large is read at once: tarfile takes extended headers whole into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_MEMBER + tarfile.BLOCKSIZE:
            raise ValueError("a header in it is larger than can be true")
        return self._file.read(size)


def _zip_members(data: bytes) -> dict[str, str]:
    found = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if _WANTED.fullmatch(info.filename) and info.file_size <= MAX_MEMBER:
                with archive.open(info) as member:
                    found[info.filename] = member.read(MAX_MEMBER).decode("utf-8", "replace")
    return found


def requires_txt(text: str) -> list[str]:
    """The lines of setuptools' `requires.txt` as `Requires-Dist` would have them."""
    found = []
    extra, condition = "", ""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if match := _SECTION.fullmatch(line):
            extra, _, condition = match[1].partition(":")
            continue
        markers = [f"({condition})"] if condition else []
        if extra:
            markers.append(f'extra == "{extra}"')
        requirement, _, own = line.partition(";")
        if own.strip():
            markers.insert(0, f"({own.strip()})")
        found.append(requirement.strip() + (f" ; {' and '.join(markers)}" if markers else ""))
    return found


def project_metadata(text: str, where: str) -> Metadata | None:
    """The metadata of a `pyproject.toml` whose `[project]` states dependencies statically; else None.

    The version is empty where it is dynamic. Raises `BadDistribution` on a requirement that cannot be read.
    """
    try:
        project = tomllib.loads(text).get("project")
    except tomllib.TOMLDecodeError:
        return None
    if not isinstance(project, dict) or not isinstance(project.get("name"), str):
        return None
    dynamic = project.get("dynamic", [])
    if not _texts(dynamic) or {"dependencies", "optional-dependencies", "requires-python"} & set(dynamic):
        return None
    stated_lines = project.get("dependencies", [])
    extras = project.get("optional-dependencies", {})
    requires_python = project.get("requires-python", "")
    if not _texts(stated_lines) or not isinstance(extras, dict) or not isinstance(requires_python, str):
        return None
    if not all(_texts(items) for items in extras.values()):
        return None
    lines = list(stated_lines)
    for extra, items in extras.items():
        for item in items:
            requirement, _, marker = item.partition(";")
            joined = f'({marker.strip()}) and extra == "{extra}"' if marker.strip() else f'extra == "{extra}"'
            lines.append(f"{requirement.strip()} ; {joined}")
    stated = project.get("version", "")
    return Metadata(
        normalise(project["name"]),
        (normalised_version(stated) or "") if isinstance(stated, str) else "",
        requires_python,
        metadata.dependencies(lines, where),
        tuple(sorted(normalise(str(name)) for name in extras)),
        "source-tree",
    )


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
