"""The file beside a lock that conda's clients install: its conda packages as an explicit list of URLs (CEP 23).

conda, mamba and micromamba take it, and solve nothing. rattler's parser does too, as long as it has no paths of a local
channel. The lock has all that stands in it, and its sha256.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from mlpin.errors import InputError
from mlpin.lock.conda import LockedConda, bare, ordered

_LOCK = re.compile(r"pylock(?P<target>\.[^.]+)?\.toml")
_UNSAFE = re.compile(r"[\s$#%]|^[-~]")
"""What clients take out of a path, or put something else for."""


def name_of(lock_name: str) -> str:
    """The name of the file that belongs to a lock of this name: `conda.train.lock` to `pylock.train.toml`."""
    found = _LOCK.fullmatch(lock_name)
    return f"conda{found['target'] or ''}.lock" if found else f"{lock_name.removesuffix('.toml')}.conda.lock"


def explicit(packages: Sequence[LockedConda], subdir: str, name: str = "conda.lock") -> str:
    """The file of this name for a platform of conda's (`linux-64`). The same packages give the same bytes.

    Hashes are md5 where it is known, since older clients (conda before 24.9, micromamba before 2.1) refuse or overlook
    a sha256. Files of a local channel stand as paths from the lock's folder. Raises `InputError` for a path that no
    line can hold.
    """
    lines = [
        f"# Made by mlpin for {subdir}. Installed by conda, mamba, micromamba:",
        f"#   conda create -n NAME --file {name}",
        f"#   micromamba create -n NAME -f {name}",
    ]
    if any(package.is_local for package in packages):
        lines.append("# Be in its folder: it has paths from there.")
    lines += [f"# platform: {subdir}", "@EXPLICIT", *map(_line, ordered(packages))]
    return "\n".join(lines) + "\n"


def table(name: str, text: str) -> Mapping[str, str]:
    """The `[tool.mlpin.conda-file]` of a lock: the file's name and the sha256 of its text."""
    return {"name": name, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def sha256_of(data: bytes) -> str:
    """The digest of a file as `table` has it, where somebody's git or editor has changed its line ends too."""
    return hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()


def subdir_of(packages: Sequence[LockedConda]) -> str:
    """The platform that packages are for; `noarch` where all of them are for any."""
    return next((package.subdir for package in packages if package.subdir != "noarch"), "noarch")


def significant(text: str) -> list[str]:
    """The lines that a client acts on."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def place_of(lock: Path) -> Path:
    """Where the file that belongs to a lock lies."""
    return lock.with_name(name_of(lock.name))


def address(package: LockedConda) -> str:
    """The URL or path of a package's file, as one word that means itself. Raises `InputError`."""
    if "://" in package.url:
        return quote(bare(package.url), safe="%/:=&?~+!,;'@()*[]")
    if _UNSAFE.search(package.url):
        raise InputError(
            f"the path `{package.url}` of {package.name} cannot stand in a file for conda's clients",
            hint="rename its folder, or name the channel by its file: URL",
        )
    return package.url if package.url.startswith(("/", "./", "../")) else f"./{package.url}"


def _line(package: LockedConda) -> str:
    return f"{address(package)}#{package.hashes.get('md5') or package.hashes['sha256']}"
