"""`pdm.lock`, version 4 of the format. Every group counts.

With the strategy `inherit_metadata` (the default since PDM 2.11) and format 4.5 each package says where it is
installed; before that only the edges between packages do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest import pep508
from mlpin.requirement import normalise
from mlpin.stack import document
from mlpin.stack.artifacts import file_names
from mlpin.stack.edges import kept
from mlpin.stack.gathered import Gathered, printable
from mlpin.stack.markers import Markers, target_for
from mlpin.stack.model import Stack, Where

_FORMAT = re.compile(r"4(?:\.(\d{1,3}))?(?:\.\d+)?")
_MARKER = re.compile(r"(?:@.*?\s|^[^@;]*);(.*)", re.DOTALL)
_EXTRA = re.compile(r"""\bextra\s*==\s*['"]([^'"]*)['"]""")


def read(text: str, shown: str, where: Where) -> Stack:
    """The lock as the target would install it. Raises `InputError`."""
    lock = document.toml(text, shown, "package")
    metadata = lock.root.table("metadata")
    version = metadata.string("lock_version") or "4"
    form = _FORMAT.fullmatch(version)
    if not form:
        raise InputError(f"states the lock_version `{printable(version)}`, and mlpin reads 4", where=shown)
    exact = int(form[1] or 0) >= 5 and "inherit_metadata" in (metadata.strings("strategy") or ())
    ranges = [one.string("requires_python") or "" for one in metadata.tables("targets")]
    markers = Markers(target_for(where, _any_of(ranges), shown))
    packages = list(lock.entries(lock.root, "package"))
    names = {normalise(fields.string("name") or "") for fields, _ in packages}
    if not exact:
        edges: dict[str, list[tuple[str, bool]]] = {}
        for fields, _ in packages:
            edges.setdefault(normalise(fields.string("name") or ""), []).extend(_edges(fields, markers))
        names = kept(names, edges)
    found = Gathered(shown, "pdm.lock")
    for fields, line in packages:
        name = fields.string("name") or ""
        if normalise(name) in names and markers.hold(fields.string("marker") or "", fields.file):
            files = file_names(fields.tables("files"), "file", "url")
            reason = "editable, without a version of its own" if fields.boolean("editable") else ""
            found.pypi(name, fields.string("version") or "", line, files=files, reason=reason)
    return found.stack()


def _any_of(ranges: list[str]) -> str:
    """The range of Python versions that a lock is for; the first where it has several targets."""
    return next(filter(None, ranges), "")


def _edges(fields: Fields, markers: Markers) -> Iterator[tuple[str, bool]]:
    for text in fields.strings("dependencies") or ():
        found = _MARKER.search(text)
        marker = found[1] if found else ""
        # whatever extra it is for: an entry of the lock is there because its extra was asked for
        yield pep508.name_of(text), markers.hold(marker, fields.file, _EXTRA.findall(marker))
