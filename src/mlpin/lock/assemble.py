"""A resolution as the tables of a PEP 751 lock.

What PEP 751 has no room for stands under `[tool.mlpin]` and `[packages.tool.mlpin]` and never changes what an
installer does. The same resolution gives the same tables: no time, no absolute path, no credential.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from mlpin.candidate import Artifact, Candidate, Metadata
from mlpin.index.url import local_path, strip_credentials
from mlpin.lock import conda, conda_file
from mlpin.lock.conda import LockedConda
from mlpin.outcome import Resolution
from mlpin.requirement import Declared, PathSource, Source, VcsSource
from mlpin.target import Target, glibc_minor

FORMAT = 1
"""Version of the `[tool.mlpin]` tables."""


class Inputs(NamedTuple):
    """What a lock records of the project beside the resolution."""

    root: Path
    """What the file names of origins are relative to."""
    target: Target
    requires_python: str
    requirements: Sequence[Declared]
    constraints: Sequence[Declared]
    overrides: Sequence[Declared]
    extras: Sequence[str]
    groups: Sequence[str]
    options: Mapping[str, Any]
    """The settings that shaped the resolution, as TOML values."""
    fingerprint: str
    detected: Sequence[str]
    """Which facts of the target were detected, not configured."""
    matrix: Mapping[str, Any] = MappingProxyType({})
    """What the matrix says of the lock as a whole: `matrix` and `floor`."""
    rules: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    """By package: the rules that held for it, its build line."""
    conda: CondaInputs | None = None
    """Where conda packages are asked for."""


class CondaInputs(NamedTuple):
    """What a lock records of the conda side."""

    channels: Sequence[str]
    """Names, or URLs without credentials."""
    priority: str
    virtual: Mapping[str, str]
    """Virtual packages by name: `version` or `version=build`."""
    packages: Sequence[LockedConda]
    file: str
    """The name of the file for conda's clients."""
    text: str
    """What stands in it."""


class Facts(NamedTuple):
    """What is asked of the catalog while a lock is written."""

    sha256: Callable[[Artifact], str]
    metadata: Callable[[Candidate], Metadata]
    fetched: Callable[[Source], Any]
    """What a source turned out to be (`sources.Fetched`)."""


def tables(resolution: Resolution, inputs: Inputs, folder: Path, facts: Facts) -> dict[str, Any]:
    """The lock as TOML tables, without its digest. `folder` is where it will lie: paths are relative to it."""
    packages = []
    extras: dict[str, list[str]] = {}
    for key in resolution.pins:
        if key.kind == "pypi" and key.extra:
            extras.setdefault(key.name, []).append(key.extra)
    asked = _asked(resolution)
    locked_here = resolution.packages
    for name, candidate in locked_here.items():
        packages.append(
            _package(
                candidate,
                sorted(extras.get(name, [])),
                asked.get(name, {}),
                locked_here.keys(),
                folder,
                facts,
                inputs.rules.get(name, {}),
            )
        )
    target = inputs.target
    own: dict[str, Any] = {
        "format": FORMAT,
        "requirements": [_line(line, inputs.root, folder) for line in inputs.requirements],
    }
    if inputs.conda is not None:
        own["channels"] = [_channel(name, folder) for name in inputs.conda.channels]
        own["channel-priority"] = inputs.conda.priority
    if inputs.constraints:
        own["constraints"] = [_line(line, inputs.root, folder) for line in inputs.constraints]
    if inputs.overrides:
        own["overrides"] = [_line(line, inputs.root, folder) for line in inputs.overrides]
    if inputs.extras:
        own["extras"] = list(inputs.extras)
    if inputs.groups:
        own["groups"] = list(inputs.groups)
    own["fingerprint"] = inputs.fingerprint
    described: dict[str, Any] = {"name": target.name} if target.name else {}
    described |= {"python": target.python, "platform": target.platform.name}
    if target.platform.glibc:
        described["glibc"] = target.platform.glibc
    hardware = target.hardware
    described |= {
        key: value
        for key, value in {
            "accelerator": hardware.accelerator,
            "driver": hardware.driver,
            "gpus": [name for name, _ in hardware.gpus],
            "cuda": hardware.cuda,
        }.items()
        if value
    }
    if inputs.detected:
        described["detected"] = list(inputs.detected)
    if inputs.conda is not None:
        described["virtual-packages"] = dict(inputs.conda.virtual)
    own["target"] = described
    floor: dict[str, Any] = dict(inputs.matrix.get("floor", {}))
    if glibc := _glibc_floor(packages):
        floor = {"glibc": f"2.{glibc}"} | floor
    if floor:
        own["floor"] = floor
    if inputs.matrix.get("matrix"):
        own["matrix"] = inputs.matrix["matrix"]
    if inputs.options:
        own["options"] = dict(inputs.options)
    if inputs.conda is not None:
        own["conda-file"] = conda_file.table(inputs.conda.file, inputs.conda.text)
        own["conda"] = [conda.table(package) for package in inputs.conda.packages]
    lock: dict[str, Any] = {"lock-version": "1.0", "environments": [target.environment]}
    if inputs.requires_python:
        lock["requires-python"] = inputs.requires_python
    return lock | {
        "extras": [],
        "dependency-groups": [],
        "created-by": "mlpin",
        "packages": packages,
        "tool": {"mlpin": own},
    }


def conda_packages(resolution: Resolution, folder: Path) -> list[LockedConda]:
    """The conda packages as they are locked, by name. `folder` is where the lock will lie."""
    standing: dict[str, list[str]] = {}
    for key, pin in resolution.pins.items():
        if key.kind == "pypi" and not key.extra and pin.carrier:
            standing.setdefault(pin.carrier, []).append(key.name)
    return [
        conda.of_record(record, standing.get(name, ()), _place(record.url, folder))._replace(
            channel=_channel(record.channel, folder)
        )
        for name, record in resolution.conda.items()
    ]


def _channel(name: str, folder: Path) -> str:
    """A channel as the lock has it: of a local one the path from its folder."""
    path = local_path(name) or (name if Path(name).is_absolute() else "")
    if not path:
        return conda.bare(name)
    near = relative(path, folder)
    return near if near.startswith((".", "/")) else f"./{near}"


def _asked(resolution: Resolution) -> dict[str, dict[str, list[str]]]:
    """By parent and child name: what the parent's metadata asks of the child."""
    found: dict[str, dict[str, list[str]]] = {}
    for key, edges in resolution.edges.items():
        if key.kind != "pypi":
            continue
        for edge in edges:
            if edge.parent is None or edge.parent.name == key.name or edge.parent.key.kind != "pypi":
                continue
            text = getattr(getattr(edge.requirement, "specifier", None), "text", "")
            texts = found.setdefault(edge.parent.name, {}).setdefault(key.name, [])
            shown = f"{key}{text}"
            if shown not in texts:
                texts.append(shown)
    return found


def _package(
    candidate: Candidate,
    extras: Sequence[str],
    asked: Mapping[str, Sequence[str]],
    there: Container[str],
    folder: Path,
    facts: Facts,
    ruled: Mapping[str, Any],
) -> dict[str, Any]:
    package: dict[str, Any] = {"name": candidate.name}
    source = candidate.source
    if not isinstance(source, VcsSource) and not (isinstance(source, PathSource) and not _file_of(candidate)):
        package["version"] = str(candidate.version)
    # What a conda package stands in for is not among the packages, and no edge can lead there.
    if edges := [{"name": name} for name in sorted(asked) if name in there]:
        package["dependencies"] = edges
    if source is not None:
        package |= _from_source(source, folder, facts)
    else:
        if "://" in candidate.index and not local_path(candidate.index):
            # A URL or nothing: uv refuses a lock with a relative one.
            package["index"] = _place(candidate.index, folder)
        if candidate.wheels:
            package["wheels"] = [_file(file, folder, facts.sha256) for file in candidate.wheels]
        elif candidate.sdist is not None:
            package["sdist"] = _file(candidate.sdist, folder, facts.sha256)
    own: dict[str, Any] = {}
    if extras:
        own["extras"] = list(extras)
    plain = {name for name in asked if name in there}
    if requires := sorted({text for texts in asked.values() for text in texts} - plain):
        own["requires"] = requires
    own |= ruled
    if candidate.notes:
        own["notes"] = list(candidate.notes[:1])
    if (origin := facts.metadata(candidate).origin) in {"assumed", "supplied"}:
        own["metadata"] = origin
    if candidate.yanked is not None:
        own["yanked"] = candidate.yanked or True
    if own:
        package["tool"] = {"mlpin": own}
    return package


def _from_source(source: Source, folder: Path, facts: Facts) -> dict[str, Any]:
    """The `vcs`, `archive` or `directory` table of a package that is on no index."""
    found = facts.fetched(source)
    table: dict[str, Any]
    if isinstance(source, VcsSource):
        kind = "vcs"
        table = {"type": source.vcs, "path" if local_path(source.url) else "url": _place(source.url, folder)}
        if source.revision:
            table["requested-revision"] = source.revision
        table["commit-id"] = found.commit
    elif found.artifact is not None:
        kind = "archive"
        table = _file(found.artifact, folder, facts.sha256)
        table.pop("name", None)
    else:
        assert isinstance(source, PathSource)
        kind = "directory"
        table = {"path": relative(source.path, folder), "editable": source.editable}
    if subdirectory := getattr(source, "subdirectory", ""):
        table["subdirectory"] = subdirectory
    return {kind: table}


def _file_of(candidate: Candidate) -> Artifact | None:
    return candidate.wheels[0] if candidate.wheels else candidate.sdist


def _file(file: Artifact, folder: Path, sha256: Callable[[Artifact], str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    basename = file.url.rpartition("/")[2]
    if basename != file.filename:
        from urllib.parse import unquote, urlsplit

        if unquote(urlsplit(file.url).path.rpartition("/")[2]) != file.filename:
            found["name"] = file.filename
    if file.upload_time:
        from datetime import UTC, datetime

        found["upload-time"] = datetime.fromisoformat(file.upload_time).astimezone(UTC).replace(tzinfo=UTC)
    found["path" if local_path(file.url) else "url"] = _place(file.url, folder)
    if file.size is not None:
        found["size"] = file.size
    found["hashes"] = file.secure_hashes or {"sha256": sha256(file)}
    return found


def _place(url: str, folder: Path) -> str:
    if path := local_path(url):
        return relative(path, folder)
    return strip_credentials(url) if "@" in url else url


def relative(path: str, folder: Path) -> str:
    """`path` seen from the lock's folder, POSIX (PEP 751); absolute only where there is no way between."""
    try:
        found = os.path.relpath(path, folder)
    except ValueError:
        found = path
    return Path(found).as_posix()


def _line(line: Declared, root: Path, folder: Path) -> str:
    """The line with its place, seen from the lock: wherever mlpin is run, it is the same."""
    text, origin = line.origin.text or line.name, line.origin
    if origin.file and "://" not in origin.file:
        origin = origin._replace(file=relative(str(root / origin.file), folder))
    return f"{text}  # {origin.place}" if origin.file else text


def _glibc_floor(packages: Sequence[Mapping[str, Any]]) -> int:
    """The oldest glibc 2.x on which every locked wheel can be installed; 0 where none asks for any."""
    floor = 0
    for package in packages:
        names = (file.get("name") or file.get("url") or file.get("path", "") for file in package.get("wheels", []))
        needs = [glibc_minor(name.rpartition("-")[2]) or 0 for name in names]
        if needs:
            floor = max(floor, min(needs))
    return floor
