"""The conda part of a lock, as values: the packages of `[[tool.mlpin.conda]]`, and how they are read and written.

What stands in them is checked where it is read: each text may stand in a file that a conda client reads line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.index.url import redacted, strip_credentials
from mlpin.requirement import normalise

if TYPE_CHECKING:
    from mlpin.conda.record import CondaRecord

SUFFIXES = (".conda", ".tar.bz2")
_DIGESTS = {"sha256": 64, "md5": 32}
"""How long they are in hexadecimal, the better one first."""
_TOKEN = re.compile(r"(://[^/?#]*)/t/[^/?#]+(?=/)")
"""Where Anaconda's servers take a token: it is a credential, and a client puts its own there."""
_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_VERSION = re.compile(r"[A-Za-z0-9_.!+~*]+")
_BUILD = re.compile(r"[A-Za-z0-9_.!+~]+")
_ADDRESS = re.compile(r"(?!-)[^#@\s][^#]*")
_SUBDIR = re.compile(r"[a-z0-9]+(-[a-z0-9]+)?")


class LockedConda(NamedTuple):
    """One conda package of a lock."""

    name: str
    version: str
    build: str
    build_number: int
    channel: str
    """A name, or a URL without credentials."""
    subdir: str
    url: str
    """Without credentials; of a local channel the path from the lock's folder, as for the files of a distribution."""
    hashes: Mapping[str, str]
    """`sha256`, `md5` in hexadecimal; at least one."""
    line: int = 0
    """On which its table begins; 0 where that is not known."""
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    """The distributions of PyPI that it stands in for, by normalised name."""
    size: int | None = None
    timestamp: int = 0
    """Milliseconds since 1970; 0 where it is not known."""
    noarch: str = ""
    license: str = ""

    @property
    def filename(self) -> str:
        from urllib.parse import unquote

        return unquote(self.url.rpartition("/")[2])

    @property
    def is_local(self) -> bool:
        """Whether it comes from a directory: its `url` is a path from the lock's folder, or a `file:` URL."""
        return "://" not in self.url or self.url.startswith("file:")

    @property
    def needs(self) -> tuple[str, ...]:
        """The names in `depends`, those of virtual packages too."""
        return tuple(dict.fromkeys(name_in(text) for text in self.depends))

    @property
    def record(self) -> CondaRecord:
        """The same as a record of a channel."""
        from mlpin.conda.record import CondaRecord

        return CondaRecord(
            self.name,
            self.version,
            self.build,
            self.build_number,
            self.channel,
            self.subdir,
            self.filename,
            self.url,
            self.depends,
            self.constrains,
            noarch=self.noarch,
            timestamp=self.timestamp,
            sha256=self.hashes.get("sha256", ""),
            md5=self.hashes.get("md5", ""),
            size=self.size,
            license=self.license,
        )

    @property
    def shown(self) -> str:
        """`numpy 1.26.4 py311h64a7726_0`."""
        return f"{self.name} {self.version} {self.build}"


def of_record(record: CondaRecord, provides: Sequence[str], url: str) -> LockedConda:
    """A record as it is locked, with the address that the lock has for it: a URL, or a path from its folder."""
    hashes = {key: value for key in _DIGESTS if (value := getattr(record, key))}
    return LockedConda(
        record.name,
        record.version,
        record.build,
        record.build_number,
        bare(record.channel),
        record.subdir,
        bare(url),
        hashes,
        0,
        tuple(record.depends),
        tuple(record.constrains),
        tuple(sorted(provides)),
        record.size,
        record.timestamp,
        record.noarch,
        record.license,
    )


def table(package: LockedConda) -> dict[str, Any]:
    """Its table in a lock. What is not known is left out."""
    stated = {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "build-number": package.build_number,
        "channel": package.channel,
        "subdir": package.subdir,
        "url": package.url,
        "size": package.size,
        "timestamp": package.timestamp or None,
        "noarch": package.noarch or None,
        "license": package.license or None,
        "depends": list(package.depends),
        "constrains": list(package.constrains) or None,
        "provides": list(package.provides) or None,
        "hashes": dict(package.hashes),
    }
    return {key: value for key, value in stated.items() if value is not None}


def read_all(tables: Sequence[Fields], lines: Sequence[int]) -> tuple[LockedConda, ...]:
    """The packages that the tables of a lock state, in their order. Raises `InputError`, also for a name that is twice.

    `lines` says on which line of the file each begins, 0 where that is not known.
    """
    found: dict[str, LockedConda] = {}
    for fields, line in zip(tables, lines, strict=True):
        where = f"{fields.file}:{line}" if line else fields.file
        package = _read(Fields(fields.data, where, fields.path), line)
        if package.name in found:
            raise InputError(f"the conda package {package.name} is locked twice", where=where)
        found[package.name] = package
    return tuple(found.values())


def _read(fields: Fields, line: int) -> LockedConda:
    url = _matching(fields, "url", _ADDRESS)
    if not url.partition("?")[0].endswith(SUFFIXES):
        raise fields.error("url", "must be the address of a conda package (.conda or .tar.bz2)")
    return LockedConda(
        _matching(fields, "name", _NAME),
        _matching(fields, "version", _VERSION),
        _matching(fields, "build", _BUILD),
        _number(fields, "build-number") or 0,
        bare(_printable(fields, "channel")),
        _matching(fields, "subdir", _SUBDIR),
        bare(url),
        _hashes(fields.table("hashes")),
        line,
        _specs(fields, "depends"),
        _specs(fields, "constrains"),
        tuple(normalise(name) for name in _specs(fields, "provides")),
        _number(fields, "size"),
        _number(fields, "timestamp") or 0,
        _printable(fields, "noarch"),
        _printable(fields, "license"),
    )


def bare(url: str) -> str:
    """`url` without user, password and token, wherever conda has them."""
    return redacted(strip_credentials(_TOKEN.sub(r"\1", url))) if "://" in url else url


def name_in(spec: str) -> str:
    """The name that a dependency of a package asks for: `numpy` of `numpy >=1.21,<3`."""
    return re.split(r"[\s=<>!~\[]", spec.rpartition("::")[2].strip(), maxsplit=1)[0].lower()


def ordered(packages: Sequence[LockedConda]) -> Iterator[LockedConda]:
    """Dependencies before those that depend on them, else by name: clients install in this order (CEP 23).

    Where packages depend on each other in a circle, Python begins it (it has one with pip), or else the first by name.
    """
    by_name = {package.name: package for package in sorted(packages, key=lambda one: one.name)}
    waiting = {name: {one for one in package.needs if one in by_name} - {name} for name, package in by_name.items()}
    askers: dict[str, list[str]] = {}
    for name, needs in waiting.items():
        for one in needs:
            askers.setdefault(one, []).append(name)
    ready = [name for name, needs in waiting.items() if not needs]
    heapify(ready)
    while waiting:
        name = heappop(ready) if ready else _first_of_circle(waiting)
        del waiting[name]
        yield by_name[name]
        for asker in askers.get(name, ()):
            if asker in waiting:
                waiting[asker].discard(name)
                if not waiting[asker]:
                    heappush(ready, asker)


def _first_of_circle(waiting: Mapping[str, set[str]]) -> str:
    """Where to begin, if every package waits for another one."""
    path: dict[str, None] = {}
    name = min(waiting)
    while name not in path:
        path[name] = None
        name = min(waiting[name])
    walked = list(path)
    circle = walked[walked.index(name) :]
    return "python" if "python" in circle else min(circle)


def _matching(fields: Fields, key: str, form: re.Pattern[str]) -> str:
    value = fields.string(key)
    if value is None:
        raise fields.error(key, "is missing")
    if not form.fullmatch(value) or not value.isprintable():
        raise fields.error(key, f"cannot be {_quoted(value)}")
    return value


def _printable(fields: Fields, key: str) -> str:
    value = fields.string(key) or ""
    if not value.isprintable():
        raise fields.error(key, f"cannot be {_quoted(value)}")
    return value


def _specs(fields: Fields, key: str) -> tuple[str, ...]:
    found = fields.strings(key) or ()
    for text in found:
        if not text.strip() or not text.isprintable():
            raise fields.error(key, f"cannot hold {_quoted(text)}")
    return found


def _number(fields: Fields, key: str) -> int | None:
    value = fields.data.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise fields.error(key, "must be a whole number")
    return value


def _hashes(fields: Fields) -> Mapping[str, str]:
    found = {}
    for key, length in _DIGESTS.items():
        value = fields.string(key)
        if value is not None:
            if not re.fullmatch(f"[0-9a-fA-F]{{{length}}}", value):
                raise fields.error(key, f"must be {length} hexadecimal digits")
            found[key] = value.lower()
    if not found:
        raise fields.error(None, "has neither a sha256 nor an md5")
    return found


def _quoted(value: str) -> str:
    shown = "".join(char if char.isprintable() else "?" for char in value[:100])
    return f"`{shown}`"
