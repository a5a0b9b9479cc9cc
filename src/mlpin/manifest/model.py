"""What a project asks for, whatever file it was written in.

Every reader in this package returns a `Manifest`. It knows requirements with their origins and the
settings that stand in the same file; it knows nothing of targets, indexes or versions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from mlpin.requirement import Declared, Origin
from mlpin.settings import Settings, TargetSettings


class Note(NamedTuple):
    """Something of a manifest that is not a requirement and that the user should hear of."""

    message: str
    origin: Origin


class Manifest(NamedTuple):
    """One project as declared. `path` is the file that was read."""

    path: Path
    kind: str
    """`pyproject`, `requirements`, `environment`, `script`, `setup.cfg`, `pipfile`, `mlpin`, `recipe`."""
    project: str = ""
    """The project's own normalised name; empty where the file gives none."""
    version: str = ""
    requires_python: str = ""
    requires_python_origin: Origin | None = None
    requirements: tuple[Declared, ...] = ()
    extras: Mapping[str, tuple[Declared, ...]] = MappingProxyType({})
    """By normalised extra. References of a project to its own extras are already followed."""
    groups: Mapping[str, tuple[Declared, ...]] = MappingProxyType({})
    """By normalised group (PEP 735, Poetry, Pipfile's dev-packages). Includes are already followed."""
    default_groups: tuple[str, ...] = ()
    constraints: tuple[Declared, ...] = ()
    layers: tuple[Settings, ...] = ()
    """Settings in this file, highest precedence first: [tool.mlpin], the file's own options, [tool.uv]."""
    targets: Mapping[str, TargetSettings] = MappingProxyType({})
    """One for each platform that the file names; they count where nobody configures targets or a platform."""
    notes: tuple[Note, ...] = ()
    inputs: tuple[Path, ...] = ()
    """Every file that was read, `path` first."""


class Context(NamedTuple):
    """What a reader may ask of the world outside its file."""

    root: Path
    """Paths in messages and origins are relative to this directory where they lie below it."""
    environ: Mapping[str, str]
    """For `${VAR}` in requirements files."""
    fetch: Callable[[str], str]
    """The text at a URL, for `-r https://…`; raises `MlpinError`."""

    def shown(self, path: Path) -> str:
        """`path` as messages show it: relative to `root` where possible, with forward slashes."""
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            import os

            return Path(os.path.relpath(path, self.root)).as_posix()
