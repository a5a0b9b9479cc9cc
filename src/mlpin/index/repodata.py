"""Repodata as values: records out of rattler's, or out of the JSON where rattler refuses a name for one bad record.

Knows the form of repodata (CEP 36) and which records cannot be used; fetches nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin

from mlpin.conda.record import CondaRecord
from mlpin.errors import InputError
from mlpin.index.channel_names import without_token
from mlpin.index.url import strip_credentials

_FILE = re.compile(r"([A-Za-z0-9_.+!=~-]+)(\.conda|\.tar\.bz2)")
_HEX = {"md5": re.compile(r"[0-9a-f]{32}"), "sha256": re.compile(r"[0-9a-f]{64}")}
_COMPRESSED = ("repodata.json.zst", "repodata.json.bz2")

# Of rattler's own objects: its public properties wrap each value once more, which costs three times as much.
_facts = attrgetter(
    "name.normalized", "version", "build", "build_number", "subdir", "file_name", "url", "depends", "constrains",
    "track_features", "features", "noarch", "timestamp", "sha256", "md5", "size", "license",
)  # fmt: skip


class Part(NamedTuple):
    """One subdir of a channel, as its records tell of it."""

    channel: str
    subdir: str
    url: str
    """Of the subdir, without credentials and without a `/` at its end."""
    position: int = 0


class Usable(NamedTuple):
    """Records by name, and those that cannot be used as (file, why)."""

    by_name: dict[str, list[CondaRecord]]
    dropped: list[tuple[str, str]]


def from_rattler(records: Iterable[Any], part: Part, base: str) -> Usable:
    """What rattler's `RepoDataRecord`s say, which it read below `base` (a URL with a `/` at its end)."""
    channel, subdir, url_above, position = part
    url_above += "/"
    by_name: dict[str, dict[str, CondaRecord]] = {}
    dropped = []
    new = tuple.__new__  # half the time of the class itself
    for record in records:
        (
            name, version, build, number, stated, filename, url, depends, constrains,
            track, features, noarch, timestamp, sha256, md5, size, license_,
        ) = _facts(record._record)  # noqa: SLF001  # fmt: skip
        file = _FILE.fullmatch(filename)
        why = _wrong(file, filename, name, stated, subdir) or ("" if sha256 or md5 else "it has no hash")
        if file is None or why:
            dropped.append((filename, why))
            continue
        files = by_name.setdefault(name, {})
        if file[2] != ".conda" and file[1] in files:
            continue
        files[file[1]] = new(
            CondaRecord,
            (
                name, version[1], str(build), number, channel, stated, filename,
                url_above + filename if url == base + filename else _public(url),
                tuple(depends), tuple(constrains), tuple(track), features or "",
                "python" if noarch.is_python else "generic" if noarch.is_generic else "",
                timestamp or 0, sha256.hex() if sha256 else "", md5.hex() if md5 else "", size, license_ or "",
                position,
            ),
        )  # fmt: skip
    return Usable({name: list(files.values()) for name, files in by_name.items()}, dropped)


def _wrong(file: re.Match[str] | None, filename: str, name: str, stated: str, subdir: str) -> str:
    """Why a record does not fit the place where it stands; empty where it does."""
    if file is None:
        return "it is no package file that conda knows"
    if not filename.lower().startswith(f"{name}-"):
        return f"it says that its name is {name}"
    if stated != subdir:
        return f"it stands in {subdir} and says that it is for {stated}"
    return ""


def joined(parts: Iterable[Usable]) -> Usable:
    """Several as one; no name is in two of them."""
    whole = Usable({}, [])
    for part in parts:
        whole.by_name.update(part.by_name)
        whole.dropped.extend(part.dropped)
    return whole


def from_json(path: str, names: Iterable[str], part: Part) -> Usable:
    """What the repodata file at `path` says of `names`, record by record. Raises `InputError`."""
    wanted = frozenset(names)
    try:
        with open(path, "rb") as file:
            data = json.load(file)
    except (OSError, ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise InputError(f"the channel's repodata for {part.subdir} cannot be read", where=part.url)
    removed = data.get("removed")
    gone = frozenset(name for name in removed if isinstance(name, str)) if isinstance(removed, list) else frozenset()
    info = data.get("info")
    elsewhere = info.get("base_url") if isinstance(info, dict) else None
    if isinstance(elsewhere, str) and elsewhere:
        part = part._replace(url=_public(urljoin(f"{part.url}/", elsewhere)).rstrip("/"))
    by_name: dict[str, dict[str, CondaRecord]] = {}
    dropped = []
    for key in ("packages.conda", "packages"):
        table = data.get(key)
        for filename, entry in table.items() if isinstance(table, dict) else ():
            if filename in gone or filename.rsplit("-", 2)[0].lower() not in wanted:
                continue
            read = _read(filename, entry, part)
            if isinstance(read, str):
                dropped.append((filename, read))
            else:
                stem = filename.removesuffix(".conda").removesuffix(".tar.bz2")
                by_name.setdefault(read.name, {}).setdefault(stem, read)
    return Usable({name: list(files.values()) for name, files in by_name.items()}, dropped)


def _public(url: str) -> str:
    return strip_credentials(url if url.startswith("file:") else without_token(url))


def _read(filename: str, entry: Any, part: Part) -> CondaRecord | str:
    """One record of the JSON, or why it cannot be used."""
    if not isinstance(entry, Mapping):
        return "it is no record"
    get = entry.get
    name, version, build = (value if isinstance(value := get(key), str) else "" for key in ("name", "version", "build"))
    if not (name and version and build):
        return "its name, version or build is no text"
    number, stated = get("build_number", 0), get("subdir", part.subdir)
    if type(number) is not int or number < 0:
        return "its build number is no number"
    if why := _wrong(_FILE.fullmatch(filename), filename, name.lower(), str(stated), part.subdir):
        return why
    lists = {key: get(key, ()) for key in ("depends", "constrains")}
    for key, value in lists.items():
        if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
            return f"its {key} are no list of texts"
    hashes = {key: value for key in _HEX if (value := get(key)) is not None}
    for key, value in hashes.items():
        if not isinstance(value, str) or not _HEX[key].fullmatch(value):
            return f"its {key} is none"
    if not hashes:
        return "it has no hash"
    numbers = {key: get(key) for key in ("size", "timestamp")}
    for key, value in numbers.items():
        if value is not None and (type(value) is not int or value < 0):
            return f"its {key} is no number"
    track = get("track_features") or ()
    noarch = get("noarch")
    return CondaRecord(
        name.lower(),
        version,
        build,
        number,
        part.channel,
        part.subdir,
        filename,
        f"{part.url}/{quote(filename, safe='!+=~')}",
        tuple(lists["depends"]),
        tuple(lists["constrains"]),
        tuple(track.replace(",", " ").split() if isinstance(track, str) else map(str, track)),
        str(get("features") or ""),
        "python" if noarch == "python" else "generic" if noarch else "",
        numbers["timestamp"] or 0,
        hashes.get("sha256", ""),
        hashes.get("md5", ""),
        numbers["size"],
        str(get("license") or ""),
        part.position,
    )


def local_folder(folder: str, cache: Path) -> str:
    """The directory from which the repodata of a local subdir can be read plain; empty where it has none.

    That is the subdir itself, or one below `cache` into which a compressed file has been unpacked. Raises
    `InputError` where it cannot be, or `OSError`.
    """
    if os.path.isfile(f"{folder}/repodata.json"):
        return folder
    for name in _COMPRESSED:
        path = f"{folder}/{name}"
        if os.path.isfile(path):
            facts = os.stat(path)
            key = hashlib.sha256(f"{path}\n{facts.st_mtime_ns}\n{facts.st_size}".encode()).hexdigest()[:16]
            into = cache / "unpacked" / key / os.path.basename(folder)
            if not (into / "repodata.json").is_file():
                _unpack(path, into)
            return str(into)
    return ""


def _unpack(path: str, into: Path) -> None:
    import bz2
    import shutil

    import zstandard

    into.mkdir(parents=True, exist_ok=True)
    temporary = into / f"repodata.json.{os.getpid()}.tmp"
    try:
        with open(path, "rb") as raw, open(temporary, "wb") as plain:
            if path.endswith(".bz2"):
                with bz2.open(raw) as packed:
                    shutil.copyfileobj(packed, plain, 1 << 20)
            else:
                zstandard.ZstdDecompressor().copy_stream(raw, plain)
        os.replace(temporary, into / "repodata.json")
    except (zstandard.ZstdError, EOFError, OSError):
        raise InputError("this cannot be unpacked", where=path, hint="run `conda index` on the channel again") from None
    finally:
        temporary.unlink(missing_ok=True)
