"""Where the packages of an environment lie, be it named by its prefix, its interpreter or its site-packages directory.

Knows paths, and what they and pyvenv.cfg say of Python. Which packages lie there is not its business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_LIB = re.compile(r"python(3\.\d+)t?")
_EXECUTABLE = re.compile(r"python(3\.\d+)t?(?:\.exe)?")
_PYTHON = re.compile(r"3\.\d+(?:\.\d+)?")
_PACKAGES = ("site-packages", "dist-packages")


class Folder(NamedTuple):
    """A directory that packages are imported from."""

    path: Path
    prefix: Path
    """What lies outside of it is no part of the environment."""
    system: bool
    """Of the interpreter that a virtual environment was made from, or the operating system's own."""


class Found(NamedTuple):
    """What an environment consists of."""

    folders: tuple[Folder, ...]
    """In the order in which its Python looks into them."""
    records: tuple[Path, ...]
    """conda's, one a package."""
    python: str
    """`3.11.4` or `3.11`, as far as the files say."""


def find(path: Path) -> Found:
    """The parts of the environment at `path`; no folders and no records where there is none. Raises `OSError`."""
    search = _Search()
    folders = tuple(search.folders(path))
    prefixes = (path.parent.parent, path.parent) if path.is_file() else (path,)
    records = tuple(record for prefix in prefixes for record in sorted(prefix.glob("conda-meta/*.json")))
    return Found(folders, records, search.python)


class _Search:
    def __init__(self) -> None:
        self.python = ""

    def folders(self, path: Path) -> Iterator[Folder]:
        if path.is_file():
            named = _EXECUTABLE.fullmatch(path.name.lower())
            minor = named[1] if named else ""
            prefixes = [path.parent.parent, path.parent]  # bin/python, and python.exe of conda and of Windows itself
            if not any((prefix / "pyvenv.cfg").is_file() for prefix in prefixes):
                real = path.resolve()
                minor = found[1] if (found := _EXECUTABLE.fullmatch(real.name.lower())) else minor
                prefixes += [real.parent.parent, real.parent]
            for prefix in prefixes:
                if folders := list(self._prefix(prefix, minor)):
                    yield from folders
                    return
            return
        if path.name in _PACKAGES or next(path.glob("*.dist-info"), None) is not None:
            self._state(path.parent.name)
            yield Folder(path, _above(path), system=False)
            return
        yield from self._prefix(path, "")

    def _prefix(self, prefix: Path, minor: str) -> Iterator[Folder]:
        settings = _settings(prefix / "pyvenv.cfg")
        stated = _PYTHON.match(settings.get("version") or settings.get("version_info") or "")
        if stated:
            self.python = stated[0]
        minor = minor or ".".join(self.python.split(".")[:2])
        yield from self._libraries(prefix, minor)
        home = settings.get("home", "")
        if home and settings.get("include-system-site-packages", "").lower() == "true":
            base = Path(home)
            base = base.parent if base.name in {"bin", "Scripts"} else base
            with suppress(OSError, ValueError):  # what pyvenv.cfg names may be no path at all
                yield from [folder._replace(system=True) for folder in self._libraries(base, minor)]

    def _libraries(self, prefix: Path, minor: str) -> Iterator[Folder]:
        """`site-packages` and Debian's `dist-packages` below a prefix; of several Pythons the latest."""
        fitting = sorted(
            (
                folder
                for name in ("lib", "lib64", "local/lib")
                for folder in prefix.glob(f"{name}/python3.*")
                if (found := _LIB.fullmatch(folder.name)) and minor in {"", found[1]}
            ),
            key=lambda folder: (-int(folder.name.rstrip("t").rpartition(".")[2]), folder),
        )
        if fitting:
            latest = fitting[0].name
            self._state(latest)
            fitting = [folder for folder in fitting if folder.name == latest]
        windows = (prefix / "Lib",) if not fitting else ()
        debian = prefix / "lib/python3"
        seen = set()
        for folder in (*fitting, *windows, debian):
            for name in _PACKAGES:
                packages = folder / name
                if packages.is_dir() and (real := packages.resolve()) not in seen:
                    seen.add(real)
                    yield Folder(packages, prefix, system=folder == debian)

    def _state(self, folder: str) -> None:
        """`python3.11`, where nothing closer says which Python it is."""
        found = _LIB.fullmatch(folder)
        if found and not self.python:
            self.python = found[1]


def _above(folder: Path) -> Path:
    """The prefix of a site-packages directory: scripts lie beside it. The directory itself where it stands alone."""
    library = folder.parent
    if folder.name in _PACKAGES and library.parent.name in {"lib", "lib64"} and library.name.startswith("python3"):
        return library.parent.parent
    return library.parent if folder.name in _PACKAGES and library.name == "Lib" else folder


def _settings(path: Path) -> dict[str, str]:
    """The keys of a pyvenv.cfg; none where there is no such file."""
    pairs = (line.partition("=") for line in beginning(path, 64 * 1024).splitlines())
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def beginning(path: Path, limit: int) -> str:
    """The first `limit` bytes of a file as text; empty where there is no file. A pipe is none: it would never end."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""
