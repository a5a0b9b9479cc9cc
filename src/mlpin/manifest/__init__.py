"""Manifests: the files in which a project says what it depends on.

`find` tells which file of a directory is read, `read` reads one file of any format. Each format has a
module of its own, imported only when a file needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mlpin.errors import InputError
from mlpin.manifest.model import Context, Manifest, Note

__all__ = ["Context", "Found", "Manifest", "Note", "find", "read"]

NAMES = (
    "mlpin.toml",
    "pyproject.toml",
    "pixi.toml",
    "requirements.in",
    "requirements.txt",
    "environment.yml",
    "environment.yaml",
    "Pipfile",
    "setup.cfg",
    "meta.yaml",
    "recipe.yaml",
)
"""The manifests that `find` looks for, first one first."""
_PIXI = {"dependencies", "pypi-dependencies", "host-dependencies", "build-dependencies", "feature", "target"}


class Found(NamedTuple):
    """The manifest of a directory: `path` is read, `passed_over` are others that lie beside it."""

    path: Path
    passed_over: tuple[Path, ...] = ()


def find(directory: Path) -> Found:
    """The manifest of a directory, by the order of `NAMES`.

    `mlpin.toml`, `pyproject.toml`, `pixi.toml` and `setup.cfg` count only where they declare dependencies, since they
    also hold settings of tools; `meta.yaml` and `recipe.yaml` where they are conda's. Raises `InputError`
    where there is none.
    """
    if not directory.is_dir():
        there = directory.exists()
        message = "this is a file, where a directory was expected" if there else "there is no such directory"
        raise InputError(message, where=str(directory))
    present = [directory / name for name in NAMES if (directory / name).is_file()]
    manifests = [path for path in present if _declares(path)]
    if manifests:
        return Found(manifests[0], tuple(manifests[1:]))
    notes = tuple(f"{path.name} is here, but declares no dependencies" for path in present)
    if (directory / "setup.py").is_file():
        raise InputError(
            "there is only a setup.py, which is code and is never run while locking",
            where=str(directory),
            notes=notes,
            hint="list its `install_requires` as `dependencies` in the [project] table of a pyproject.toml, "
            "or in a requirements.txt",
        )
    raise InputError(
        "there is no manifest here",
        where=str(directory),
        notes=(*notes, f"looked for: {', '.join(NAMES)}"),
        hint="name the file (`mlpin lock requirements/dev.txt`), or write one",
    )


def has_sources(text: str) -> bool:
    """Whether a pyproject.toml may say where its dependencies come from (`[tool.uv.sources]`, Poetry's tables)."""
    return "tool.uv" in text or "tool.poetry" in text


def read(path: Path, context: Context) -> Manifest:
    """The manifest at `path`, its format told by its name, else by its content.

    Raises `InputError`, with file and line where they are known, for everything in it that cannot be
    read; `MlpinError` of `context.fetch` passes through.
    """
    return _reader(path, context)(path, context)


def _reader(path: Path, context: Context) -> Callable[[Path, Context], Manifest]:
    """The `read` of the module that knows the format. Imports here are lazy: start-up time counts."""
    name, suffix = path.name.lower(), path.suffix.lower()
    if name == "mlpin.toml":
        from mlpin.manifest.mlpin_toml import read as reader
    elif name == "pixi.toml":
        from mlpin.manifest.pixi import read as reader
    elif name == "pipfile":
        from mlpin.manifest.pipfile import read as reader
    elif name == "setup.cfg":
        from mlpin.manifest.setup_cfg import read as reader
    elif suffix == ".toml":
        from mlpin.manifest.pyproject import read_any as reader
    elif suffix in (".txt", ".in"):
        from mlpin.manifest.requirements_txt import read as reader
    elif name in ("meta.yaml", "recipe.yaml"):
        from mlpin.manifest.conda_recipe import read as reader
    elif suffix in (".yml", ".yaml"):
        from mlpin.manifest.environment_yml import read as reader
    elif suffix in (".py", ".pyw"):
        from mlpin.manifest.script import read as reader
    else:
        return _reader_by_content(path, context)
    return reader


def _reader_by_content(path: Path, context: Context) -> Callable[[Path, Context], Manifest]:
    from mlpin.manifest.source_text import bytes_of

    head = bytes_of(path, context)[:65536]
    if re.search(rb"(?m)^# /// script\s*$", head):
        from mlpin.manifest.script import read as reader
    elif re.search(rb"(?m)^\[(project|tool\.|dependency-groups|build-system)", head):
        from mlpin.manifest.pyproject import read_any as reader
    elif re.search(rb"(?m)^\[options\]", head):
        from mlpin.manifest.setup_cfg import read as reader
    elif re.search(rb"(?m)^\[packages\]", head):
        from mlpin.manifest.pipfile import read as reader
    elif re.search(rb"(?m)^dependencies:\s*$", head):
        from mlpin.manifest.environment_yml import read as reader
    else:
        from mlpin.manifest.requirements_txt import read as reader
    return reader


def _declares(path: Path) -> bool:
    """Whether the file declares dependencies. One that cannot be read counts: `read` says what is wrong."""
    if path.name in ("mlpin.toml", "pyproject.toml", "pixi.toml"):
        import tomllib

        try:
            data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError):
            return True
        from mlpin.manifest.project_tables import declares_conda

        if path.name == "mlpin.toml":
            return "dependencies" in data or declares_conda(data)
        if path.name == "pixi.toml":
            return not _PIXI.isdisjoint(data)
        tool = data.get("tool")
        tables = tool if isinstance(tool, dict) else {}
        poetry, own, pixi = tables.get("poetry"), tables.get("mlpin"), tables.get("pixi")
        return (
            "project" in data
            or "dependency-groups" in data
            or (isinstance(pixi, dict) and not _PIXI.isdisjoint(pixi))
            or (isinstance(poetry, dict) and not {"dependencies", "dev-dependencies", "group"}.isdisjoint(poetry))
            or (isinstance(own, dict) and ("dependencies" in own or declares_conda(own)))
        )
    if path.name == "setup.cfg":
        from mlpin.manifest.setup_cfg import declares

        return declares(path)
    if path.name in ("meta.yaml", "recipe.yaml"):
        from mlpin.manifest.conda_recipe import declares as has_requirements

        return has_requirements(path)
    return True
