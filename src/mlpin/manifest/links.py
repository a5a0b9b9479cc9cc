"""Direct references: URLs, version control URLs and paths, as pip and PEP 508 write them.

Turns text into a `Source`. What is wrong is a `ValueError` in plain words; the caller knows the line.
Nothing is fetched or opened here; only whether a relative path exists is looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mlpin.requirement import PathSource, Source, UrlSource, VcsSource, normalise

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_VCS = ("git", "hg", "svn", "bzr")
_URL_SCHEMES = frozenset({"http", "https", "file", "ftp", "ssh", "git", "s3", "gs"})
_HASHES = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
STRONG_HASHES = ("sha256", "sha384", "sha512")
ARCHIVES = (
    *(".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz"),
    *(".tar.xz", ".txz", ".tlz", ".tar.lz", ".tar.lzma"),
)
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EGG = re.compile(rf"(?P<name>{_NAME})\s*(?:\[(?P<extras>[^\]]*)\])?(?P<version>\s*[=<>!~].*)?")
_EXTRAS = re.compile(r"(?P<path>.+?)\s*\[(?P<extras>[^\]]+)\]")
_HATCH_ROOT = re.compile(r"\{root(?P<parents>(?::parent)*):uri\}")


class Link(NamedTuple):
    """A direct reference: where it points, and what its text says about the package there."""

    source: Source
    name: str = ""
    """Normalised; empty where the text does not say it."""
    extras: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    from_egg: bool = False
    """`name` was given as `#egg=`, not by the name of a wheel or source archive."""
    ignored: tuple[str, ...] = ()
    """Parts of the fragment that mean nothing."""


def is_url(text: str) -> bool:
    """Whether `text` begins as a URL that pip knows, `git@host:path` after `git+` included."""
    found = _SCHEME.match(text)
    if found and (found[1].lower() in _URL_SCHEMES or found[1].partition("+")[0].lower() in _VCS):
        return True
    return text.lower().startswith("git+")


def looks_like_path(text: str) -> bool:
    """Whether pip would take `text`, without marker and extras, for a path (by its looks alone)."""
    if text.startswith((".", "/", "~/", "\\")) or re.match(r"[A-Za-z]:[\\/]", text):
        return True
    return "/" in text or "\\" in text or text.lower().endswith(ARCHIVES)


def link(text: str, *, bases: Sequence[Path], editable: bool = False) -> Link:
    """What the URL or path `text` points to. Relative paths are looked for in each of `bases`.

    Raises `ValueError` with the reason where it cannot be used.
    """
    text = text.strip()
    hatch = _HATCH_ROOT.match(text)
    if hatch:  # context formatting of hatchling: the project's own directory
        root = bases[-1]
        for _ in range(hatch["parents"].count(":parent")):
            root = root.parent
        text = root.as_uri() + text[hatch.end() :]
    if not is_url(text):
        return _path(text, bases, editable)
    address, _, fragment = text.partition("#")
    scheme = address.partition(":")[0].lower()
    facts = _fragment(fragment)
    if scheme == "file":
        found = _path(file_path(address), bases, editable, subdirectory=facts.subdirectory)
    elif scheme in ("http", "https"):
        if address.endswith(".git"):
            raise ValueError(f"this is a repository, not a file: write `git+{scheme}://…`")
        if not _host(address):
            raise ValueError("it names no host")
        found = Link(UrlSource(address, facts.subdirectory), name=_name_of_file(address))
    elif scheme.partition("+")[0] in _VCS or scheme.startswith("git+"):
        found = Link(_vcs(address, facts.subdirectory))
    elif scheme == "ssh":
        raise ValueError("a repository over SSH is written `git+ssh://…`")
    else:
        raise ValueError(f"`{scheme}:` URLs are not supported")
    return found._replace(
        name=found.name or facts.name,
        from_egg=not found.name and bool(facts.name),
        extras=found.extras or facts.extras,
        hashes=facts.hashes,
        ignored=facts.ignored,
    )


def with_subdirectory(target: Link, subdirectory: str) -> tuple[Source, tuple[str, ...]]:
    """The source and hashes of `target`, its project in `subdirectory` where that is not empty."""
    source = target.source
    if subdirectory and isinstance(source, UrlSource | VcsSource | PathSource):
        source = source._replace(subdirectory=subdirectory)
    return source, target.hashes


class _Fragment(NamedTuple):
    name: str = ""
    extras: tuple[str, ...] = ()
    subdirectory: str = ""
    hashes: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def _fragment(text: str) -> _Fragment:
    from urllib.parse import unquote

    name, subdirectory = "", ""
    extras: tuple[str, ...] = ()
    hashes: list[str] = []
    ignored: list[str] = []
    for part in filter(None, text.split("&")):
        key, _, value = part.partition("=")
        if key == "egg":
            found = _EGG.fullmatch(unquote(value))
            if found is None:
                raise ValueError(f"`#egg={value}` is not the name of a package")
            name, extras = normalise(found["name"]), extras_of(found["extras"] or "")
            if found["version"]:
                ignored.append(found["version"].strip())
        elif key == "subdirectory":
            subdirectory = unquote(value).strip("/")
            if ".." in subdirectory.split("/"):
                raise ValueError(f"`#subdirectory={value}` leads out of the source")
        elif key in _HASHES:
            hashes.append(hash_of(f"{key}:{value}"))
        else:
            ignored.append(part)
    return _Fragment(name, extras, subdirectory, tuple(hashes), tuple(ignored))


def hash_of(text: str) -> str:
    """`algorithm:hex`, checked and in lower case; `ValueError` where it is none."""
    algorithm, _, value = text.partition(":")
    algorithm, value = algorithm.lower(), value.lower()
    if algorithm not in _HASHES:
        raise ValueError(f"`{algorithm}` is not a hash that can be checked; use one of {', '.join(STRONG_HASHES)}")
    if len(value) != _HASHES[algorithm] or not re.fullmatch(r"[0-9a-f]+", value):
        raise ValueError(f"this is not a {algorithm}: it has {_HASHES[algorithm]} hexadecimal digits")
    return f"{algorithm}:{value}"


def extras_of(text: str) -> tuple[str, ...]:
    """The normalised, sorted names in `a, b`; `ValueError` where one is no name."""
    names = [part.strip() for part in text.split(",") if part.strip()]
    for name in names:
        if not re.fullmatch(_NAME, name):
            raise ValueError(f"`{name}` is not the name of an extra")
    return tuple(sorted({normalise(name) for name in names}))


def local(text: str, bases: Sequence[Path]) -> Path:
    """The absolute path of `text`: in the first of `bases` where it exists, else in the last of them.

    pip looks in the working directory and other tools beside the file; a directory counts only if it
    can be installed.
    """
    found = Path()
    for base in bases:
        found = Path(os.path.normpath(base.absolute() / text))
        try:
            if found.is_file() or any((found / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg")):
                return found
        except (OSError, ValueError):
            raise ValueError("this cannot be a path") from None
    return found


def _path(text: str, bases: Sequence[Path], editable: bool, *, subdirectory: str = "") -> Link:
    extras: tuple[str, ...] = ()
    found = _EXTRAS.fullmatch(text)
    if found:
        text, extras = found["path"], extras_of(found["extras"])
    path, _, fragment = text.partition("#") if "#egg=" in text or "#subdirectory=" in text else (text, "", "")
    facts = _fragment(fragment)
    if "\0" in path:
        raise ValueError("this cannot be a path")
    source = PathSource(local(path, bases).as_posix(), editable, subdirectory or facts.subdirectory)
    name = _name_of_file(path)
    return Link(
        source,
        name=name or facts.name,
        extras=extras or facts.extras,
        from_egg=not name and bool(facts.name),
        ignored=facts.ignored,
    )


def file_path(address: str) -> str:
    """The path of a `file:` URL; `ValueError` where it names another host."""
    from urllib.parse import unquote

    rest = address[len("file:") :]
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host not in ("", "localhost"):
            if host.startswith("."):  # file://./x, which pip never meant to allow and people write
                return unquote(rest[2:])
            raise ValueError(f"a `file:` URL cannot name another host (`{host}`)")
        rest = slash + path
    if not rest:
        raise ValueError("it names no file")
    return unquote(rest)


def _host(address: str) -> str:
    return address.partition("://")[2].partition("/")[0].rpartition("@")[2]


def _name_of_file(address: str) -> str:
    """The package that the name of a wheel or source archive says; empty where it says none."""
    from urllib.parse import unquote

    path = unquote(address.partition("?")[0])
    file = path.replace("\\", "/").rpartition("/")[2]
    if file.endswith(".whl"):
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        try:
            return str(parse_wheel_filename(file)[0])
        except InvalidWheelFilename:
            raise ValueError(f"`{file}` is not the name of a wheel") from None
    # the archives that code hosts make of a repository are named after a tag or a branch
    if not file.endswith((".tar.gz", ".zip")) or "/archive/" in path or "/zipball/" in path or "/tarball/" in path:
        return ""
    from packaging.utils import InvalidSdistFilename, parse_sdist_filename

    try:
        return str(parse_sdist_filename(file)[0])
    except InvalidSdistFilename:
        return ""


def _vcs(address: str, subdirectory: str) -> VcsSource:
    vcs, plus, rest = address.partition("+")
    vcs = vcs.lower()
    if not plus:  # `git://…`, which pip takes for `git+git://…`
        vcs, rest = address.partition(":")[0].lower(), address
    if "://" in rest:
        scheme, _, tail = rest.partition("://")
        host, slash, path = tail.partition("/")
        if not host and scheme != "file":
            raise ValueError("it names no host")
        prefix = f"{scheme}://{host}{slash}"
    else:
        host, colon, path = rest.partition(":")
        if not colon or not host:
            raise ValueError(f"a repository is written `{vcs}+https://host/path@revision`")
        prefix = f"ssh://{host}/"
    from urllib.parse import unquote

    path, at, revision = path.rpartition("@") if "@" in path else (path, "", "")
    if at and not revision:
        raise ValueError("there is no revision after `@`")
    if not path.strip("/"):
        raise ValueError("it names no repository")
    return VcsSource(vcs, prefix + path, unquote(revision), subdirectory)
