"""Lock files on disk: names, reading, the digest that finds a hand's edit, and writing all or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from mlpin.errors import InputError


def name_of(target: str) -> str:
    """The file name of a target's lock (PEP 751)."""
    return f"pylock.{target}.toml" if target else "pylock.toml"


def is_name(name: str) -> bool:
    """Whether a file of this name is a lock (PEP 751)."""
    return re.fullmatch(r"pylock(\.[^.]+)?\.toml", name) is not None


class OldLock(NamedTuple):
    """A lock that exists, as far as making the next one needs it."""

    path: Path
    created_by: str
    fingerprint: str
    intact: bool
    """Whether the digest holds: nobody edited it."""
    versions: Mapping[str, str]
    """By package; those without a version (source trees) are left out."""
    names: frozenset[str]
    target: Mapping[str, Any] = MappingProxyType({})
    commits: Mapping[tuple[str, str], tuple[str, str]] = MappingProxyType({})
    """Package and commit, by repository (URL or absolute path) and the revision that was asked for."""
    builds: Mapping[str, tuple[str, str]] = MappingProxyType({})
    """By conda package, version and build."""
    beside: str = ""
    """The name of the file for conda's clients, if there is one."""
    beside_sha256: str = ""


def digest(tables: Mapping[str, Any]) -> str:
    """sha256 over the lock's content in canonical form, its own digest left out; layout and comments do not count."""
    own = {key: value for key, value in tables.get("tool", {}).get("mlpin", {}).items() if key != "digest"}
    content = {**tables, "tool": {**tables.get("tool", {}), "mlpin": own}}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=_iso)
    return hashlib.sha256(text.encode()).hexdigest()


def _iso(value: Any) -> str:
    return str(value.isoformat())


def dumps(tables: Mapping[str, Any]) -> str:
    """The text of the file, digest included."""
    import tomli_w

    own = {**tables["tool"]["mlpin"], "digest": f"sha256:{digest(tables)}"}
    return tomli_w.dumps({**tables, "tool": {"mlpin": own}})


def content(path: Path, shown: str) -> bytes | None:
    """The bytes of a lock; None where there is none. Raises `InputError`, also for a pipe or a device."""
    try:
        if path.exists() and not path.is_file():
            raise InputError("this is no file", where=shown)
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=shown) from None


def read(path: Path) -> OldLock | None:
    """The lock at `path`; None where there is none. Raises `InputError` where it is no lock."""
    data = content(path, str(path))
    if data is None:
        return None
    try:
        tables = tomllib.loads(data.decode())
        verify(tables)
        packages = tables["packages"]
        versions = {package["name"]: package["version"] for package in packages if "version" in package}
        names = frozenset(package["name"] for package in packages)
        commits = {
            (_repository(package["vcs"], path.parent), package["vcs"].get("requested-revision", "")): (
                package["name"],
                package["vcs"]["commit-id"],
            )
            for package in packages
            if "vcs" in package
        }
        own = tables.get("tool", {}).get("mlpin", {})
        created_by = tables["created-by"]
        target = own.get("target", {})
        builds = {str(one["name"]): (str(one["version"]), str(one["build"])) for one in own.get("conda", ())}
        beside, sum_of_beside = (str(own.get("conda-file", {}).get(key, "")) for key in ("name", "sha256"))
        fingerprint, stated = str(own.get("fingerprint", "")), str(own.get("digest", ""))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise unreadable(error, str(path)) from None
    return OldLock(
        path,
        created_by,
        fingerprint,
        stated == f"sha256:{digest(tables)}",
        versions,
        names,
        target if isinstance(target, dict) else {},
        commits,
        builds,
        beside,
        sum_of_beside,
    )


def unreadable(error: Exception, shown: str) -> InputError:
    """What is said of a file that is no lock; the caller raises it."""
    reason = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
    return InputError(
        f"this is no lock that can be read ({reason})",
        where=shown,
        hint="mend it, or delete it and lock anew, without its pins",
    )


def verify(tables: Mapping[str, Any]) -> None:
    """Raise `ValueError` or `KeyError` where what is used of a lock is not what PEP 751 has there."""
    stated = tables["lock-version"]
    if not isinstance(stated, str) or stated.partition(".")[0] != "1":
        raise ValueError(f"lock-version is {stated!r}, and mlpin knows 1.0")
    packages = tables["packages"]
    if not isinstance(packages, list) or not all(isinstance(package, dict) for package in packages):
        raise ValueError("`packages` is no list of tables")
    for package in packages:
        for key in ("name", "version"):
            if not isinstance(package.get(key, ""), str):
                raise ValueError(f"the {key} of a package is no text")  # noqa: TRY004 - one kind for all that is wrong


def _repository(vcs: Mapping[str, Any], folder: Path) -> str:
    """The URL of a locked repository, or the absolute path of one on this machine."""
    return str(vcs["url"]) if "url" in vcs else os.path.normpath(folder / vcs["path"])


def write(files: Sequence[tuple[Path, str]]) -> None:
    """Replace all of `files` with their texts, or none of them. Raises `InputError`."""
    write_bytes([(path, text.encode()) for path, text in files])


def write_bytes(files: Sequence[tuple[Path, bytes]]) -> None:
    """Replace the content of all of `files`, or of none of them. Raises `InputError`.

    A device or a pipe is written to, never replaced.
    """
    staged: list[tuple[Path, Path]] = []
    undo: list[tuple[Path, bytes | None]] = []
    path = Path()
    try:
        for stated, data in files:
            path = stated
            if stated.exists() and not stated.is_file() and not stated.is_dir():
                stated.write_bytes(data)
                continue
            path = stated.resolve()  # a link stays one
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            staged.append((temporary, path))
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for temporary, path in staged:
            before = path.read_bytes() if path.exists() else None
            if before is not None:
                temporary.chmod(path.stat().st_mode)
            os.replace(temporary, path)
            undo.append((path, before))
    except BaseException as error:
        for path_done, before in undo:
            if before is None:
                path_done.unlink(missing_ok=True)
            else:
                path_done.write_bytes(before)
        for temporary, _ in staged:
            with suppress(OSError):  # where nothing can be written, nothing can be taken away
                temporary.unlink()
        if isinstance(error, OSError):
            raise InputError(
                f"cannot be written: {error.strerror}",
                where=str(path),
                hint="give another place with -o; no lock was changed",
            ) from None
        raise
