"""An installed environment: a virtual environment, a conda prefix, an interpreter or a site-packages directory.

Nothing of it is run or imported. Of a distribution the head of its METADATA is read, of a conda package the name
of its record. What cannot be read is listed as skipped: half of an environment is better than none of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from mlpin.errors import InputError
from mlpin.requirement import normalise
from mlpin.stack import document
from mlpin.stack.artifacts import conda_file, platform_of
from mlpin.stack.gathered import Gathered, is_version, printable
from mlpin.stack.model import Stack

_LIB = re.compile(r"python(3\.\d+)t?")
_EXECUTABLE = re.compile(r"python(3\.\d+)t?(?:\.exe)?")
_PYTHON = re.compile(r"3\.\d+(?:\.\d+)?")
_PACKAGES = ("site-packages", "dist-packages")
_INFO = {".dist-info": "METADATA", ".egg-info": "PKG-INFO"}
_HEAD = 64 * 1024
_HEADER = re.compile(r"(Name|Version)\s*:\s*(.*?)\s*")


def read(path: Path, shown: str) -> Stack:
    """The packages installed in the environment at `path`. Raises `InputError` where there is none."""
    try:
        return _Environment(path, shown).stack()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this cannot be the name of a file"
        raise InputError(f"cannot be read: {reason}", where=printable(shown)) from None


class _Environment:
    def __init__(self, path: Path, shown: str) -> None:
        self.path = path
        self.found = Gathered(shown, "environment")
        self.python = ""

    def stack(self) -> Stack:
        if not self.path.exists():
            raise self.found.error(0, "there is no such environment")
        folders = list(self._folders(self.path))
        prefixes = (self.path.parent.parent, self.path.parent) if self.path.is_file() else (self.path,)
        records = [record for prefix in prefixes for record in sorted(prefix.glob("conda-meta/*.json"))]
        if not folders and not records:
            raise self.found.error(
                0,
                "this is not a Python environment: it has neither site-packages nor conda-meta",
                hint="name a virtual environment, a conda prefix, its python, or a site-packages directory",
            )
        platform = self._conda(records)
        owned = {normalise(one.name): one.version for one in self.found.stack().packages}
        seen: set[str] = set()
        for folder in folders:
            seen |= self._distributions(folder, owned, seen)
        return self.found.stack(python=self.found.version("python") or self.python, platform=platform)

    # Where packages lie

    def _folders(self, path: Path) -> Iterator[Path]:
        """The directories that the environment's Python imports packages from, first one first."""
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
            yield path
            return
        yield from self._prefix(path, "")

    def _prefix(self, prefix: Path, minor: str) -> Iterator[Path]:
        settings = _settings(prefix / "pyvenv.cfg")
        stated = _PYTHON.match(settings.get("version") or settings.get("version_info") or "")
        if stated:
            self.python = stated[0]
        minor = minor or ".".join(self.python.split(".")[:2])
        yield from self._libraries(prefix, minor)
        home = settings.get("home", "")
        if home and settings.get("include-system-site-packages", "").lower() == "true":
            base = Path(home)
            yield from self._libraries(base.parent if base.name in {"bin", "Scripts"} else base, minor)

    def _libraries(self, prefix: Path, minor: str) -> Iterator[Path]:
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
        seen = set()
        for folder in (*fitting, *windows, prefix / "lib/python3"):
            for name in _PACKAGES:
                packages = folder / name
                if packages.is_dir() and (real := packages.resolve()) not in seen:
                    seen.add(real)
                    yield packages

    def _state(self, folder: str) -> None:
        """`python3.11`, where nothing closer says which Python it is."""
        found = _LIB.fullmatch(folder)
        if found and not self.python:
            self.python = found[1]

    # What lies there

    def _conda(self, records: list[Path]) -> str:
        """Takes conda's packages; returns the platform."""
        platform = ""
        for record in records:
            package = conda_file(record.stem)
            try:
                if package is None:
                    raise InputError("is not the record of a package")  # noqa: TRY301
                self.found.conda(*package)
                if package.name == "python":
                    data = document.json(record.read_text("utf-8", "replace"), str(record))
                    subdir = data.get("subdir") if isinstance(data, dict) else None
                    platform = platform_of([subdir]) if isinstance(subdir, str) else ""
            except (InputError, OSError):
                self.found.skip(f"conda-meta/{record.name}", 0, "a record that cannot be read")
        return platform

    def _distributions(self, folder: Path, owned: dict[str, str], seen: set[str]) -> set[str]:
        """Takes what is installed in one folder; what an earlier one has comes before it."""
        names = set()
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            suffix = os.path.splitext(entry.name)[1]
            if suffix not in _INFO:
                continue
            if entry.name.startswith("~"):
                self.found.skip(entry.name, 0, "left behind by an installation that was broken off")
                continue
            place = Path(entry.path, _INFO[suffix]) if entry.is_dir() else Path(entry.path)
            name, version = _head(place)
            if not name or not version or not is_version(version):
                wrong = f"`{printable(version)}` is not a version (PEP 440)" if version else "its METADATA is broken"
                self.found.skip(entry.name, 0, wrong)
                continue
            key = normalise(name)
            if key in seen or (owned and (_same(owned.get(key, ""), version) or _by_conda(entry.path))):
                continue
            try:
                self.found.pypi(name, version)
            except InputError:
                self.found.skip(entry.name, 0, "its METADATA is broken")
            names.add(key)
        return names


def _same(one: str, other: str) -> bool:
    return one.partition("+")[0] == other.partition("+")[0]


def _by_conda(info: str) -> bool:
    """Whether conda says that it installed the distribution itself."""
    try:
        with open(os.path.join(info, "INSTALLER"), "rb") as file:
            return file.read(16).strip() == b"conda"
    except OSError:
        return False


def _head(path: Path) -> tuple[str, str]:
    """Name and version in the head of a METADATA file; empty where there are none."""
    try:
        with path.open("rb") as file:
            text = file.read(_HEAD).decode("utf-8", "replace")
    except OSError:
        return "", ""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        if header := _HEADER.fullmatch(line):
            found.setdefault(header[1], header[2])
    return found.get("Name", ""), found.get("Version", "")


def _settings(path: Path) -> dict[str, str]:
    """The keys of a pyvenv.cfg; none where there is no such file."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}
