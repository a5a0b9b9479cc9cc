"""The matrix as it ships: one line of JSON per package, found by name through the first line. Quick to open.

Made from `data/matrix/*.toml` by `data/pack.py`; a test holds that it is up to date.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mlpin.matrix.rule import Rule
from mlpin.matrix.tables import (
    Abi,
    Alias,
    Arch,
    BaseImage,
    Default,
    Distribution,
    Family,
    Gpu,
    Line,
    Supplied,
    Toolkit,
    Wheels,
)

if TYPE_CHECKING:
    from mlpin.matrix.read import Source

FORMAT = 1
TABLES = "@tables"
GPUS = "@gpus"
IMAGES = "@images"


def pack(source: Source) -> bytes:
    """The packed form of what matrix files say. The same source gives the same bytes."""
    lines: dict[str, Any] = {}
    for rule in sorted(source.rules, key=lambda rule: (rule.package, rule.id, rule.other)):
        lines.setdefault(rule.package, []).append(_lean(rule))
    lines[GPUS] = sorted(source.gpus)
    lines[TABLES] = [
        source.families,
        source.lines,
        source.defaults,
        source.abis,
        source.aliases,
        source.toolkits,
        source.archs,
    ]
    lines[IMAGES] = [source.distributions, source.images]
    for wheels in sorted(source.wheels):
        lines.setdefault(f"@wheels:{wheels.package}", []).append(wheels)
    for supplied in sorted(source.metadata):
        lines.setdefault(f"@metadata:{supplied.package}", []).append(supplied)
    import hashlib

    body = b""
    places = {}
    for name in sorted(lines):
        text = json.dumps(lines[name], ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        places[name] = [len(body), len(text)]
        body += text
    dates = [rule.date for rule in source.rules] + [item.date for item in source.toolkits]
    dates += [item.date for item in source.wheels] + [item.date for item in source.metadata]
    header = {
        "format": FORMAT,
        "version": max(dates, default=""),
        "digest": "sha256:" + hashlib.sha256(body).hexdigest(),
        "rules": len({rule.id for rule in source.rules}),
        "others": sorted({rule.other for rule in source.rules if rule.other and not rule.of_target}),
        "places": places,
    }
    return json.dumps(header, separators=(",", ":"), sort_keys=True).encode() + b"\n" + body


def _lean(rule: Rule) -> dict[str, Any]:
    """A rule without what is as `Rule` has it by default."""
    usual = Rule._field_defaults
    return {
        key: value
        for key, value in rule._asdict().items()
        if key != "package" and (key not in usual or usual[key] != value)
    }


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def unpacked_rules(package: str, entries: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """The rules of a package's line."""
    return tuple(Rule(package=package, **{key: _tuples(value) for key, value in entry.items()}) for entry in entries)


class Tables(NamedTuple):
    """The small tables, which belong together."""

    families: tuple[Family, ...] = ()
    lines: tuple[Line, ...] = ()
    defaults: tuple[Default, ...] = ()
    abis: tuple[Abi, ...] = ()
    aliases: tuple[Alias, ...] = ()
    toolkits: tuple[Toolkit, ...] = ()
    archs: tuple[Arch, ...] = ()


class Packed:
    """The packed matrix, opened: everything by name, nothing read before it is asked for."""

    def __init__(self, data: bytes) -> None:
        end = data.index(b"\n") + 1
        header = json.loads(data[:end])
        self._body = data[end:]
        self._places: Mapping[str, tuple[int, int]] = header["places"]
        self.version: str = header["version"]
        self.digest: str = header["digest"]
        self.count: int = header["rules"]
        self.others = frozenset(header["others"])
        """Distributions that some rule of another package speaks of."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages that have rules, sorted."""
        return tuple(name for name in self._places if not name.startswith("@"))

    @property
    def listed(self) -> tuple[str, ...]:
        """The packages that have release files or metadata here, sorted."""
        return tuple(sorted({name.partition(":")[2] for name in self._places if ":" in name}))

    def _line(self, name: str) -> Any:
        place = self._places.get(name)
        return json.loads(self._body[place[0] : place[0] + place[1]]) if place else []

    def rules(self, package: str) -> tuple[Rule, ...]:
        """The rules of a package, by id."""
        return unpacked_rules(package, self._line(package)) if package in self._places else ()

    def gpus(self) -> tuple[Gpu, ...]:
        return tuple(Gpu(*entry) for entry in self._line(GPUS))

    def tables(self) -> Tables:
        families, lines, defaults, abis, aliases, toolkits, archs = _tuples(self._line(TABLES))
        return Tables(
            tuple(Family(*entry) for entry in families),
            tuple(Line(*entry) for entry in lines),
            tuple(Default(*entry) for entry in defaults),
            tuple(Abi(*entry) for entry in abis),
            tuple(Alias(*entry) for entry in aliases),
            tuple(Toolkit(*entry) for entry in toolkits),
            tuple(Arch(*entry) for entry in archs),
        )

    def images(self) -> tuple[tuple[Distribution, ...], tuple[BaseImage, ...]]:
        """Distributions, and what is known of base images."""
        distributions, images = _tuples(self._line(IMAGES)) or ((), ())
        return tuple(Distribution(*entry) for entry in distributions), tuple(BaseImage(*entry) for entry in images)

    def wheels(self, package: str) -> tuple[Wheels, ...]:
        return tuple(Wheels(*_tuples(entry)) for entry in self._line(f"@wheels:{package}"))

    def metadata(self, package: str) -> tuple[Supplied, ...]:
        return tuple(Supplied(*_tuples(entry)) for entry in self._line(f"@metadata:{package}"))
