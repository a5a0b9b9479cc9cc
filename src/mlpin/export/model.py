"""What every form of export is made from: a lock that was checked, its target, the matrix.

Knows what of a lock is installed by default and what may be written down in a text that a tool runs. Knows no form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from mlpin import hardware
from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.index.url import redacted, strip_credentials
from mlpin.lock.locked import Lock, LockedFile, LockedPackage
from mlpin.matrix.matrix import Matrix
from mlpin.requirement import name_in, normalise
from mlpin.target import Target

_CHOICE = re.compile(
    r"""(?P<q>['"])(?P<name>[^'"]*)(?P=q)\s+(?P<not>not\s+)?in\s+(?P<what>extras|dependency_groups)\b"""
)
_ANYWHERE = re.compile(r"(?:py2\.)?py3(?:\.py2)?-none-any")
_EXTRA = re.compile(r"[A-Za-z0-9._-]+")
_DIGEST = re.compile(r"[0-9a-fA-F]+")
_TRUE, _FALSE = "python_version >= '0'", "python_version < '0'"
_SYSTEMS = ("git", "hg", "svn", "bzr")
_STARS = "****"
"""Stands for what `redacted` leaves out."""
HASHES = ("sha256", "sha384", "sha512")
"""Which pip takes on a line, the usual one first."""


class Exported(NamedTuple):
    """A lock as it is exported."""

    lock: Lock
    target: Target | None
    """None where the lock does not say what it is for, or says that it is for several machines."""
    matrix: Matrix
    default_index: str
    """Which index tools ask that are told of none."""
    packages: Sequence[LockedPackage]
    """What is installed by default, by name and version; markers are those of PEP 508, without PEP 751's additions."""
    indexes: Sequence[str]
    """The indexes that packages come from, the one of most packages first; without credentials."""
    left_out: Sequence[str]
    """Names of packages that are only installed with an extra or a group of the lock."""

    @property
    def made_for(self) -> str:
        """The target in words; empty where there is none."""
        return str(self.target) if self.target else ""

    @property
    def secret(self) -> Sequence[str]:
        """The packages with a token in a URL, which no export has."""
        return [
            package.name
            for package in self.packages
            if any(_STARS in public(url) for url in (package.index, *(file.url for file in package.files)))
        ]

    @property
    def via(self) -> Mapping[str, Sequence[str]]:
        """By package, who asks for it: packages, and files of the project that name it. Sorted."""
        found: dict[str, set[str]] = {}
        for package in self.packages:
            for name in package.dependencies:
                found.setdefault(normalise(name), set()).add(package.name)
        for name, place in self.roots.items():
            if place:
                found.setdefault(name, set()).add(place)
        return {name: sorted(asking) for name, asking in found.items()}

    @property
    def roots(self) -> Mapping[str, str]:
        """The packages that the project names, with the file that does (empty where it was an option)."""
        lines = self.lock.lines("requirements")
        return {name: printable(line.file) for line in lines if (name := name_in(line.text))}

    @property
    def overridden(self) -> Sequence[str]:
        """Packages of which the lock may have another version than those who ask for them admit."""
        return sorted({name for line in self.lock.lines("overrides") if (name := name_in(line.text))})

    @property
    def excluded(self) -> Sequence[str]:
        """Names that were left out of the lock, whoever asks for them."""
        return Fields(self.lock.options, self.lock.shown).strings("exclude") or ()

    def files(self, package: LockedPackage) -> Sequence[LockedFile]:
        """The files that may be installed: no source archive where a wheel serves the target (or every machine)."""
        wheels = [file for file in package.files if file.kind == "wheel"]
        if self.target is not None:
            fits = [file for file in wheels if self.target.rank(file.tags) is not None]
            return fits or [file for file in package.files if file.kind != "wheel"] or wheels
        return wheels if any(_ANYWHERE.fullmatch(file.tags) for file in wheels) else package.files


def exported(lock: Lock, matrix: Matrix, default_index: str) -> Exported:
    """What there is to export of a lock. Raises `InputError` where it is none that installers would take."""
    _check(lock)
    groups = lock.tables.get("default-groups", ())
    packages, left_out = [], set()
    for package in lock.packages:
        marker = _plain(package.marker, groups)
        if marker is None:
            left_out.add(package.name)
        else:
            packages.append(package._replace(marker=marker))
    packages.sort(key=lambda package: (package.name, package.version, package.marker))
    return Exported(
        lock,
        _target(lock, matrix),
        matrix,
        default_index,
        tuple(packages),
        _indexes(packages, default_index),
        tuple(sorted(left_out - {package.name for package in packages})),
    )


def _indexes(packages: Sequence[LockedPackage], default_index: str) -> Sequence[str]:
    counts = Counter(index for package in packages if (index := index_of(package)))
    return sorted(counts, key=lambda index: (-counts[index], index != default_index, index))


def public(url: str) -> str:
    """`url` as it may stand in a file: no credentials, and nothing that is more than an address on a line of text."""
    return quote(redacted(strip_credentials(url)), safe="%/:=&?~#+!$,;'@()*[]")


def index_of(package: LockedPackage) -> str:
    """The index of a package as it may stand in a file; empty where the lock names none."""
    return public(package.index).rstrip("/")


def digest_of(file: LockedFile) -> tuple[str, str]:
    """(algorithm, digest) of the hash that a line carries; empty texts where the lock has none that pip takes."""
    return next(((name, file.hashes[name]) for name in HASHES if name in file.hashes), ("", ""))


def _target(lock: Lock, matrix: Matrix) -> Target | None:
    """The target; without its hardware where that is nothing that the shipped matrix knows."""
    bare = lock.stated._replace(accelerator=None, driver=None, gpus=None, cuda=None)
    for stated in (lock.stated, bare):
        try:
            return hardware.target_of(stated, matrix)
        except InputError:
            continue
    return None


def _plain(marker: str, groups: Sequence[str]) -> str | None:
    """A marker without `'x' in extras` and the like: no extra is chosen, and `groups` are. None: it never holds."""

    def choice(found: re.Match[str]) -> str:
        chosen = found["what"] == "dependency_groups" and found["name"] in groups
        return _TRUE if chosen != bool(found["not"]) else _FALSE

    text = _CHOICE.sub(choice, marker)
    if text == marker:
        return marker
    bare = text.strip("() ")
    return "" if bare == _TRUE else None if bare == _FALSE else text


def _check(lock: Lock) -> None:
    from packaging.pylock import Pylock, PylockValidationError

    try:
        Pylock.from_dict(lock.tables)
    except (PylockValidationError, ValueError, TypeError, RecursionError) as error:
        raise InputError(
            f"this is no lock that an installer would take (PEP 751): {printable(str(error))}",
            where=lock.shown,
            hint="give a pylock.toml, or a directory that has one; `mlpin lock` makes it",
        ) from None
    for package in lock.packages:
        if (wrong := next(_wrong(package), None)) is not None:
            raise InputError(
                f"`{printable(wrong)}` of {package.name} cannot be written into a file for another tool",
                where=f"{lock.shown}:{package.line}" if package.line else lock.shown,
            )


def _wrong(package: LockedPackage) -> Iterator[str]:
    """Texts that would be more than they say in a file that is read line by line."""
    texts = [package.version, package.index, package.marker, *package.dependencies]
    for file in package.files:
        texts += [file.name, file.url, file.path, file.subdirectory]
        if file.kind == "wheel" and file.tags.count("-") != 2:
            yield file.name
        yield from (value for value in file.hashes.values() if not _DIGEST.fullmatch(value))
    texts += [field for field in package.tree or () if isinstance(field, str)]
    yield from (text for text in texts if not text.isprintable())
    yield from (extra for extra in package.extras if not _EXTRA.fullmatch(extra))
    if package.version != package.version.strip():
        yield package.version
    if package.tree is not None and package.tree.kind == "vcs" and package.tree.vcs not in _SYSTEMS:
        yield package.tree.vcs


def printable(text: str) -> str:
    """`text` for a message: one line of characters that can be shown."""
    return "".join(char if char.isprintable() else "?" for char in text[:200])
