"""Installed files against RECORD: what is gone or changed, and which distributions overwrite each other's files.

Knows what installers and Python themselves rewrite, and keeps quiet about it. Nothing outside of the environment's
prefix is read, whatever RECORD says. What a lock wants is not known here.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from mlpin.stack.distributions import Distribution, Recorded

HASHED = 4 * 1024 * 1024
"""Bytes. Larger files are compared by their size alone, unless asked: few they are, and gigabytes where CUDA is."""
_CHUNK = 1024 * 1024
_ALGORITHMS = {"sha256": 43, "sha384": 64, "sha512": 86, "md5": 22, "sha1": 27}
"""By name, how long the digest is in base64."""
_BY_INSTALLERS = {
    *("INSTALLER", "REQUESTED", "RECORD", "RECORD.jws", "RECORD.p7s", "direct_url.json", "provenance_url.json"),
    *("uv_cache.json", "uv_build.json"),
}
_BY_ITSELF = ("/lextab.py", "/yacctab.py", "/parsetab.py", "/dropin.cache")
"""Tables that ply and Twisted write anew beside the modules that they are made from."""
_LITTER = re.compile(
    r"(?:tests?|docs?|examples?|benchmarks)/.*|setup\.py|conftest\.py|[^/]+\.(?:md|rst)"
    r"|(?:LICEN[CS]E|COPYING|NOTICE|README|CHANGE|AUTHORS)[^/]*",
    re.IGNORECASE,
)
"""What wheels leave at the top of site-packages by mistake, where others do the same; nobody imports it."""
_SPARED = re.compile(r"/tests?/")
"""What is deleted to make an image smaller."""
_SCRIPTS = {"bin", "Scripts"}
_NAMESPACE = 1024
"""Bytes. An __init__.py that only declares a namespace has no more."""

Verdict = Literal["intact", "gone", "changed", "unknown"]


class Altered(NamedTuple):
    """A file that is not as RECORD has it."""

    path: str
    gone: bool


class Overlap(NamedTuple):
    """Two distributions that install different files under the same paths."""

    one: Distribution
    other: Distribution
    paths: tuple[str, ...]


class Files:
    """The files of an environment's distributions. `deep`: the content of large ones too."""

    def __init__(self, distributions: Iterable[Distribution], *, deep: bool = False) -> None:
        self._deep = deep
        self._rows = {one: _told(one) for one in distributions if not one.system}
        roots = {os.path.realpath(place) for one in self._rows for place in (one.prefix, one.folder)}
        self._roots = tuple(os.path.join(root, "") for root in roots)
        self._known_inside: dict[str, bool] = {}
        owners: dict[str, list[tuple[Distribution, Recorded]]] = {}
        for one, rows in self._rows.items():
            for path, row in rows.items():
                owners.setdefault(path, []).append((one, row))
        self._contested = {
            path: owned for path, owned in owners.items() if len(owned) > 1 and len({row.hash for _, row in owned}) > 1
        }

    def overlaps(self) -> list[Overlap]:
        """Pairs of distributions that overwrite each other's files, by name."""
        found: dict[tuple[Distribution, Distribution], list[str]] = {}
        for path, owned in self._contested.items():
            if self._harmless(path, owned):
                continue
            for (one, row), (other, another) in combinations(owned, 2):
                if one.name != other.name and _differ(row.hash, another.hash):
                    found.setdefault((one, other), []).append(row.path)
        return [
            Overlap(one, other, tuple(sorted(paths)))
            for (one, other), paths in sorted((tuple(sorted(pair)), paths) for pair, paths in found.items())
        ]

    def altered(self, distributions: Iterable[Distribution]) -> Mapping[Distribution, Sequence[Altered]]:
        """By distribution, its files that are gone or changed, if any. A file with two owners is left to `overlaps`.

        Files outside of site-packages (scripts, manuals) are judged by the others in their directory: where none is as
        it was installed, the environment was moved and they were rewritten, or they were left behind.
        """
        found: dict[Distribution, list[Altered]] = {}
        outside: dict[str, list[tuple[Distribution, Altered]]] = {}
        untouched: set[str] = set()
        for one in distributions:
            for path, row in self._rows.get(one, {}).items():
                if path in self._contested:
                    continue
                verdict = self._verdict(path, row)
                if verdict == "gone" and _SPARED.search(row.path):
                    continue
                folder = os.path.dirname(path) if row.path.startswith(("../", "/")) else ""
                if verdict == "intact" and folder:
                    untouched.add(folder)
                elif verdict in {"gone", "changed"}:
                    altered = Altered(row.path, verdict == "gone")
                    if folder:
                        outside.setdefault(folder, []).append((one, altered))
                    else:
                        found.setdefault(one, []).append(altered)
        for folder in outside.keys() & untouched:
            for one, altered in outside[folder]:
                found.setdefault(one, []).append(altered)
        return {one: sorted(files) for one, files in found.items()}

    def _verdict(self, path: str, row: Recorded) -> Verdict:
        try:
            there = os.lstat(path)
            if not self._inside(os.path.dirname(path)):
                return "unknown"
            if stat.S_ISLNK(there.st_mode):
                there = os.stat(path)
                if not self._inside(path):  # a link into an installer's cache
                    return "unknown"
            if not stat.S_ISREG(there.st_mode):
                return "changed"
            algorithm, _, wanted = row.hash.partition("=")
            if wanted and (self._deep or there.st_size <= HASHED):
                same = _digest(path, algorithm) == wanted
            else:
                same = row.size in {None, there.st_size}
        except (FileNotFoundError, NotADirectoryError):
            return "gone"
        except (OSError, ValueError):
            return "unknown"
        return "intact" if same else "changed"

    def _inside(self, path: str) -> bool:
        """Whether a path, all links followed, is part of the environment."""
        known = self._known_inside.get(path)
        if known is None:
            known = self._known_inside[path] = os.path.join(os.path.realpath(path), "").startswith(self._roots)
        return known

    def _harmless(self, path: str, owned: Sequence[tuple[Distribution, Recorded]]) -> bool:
        """Whether it does not matter whose file is there: what is no script outside, and shared namespaces."""
        if owned[0][1].path.startswith("../"):
            return os.path.basename(os.path.dirname(path)) not in _SCRIPTS
        if os.path.basename(path) != "__init__.py" or any((row.size or 0) > _NAMESPACE for _, row in owned):
            return False
        try:
            if not self._inside(path) or os.stat(path).st_size > _NAMESPACE or not os.path.isfile(path):
                return False
            with open(path, "rb") as file:
                lines = file.read(_NAMESPACE).splitlines()
        except OSError:
            return False
        code = [line for line in lines if line.strip() and not line.lstrip().startswith(b"#")]
        return not code or any(b"extend_path" in line or b"declare_namespace" in line for line in code)


def _told(one: Distribution) -> dict[str, Recorded]:
    """By absolute path, the lines of RECORD that say what a file must be; paths outside of the environment are none."""
    folder, prefix = os.path.abspath(one.folder), os.path.join(os.path.abspath(one.prefix), "")
    below = os.path.join(folder, "")
    found = {}
    for row in one.record() or ():
        if "__pycache__/" in row.path or row.path.endswith(_BY_ITSELF) or _LITTER.fullmatch(row.path):
            continue
        head, _, name = row.path.rpartition("/")
        if head == one.info.name and name in _BY_INSTALLERS:
            continue
        told = row._replace(hash=_comparable(row.hash))
        if not told.hash and told.size is None:
            continue
        if row.path.startswith((".", "/")):
            path = os.path.normpath(os.path.join(folder, row.path))
            if not path.startswith((below, prefix)):
                continue
        else:
            path = below + row.path
        found[path] = told
    return found


def _comparable(text: str) -> str:
    """A hash in one spelling; empty where its algorithm is not known or its digest cannot be one."""
    algorithm, _, digest = text.partition("=")
    digest = digest.rstrip("=").replace("+", "-").replace("/", "_")
    return f"{algorithm}={digest}" if _ALGORITHMS.get(algorithm) == len(digest) else ""


def _differ(one: str, other: str) -> bool:
    """Whether two hashes are of different contents; not where they cannot be compared."""
    return one != other and bool(one) and one.partition("=")[0] == other.partition("=")[0]


def _digest(path: str, algorithm: str) -> str:
    hashed = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            hashed.update(chunk)
    return urlsafe_b64encode(hashed.digest()).rstrip(b"=").decode()
