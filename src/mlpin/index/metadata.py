"""Core metadata of one distribution: the headers that resolving needs, from bytes to `Metadata`.

Also the form in which the cache keeps it. Pure: nothing in here knows where the bytes came from.
"""

from __future__ import annotations

import json
import re
from functools import cache

from mlpin.candidate import Dependency, Metadata, MetadataOrigin
from mlpin.errors import BadDistribution
from mlpin.index.names import normalised_version
from mlpin.manifest.pep508 import without_extra
from mlpin.requirement import normalise

_FORMAT = 1

# Requires-Dist that PEP 508 refuses and that published wheels have all the same.
_MENDS = (
    (re.compile(r"(>=|<=|<|>|~=)\s*(\d+(?:\.\d+)*)\.\*"), r"\1\2"),
    (re.compile(r"((?:[=!<>~]=|[<>])\s*[\w.*+!-]+)\s+(?=[=!<>~])"), r"\1,"),
    (re.compile(r",\s*(?=[);]|$)"), ""),
    (re.compile(r"(\d)(?=(?:[<>=!~]=|[<>])\d)"), r"\1,"),
)


def headers(text: str) -> dict[str, list[str]]:
    """The header fields of a METADATA or PKG-INFO file by lower-case name, folded lines joined."""
    found: dict[str, list[str]] = {}
    values: list[str] | None = None
    for raw in text.split("\n"):
        line = raw.rstrip("\r")
        if not line:
            break
        if line[0] in " \t":
            if values:
                values[-1] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        if not colon:
            continue
        values = found.setdefault(name.strip().lower(), [])
        values.append(value.strip())
    return found


@cache
def dependency(text: str) -> Dependency:
    """One `Requires-Dist` taken apart. Raises `ValueError` where it cannot be read at all."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(text)
    except InvalidRequirement:
        head, semicolon, marker = text.partition(";")
        for pattern, repaired in _MENDS:
            head = pattern.sub(repaired, head)
        parsed = Requirement(head + semicolon + marker)
    marker_text = str(parsed.marker) if parsed.marker else ""
    rest, extra = without_extra(marker_text)
    return Dependency(
        normalise(parsed.name),
        tuple(sorted(normalise(name) for name in parsed.extras)),
        str(parsed.specifier),
        parsed.url or "",
        marker_text if rest is None else rest,
        extra,
        rest is None,
        text,
    )


def parse(text: str, filename: str, project: str, version: str, origin: MetadataOrigin) -> Metadata:
    """The metadata in `text`, which must be that of `project` at `version`, as `filename` states.

    Raises `BadDistribution` where it is not, or where a field cannot be read.
    """
    fields = headers(text)
    name = normalise(fields.get("name", [""])[0])
    stated = normalised_version(fields.get("version", [""])[0])
    if not name or stated is None:
        raise BadDistribution("its metadata states no name or version", where=filename)
    if name != project:
        raise BadDistribution(f"its metadata is that of `{name}`, its file name that of `{project}`", where=filename)
    if version and stated != version:
        raise BadDistribution(f"its metadata says version {stated}, its file name {version}", where=filename)
    return Metadata(
        name,
        stated,
        fields.get("requires-python", [""])[0],
        dependencies(fields.get("requires-dist", []), filename),
        tuple(sorted({normalise(extra) for extra in fields.get("provides-extra", [])})),
        origin,
    )


def dependencies(lines: list[str], filename: str) -> tuple[Dependency, ...]:
    """Each line of `Requires-Dist` taken apart. Raises `BadDistribution` on one that cannot be read."""
    found = []
    for line in lines:
        try:
            found.append(dependency(line))
        except ValueError:
            raise BadDistribution(
                f"its metadata has a requirement that cannot be read: `{line}`", where=filename
            ) from None
    return tuple(found)


def dump(metadata: Metadata) -> bytes:
    """What the cache stores."""
    return json.dumps(
        [
            _FORMAT,
            metadata.name,
            metadata.version,
            metadata.requires_python,
            [dependency[:8] for dependency in metadata.dependencies],
            metadata.extras,
            metadata.origin,
        ],
        separators=(",", ":"),
    ).encode()


def load(data: bytes) -> Metadata | None:
    """What `dump` wrote; None where the data is damaged or of another format."""
    try:
        form, name, version, requires_python, items, extras, origin = json.loads(data)
        if form != _FORMAT:
            return None
        return Metadata(
            name,
            version,
            requires_python,
            tuple(Dependency(a, tuple(b), c, d, e, f, g, h) for a, b, c, d, e, f, g, h in items),
            tuple(extras),
            origin,
        )
    except (ValueError, TypeError):
        return None
