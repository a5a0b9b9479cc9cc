"""What the resolution of a target depends on beside the indexes themselves, as one digest."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpin import manifest
from mlpin.errors import MlpinError
from mlpin.manifest.model import Context
from mlpin.opening import no_fetch
from mlpin.project import Project, TargetPlan
from mlpin.requirement import Declared, PathSource
from mlpin.settings import Settings, format_names

if TYPE_CHECKING:
    from mlpin.index.channel_names import ChannelPlace

_TEXTS = re.compile(rb"[\w./-]+\.(?:txt|in)\b")


def recorded_options(settings: Settings) -> dict[str, Any]:
    """The settings that shape a resolution, as they stand in the lock; only those that were said."""
    said: dict[str, Any] = {
        "prerelease": settings.prerelease,
        "resolution": settings.resolution,
        "index-strategy": settings.index_strategy,
        "exclude-newer": settings.exclude_newer,
        "only-binary": sorted(format_names(settings.only_binary)) or None,
        "no-binary": sorted(format_names(settings.no_binary)) or None,
        "exclude": sorted(settings.exclude) if settings.exclude else None,
        "prefer": settings.prefer,
        "preferred": dict(sorted(settings.prefers.items())) if settings.prefers else None,
        "default-groups": None if settings.default_groups is None else list(settings.default_groups),
    }
    return {key: value for key, value in said.items() if value is not None}


def fingerprint(project: Project, plan: TargetPlan) -> str:
    """A digest of everything that the resolution of a target depends on, beside the indexes themselves.

    Equal fingerprints are the fast path of a second run; a different one only means that it is resolved again.
    """
    from mlpin.index.places import places

    settings = project.settings
    known = places(settings)
    trees: dict[str, str] = {}
    _trees(plan.requirements, trees)
    inputs = {
        "format": 3,
        "requirements": [_declared(line, plan) for line in plan.requirements],
        "constraints": [
            _declared(line, plan) for line in (*project.manifest.constraints, *(settings.constraints or ()))
        ],
        "overrides": [_declared(line, plan) for line in settings.overrides or ()],
        "requires-python": project.manifest.requires_python,
        "target": [plan.target.name, plan.target.python, plan.target.platform.name, plan.target.platform.glibc],
        "hardware": plan.target.hardware,
        "conda": [
            [[place.name, place.url] for place in channels_of(project, plan)],
            settings.channel_priority,
            settings.prefer,
            sorted((settings.prefers or {}).items()),
            plan.target.virtual,
        ],
        "matrix": [project.matrix.digest, sorted(project.matrix.off), project.matrix.own],
        "families": sorted((settings.families or {}).items()),
        "selection": [plan.extras, plan.groups],
        "options": recorded_options(settings),
        "packages": {name: str(value) for name, value in sorted((settings.exclude_newer_package or {}).items())},
        "pins": {name: [str(pin) for pin in pins] for name, pins in sorted((settings.pins or {}).items())},
        "metadata": [str(item) for item in settings.metadata or ()],
        "indexes": [[place.url, place.name] for place in (*known.searched, *known.flat, *known.named.values())],
        "trees": sorted([os.path.relpath(path, plan.lock.parent), found] for path, found in trees.items()),
    }
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _declared(line: Declared, plan: TargetPlan) -> list[Any]:
    source = line.source
    if isinstance(source, PathSource):
        # Relative, so that a checkout elsewhere has the same fingerprint.
        shown = f"{os.path.relpath(source.path, plan.lock.parent)} {source.editable} {source.subdirectory}"
    else:
        shown = str(source) if source else ""
    return [line.name, line.extras, line.specifier, line.marker, shown, line.hashes, line.conda]


def channels_of(project: Project, plan: TargetPlan) -> Sequence[ChannelPlace]:
    """The places of the conda channels of a target; none where no conda package is asked for."""
    if not plan.channels:
        return ()
    from mlpin.conda.virtual import subdir
    from mlpin.index.channel_names import channel_places

    return channel_places(project.settings, plan.channels, subdir(plan.target.platform))


def _trees(lines: Sequence[Declared], trees: dict[str, str]) -> None:
    """Adds the digest of each directory that the lines name, and of those that these name in their turn."""
    for line in lines:
        if not isinstance(line.source, PathSource) or line.source.path in trees:
            continue
        path = Path(line.source.path) / line.source.subdirectory
        trees[line.source.path] = _tree(path)
        with suppress(MlpinError):
            read = manifest.read(path / "pyproject.toml", Context(path, {}, no_fetch))
            _trees([*read.requirements, *(one for some in read.extras.values() for one in some)], trees)


def _tree(path: Path) -> str:
    """A digest of what the metadata of a source tree is read from, files that it names included."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "setup.cfg", "PKG-INFO"):
        try:
            data = (path / name).read_bytes()
        except OSError:
            continue
        digest.update(data)
        for named in _TEXTS.findall(data):
            with suppress(OSError, ValueError):
                digest.update((path / named.decode()).read_bytes())
    return digest.hexdigest()
