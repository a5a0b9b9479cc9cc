"""What the tests of readers share: a directory of files, and a context that fetches from a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from mlpin.errors import IndexUnavailable, InputError
from mlpin.manifest import Context, Manifest, read
from mlpin.requirement import Declared


def written(directory: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def context(root: Path, *, environ: Mapping[str, str] | None = None, pages: Mapping[str, str] | None = None) -> Context:
    def fetch(url: str) -> str:
        if url not in (pages or {}):
            raise IndexUnavailable("not found", where=url)
        return (pages or {})[url]

    return Context(root, environ or {}, fetch)


def reading(
    directory: Path,
    content: str | bytes,
    name: str = "requirements.txt",
    *,
    others: Mapping[str, str | bytes] | None = None,
    environ: Mapping[str, str] | None = None,
    pages: Mapping[str, str] | None = None,
) -> Manifest:
    written(directory, {**(others or {}), name: content})
    return read(directory / name, context(directory, environ=environ, pages=pages))


def refused(
    directory: Path, content: str | bytes, name: str = "requirements.txt", **rest: Mapping[str, str]
) -> InputError:
    with pytest.raises(InputError) as caught:
        reading(directory, content, name, **rest)
    return caught.value


def brief(requirement: Declared) -> str:
    """Name, extras, specifier and marker as one word or so."""
    extras = f"[{','.join(requirement.extras)}]" if requirement.extras else ""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}{extras}{requirement.specifier}{marker}"


def names(requirements: tuple[Declared, ...]) -> list[str]:
    return [requirement.name for requirement in requirements]
