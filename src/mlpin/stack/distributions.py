"""The distributions of an installed environment in detail: where each came from, who installed it, which files it has.

Metadata files only; nothing of the environment is run or imported. Whether a file is what RECORD says is not known
here, nor what anybody wanted to be installed.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from mlpin.errors import InputError
from mlpin.index.url import redacted, strip_credentials
from mlpin.requirement import normalise
from mlpin.stack import document
from mlpin.stack.artifacts import conda_file, platform_of
from mlpin.stack.folders import Folder, beginning, find
from mlpin.stack.gathered import Gathered, is_name, is_version, printable
from mlpin.stack.model import Pinned, Skipped

TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "distribute", "pkg-resources", "mlpin"})
"""What installers and `venv` put there themselves, and who checks it; pkg-resources is an old Debian's."""

_INFO = {".dist-info": "METADATA", ".egg-info": "PKG-INFO"}
_HEAD = 64 * 1024
_RECORD = 64 * 1024 * 1024
"""Bytes. The longest that are known have a tenth of it."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]|file:")
_LONGEST_URL = 4096
_HEADER = re.compile(r"(Name|Version)\s*:\s*(.*?)\s*")
_TAG = re.compile(r"(?m)^Tag:[ \t]*([A-Za-z0-9_.]+-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+)[ \t]*\r?$")
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_REQUIRES = re.compile(r"(?mi)^Requires-Dist:[ \t]*([A-Z0-9][A-Z0-9._-]*)[ \t]*(?:\[([^]\n]*)\])?([^\n]*)")
_EXTRA = re.compile(r"\bextra\s*==\s*['\"]([^'\"]*)")
_NO_MORE = re.compile(r"\n\r?\n")
"""What the headers of METADATA end with."""
_WRITE_RECORDS = {"pip", "uv"}


class Direct(NamedTuple):
    """Where a distribution came from when that was no index (direct_url.json, PEP 610)."""

    url: str
    """Without credentials."""
    commit: str = ""
    hash: str = ""
    """`sha256=hex`, of an archive."""
    editable: bool = False
    subdirectory: str = ""
    directory: bool = False


class Recorded(NamedTuple):
    """One line of RECORD."""

    path: str
    """Relative to the site-packages directory, or absolute; with `/`, and `..` only in front."""
    hash: str
    """`sha256=` and the digest in URL-safe base64; empty where RECORD has none."""
    size: int | None
    """Bytes."""


class Distribution(NamedTuple):
    """One installed distribution."""

    name: str
    """Normalised."""
    version: str
    """As its metadata has it, with its local part."""
    folder: Path
    """The site-packages directory."""
    info: Path
    """Its .dist-info or .egg-info."""
    installer: str
    """`pip`, `uv`, `conda`; empty where nobody says."""
    direct: Direct | None
    tags: tuple[str, ...]
    """Of the wheel that was installed."""
    prefix: Path
    """Of the environment; what lies outside is no part of it."""
    system: bool = False
    """It belongs to the interpreter that a virtual environment was made from, or to the operating system."""
    tool: bool = False
    """It is one of `TOOLS`, or one of these needs it."""

    def record(self) -> tuple[Recorded, ...] | None:
        """The lines of RECORD that can be read; None where there is no RECORD (conda, Debian, .egg-info)."""
        path = self.info / "RECORD"
        if self.info.suffix != ".dist-info" or not path.is_file():
            return None
        return tuple(_recorded(beginning(path, _RECORD)))

    def broken_record(self) -> Literal["", "gone", "not whole"]:
        """What is wrong with RECORD, as far as that is sure; empty: nothing.

        pip and uv always write one, and into it that and METADATA. Lines that are missing elsewhere are not seen.
        """
        if self.installer.lower() not in _WRITE_RECORDS or self.info.suffix != ".dist-info":
            return ""
        path = self.info / "RECORD"
        if not path.is_file():
            return "gone"
        text = beginning(path, _RECORD)
        if not text and (not os.access(path, os.R_OK) or path.stat().st_size):
            return ""
        paths = {one.path.lower() for one in _recorded(text)}
        own = {f"{self.info.name}/{name}".lower() for name in ("METADATA", "RECORD")}
        return "" if own <= paths and (text.endswith("\n") or len(text) >= _RECORD) else "not whole"


class Environment(NamedTuple):
    """An installed environment."""

    shown: str
    python: str
    """`3.11.4` or `3.11`; empty where it is not known."""
    platform: str
    """As `target.parse_platform` takes it; known only of a conda prefix."""
    packages: tuple[Distribution, ...]
    """All of them, in the order in which its Python looks: the first of a name is the one that is imported."""
    conda: tuple[Pinned, ...]
    skipped: tuple[Skipped, ...]
    records: tuple[Path, ...] = ()
    """conda's own, one a package: `conda-meta/NAME-VERSION-BUILD.json`."""


def read(path: Path, shown: str) -> Environment:
    """What is installed in the environment at `path`. Raises `InputError` where there is none."""
    try:
        return _read(path, shown)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this cannot be the name of a file"
        raise InputError(f"cannot be read: {reason}", where=printable(shown)) from None


def _read(path: Path, shown: str) -> Environment:
    gathered = Gathered(shown, "environment")
    if not path.exists():
        raise gathered.error(0, "there is no such environment")
    found = find(path)
    if not found.folders and not found.records:
        raise gathered.error(
            0,
            "this is not a Python environment: it has neither site-packages nor conda-meta",
            hint="name a virtual environment, a conda prefix, its python, or a site-packages directory",
        )
    platform = _conda(found.records, gathered)
    packages = tuple(one for folder in found.folders for one in _distributions(folder, gathered))
    conda = gathered.stack()
    needed = _with_needs(packages)
    packages = tuple(one._replace(tool=one.name in needed) for one in packages)
    return Environment(
        shown,
        gathered.version("python") or found.python,
        platform,
        packages,
        conda.packages,
        conda.skipped,
        found.records,
    )


def _conda(records: tuple[Path, ...], gathered: Gathered) -> str:
    """Takes conda's packages; returns the platform."""
    platform = ""
    for record in records:
        package = conda_file(record.stem)
        try:
            if package is None:
                raise InputError("is not the record of a package")  # noqa: TRY301
            gathered.conda(*package)
            if package.name == "python":
                data = document.json(record.read_text("utf-8", "replace"), str(record))
                subdir = data.get("subdir") if isinstance(data, dict) else None
                platform = platform_of([subdir]) if isinstance(subdir, str) else ""
        except (InputError, OSError):
            gathered.skip(f"conda-meta/{record.name}", 0, "a record that cannot be read")
    return platform


def _distributions(folder: Folder, gathered: Gathered) -> Iterator[Distribution]:
    """What is installed in one folder, by the names of its metadata."""
    for entry in sorted(os.scandir(folder.path), key=lambda entry: entry.name):
        suffix = os.path.splitext(entry.name)[1]
        if suffix not in _INFO and suffix != ".egg-link":
            continue
        if entry.name.startswith("~"):
            gathered.skip(entry.name, 0, "left behind by an installation that was broken off")
            continue
        info, direct = Path(entry.path), None
        if suffix == ".egg-link":
            developed = _developed(info)
            if developed is None:
                gathered.skip(entry.name, 0, "it leads to no distribution")
                continue
            info, direct = developed, Direct(developed.parent.as_uri(), editable=True, directory=True)
        name, version = _head(info / _INFO[info.suffix] if info.is_dir() else info)
        if not is_name(name) or not is_version(version):
            wrong = f"`{printable(version)}` is not a version (PEP 440)"
            broken = not is_name(name) or not version
            gathered.skip(entry.name, 0, "its METADATA is broken" if broken else wrong)
            continue
        yield Distribution(
            normalise(name),
            version,
            folder.path,
            info,
            printable(beginning(info / "INSTALLER", 256).strip()),
            direct or _direct(info / "direct_url.json"),
            tuple(_TAG.findall(beginning(info / "WHEEL", _HEAD))),
            folder.prefix,
            folder.system,
        )


def _with_needs(packages: Sequence[Distribution]) -> set[str]:
    """The names of `TOOLS` and of what those that are installed need, markers aside; of mlpin with its extras."""
    installed = {one.name: one for one in reversed(packages)}
    asked = [(name, frozenset[str]()) for name in sorted(TOOLS & installed.keys())]
    seen = set(asked)
    while asked:
        name, extras = asked.pop()
        found = installed.get(name)
        metadata = _NO_MORE.split(beginning(found.info / "METADATA", _HEAD), maxsplit=1)[0] if found else ""
        for needed, wanted, rest in _REQUIRES.findall(metadata):
            extra = _EXTRA.search(rest)
            if extra is None or name == "mlpin" or normalise(extra[1]) in extras:
                one = (normalise(needed), frozenset(map(normalise, wanted.replace(",", " ").split())))
                if one not in seen:
                    seen.add(one)
                    asked.append(one)
    return {*TOOLS, *(name for name, _ in seen)}


def _developed(link: Path) -> Path | None:
    """The .egg-info in the directory that `setup.py develop` linked; None where there is none."""
    source = beginning(link, _HEAD).partition("\n")[0].strip()
    if "\0" in source or not os.path.isabs(source):
        return None
    try:
        found = sorted(Path(source).glob("*.egg-info"))
    except OSError:
        return None
    return next((one for one in found if normalise(one.stem) == normalise(link.stem)), None)


def _head(path: Path) -> tuple[str, str]:
    """Name and version in the head of a METADATA file; empty where there are none."""
    found: dict[str, str] = {}
    for line in beginning(path, _HEAD).splitlines():
        if not line.strip():
            break
        if header := _HEADER.fullmatch(line):
            found.setdefault(header[1], header[2])
    return found.get("Name", ""), found.get("Version", "")


def _direct(path: Path) -> Direct | None:
    """What a direct_url.json says; None where there is none or it says nothing that can be used."""
    text = beginning(path, _HEAD)
    try:
        data = document.json(text, str(path)) if text else None
    except InputError:
        return None
    if not isinstance(data, dict) or not isinstance(data.get("url"), str):
        return None
    vcs, archive, folder = (_table(data, key) for key in ("vcs_info", "archive_info", "dir_info"))
    url = redacted(strip_credentials(data["url"]))
    if not _URL.match(url):
        url = url.rpartition("@")[2]  # where no URL is, nothing could be stripped
    commit, subdirectory = vcs.get("commit_id"), data.get("subdirectory")
    return Direct(
        url if url.isprintable() and len(url) < _LONGEST_URL else printable(url),
        commit.lower() if isinstance(commit, str) and _COMMIT.fullmatch(commit) else "",
        _archive_hash(archive),
        folder.get("editable") is True,
        printable(subdirectory) if isinstance(subdirectory, str) else "",
        "dir_info" in data,
    )


def _archive_hash(archive: dict[str, object]) -> str:
    """`sha256=hex` as it is stated in either of the two ways; any other algorithm where that is all there is."""
    hashes = {name: one for name, one in _table(archive, "hashes").items() if isinstance(one, str)}
    name, _, digest = str(archive.get("hash") or "").partition("=")
    hashes.setdefault(name, digest)
    found = next((name for name in ("sha256", *sorted(hashes)) if hashes.get(name)), "")
    return printable(f"{found}={hashes[found].lower()}") if found else ""


def _table(data: dict[str, object], key: str) -> dict[str, object]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _recorded(text: str) -> Iterator[Recorded]:
    import csv
    import io

    rows = csv.reader(io.StringIO(text, newline=""))
    while True:
        try:
            path, digest, size, *_ = [*next(rows), "", "", ""]
        except StopIteration:
            return
        except csv.Error:  # a field without end
            continue
        if path and "\0" not in path:
            number = int(size) if size.isascii() and size.isdigit() and len(size) < 19 else None
            yield Recorded(posixpath.normpath(path.replace("\\", "/")), digest, number)
