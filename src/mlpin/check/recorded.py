"""Installed files against RECORD: what is gone or changed, and which distributions overwrite each other's files.

Knows what installers and Python themselves rewrite, and keeps quiet about it. No path of RECORD leads out of the
environment's prefix; where a file of the environment is a link (uv's into its cache), its end is read. What a lock
wants is not known here.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from mlpin.check.scripts import FOLDERS as SCRIPTS
from mlpin.check.scripts import launcher
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
_BY_ITSELF = ("/lextab.py", "/yacctab.py", "/parsetab.py", "/dropin.cache", "/kernels/python3/kernel.json")
"""Tables that ply and Twisted write anew beside the modules that they are made from; where ipykernel names Python."""
_LITTER = re.compile(
    r"(?:tests?|docs?|examples?|benchmarks)/.*|setup\.py|conftest\.py|[^/]+\.(?:md|rst)"
    r"|(?:LICEN[CS]E|COPYING|NOTICE|README|CHANGE|AUTHORS)[^/]*",
    re.IGNORECASE,
)
"""What wheels leave at the top of site-packages by mistake, where others do the same; nobody imports it."""
_SPARED = re.compile(r"/tests?/|/share/(?:doc|info|man)/")
"""What is deleted to make an image smaller."""
_NAMESPACE = 1024
"""Bytes. An __init__.py that only declares a namespace has no more."""
_NO_FILES = ("/proc/", "/sys/")
"""What lies there says that it is a file, and may never end."""

Verdict = Literal["intact", "gone", "changed", "unknown"]


class Altered(NamedTuple):
    """A file that is not as RECORD has it."""

    path: str
    gone: bool


class _Outside(NamedTuple):
    """A file outside of site-packages."""

    one: Distribution
    path: str
    row: Recorded
    verdict: Verdict


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
            if _harmless(path, owned):
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

        Files outside of site-packages (scripts, manuals) may have been left behind, and scripts rewritten, when an
        environment was moved: that is told from what else is in their directory.
        """
        found: dict[Distribution, list[Altered]] = {}
        outside: dict[str, list[_Outside]] = {}
        for one in distributions:
            for path, row in self._rows.get(one, {}).items():
                if path in self._contested:
                    continue
                verdict = self._verdict(path, row)
                if verdict == "unknown" or (verdict == "gone" and _SPARED.search(row.path)):
                    continue
                if row.path.startswith(("../", "/")):
                    outside.setdefault(os.path.dirname(path), []).append(_Outside(one, path, row, verdict))
                elif verdict != "intact":
                    found.setdefault(one, []).append(Altered(row.path, verdict == "gone"))
        for folder, files in outside.items():
            for file in self._counting(folder, files):
                found.setdefault(file.one, []).append(Altered(file.row.path, file.verdict == "gone"))
        return {one: sorted(files) for one, files in found.items()}

    def _counting(self, folder: str, files: Sequence[_Outside]) -> Iterator[_Outside]:
        """Of the files of a directory outside of site-packages those that were neither left behind nor rewritten."""
        some_intact = any(file.verdict == "intact" for file in files)
        launchers = []
        for file in files:
            if file.verdict == "gone":
                if some_intact or _is_whole(folder, os.path.abspath(file.one.prefix)):
                    yield file
            elif file.verdict == "changed":
                script = launcher(file.path, file.one) if os.path.basename(folder) in SCRIPTS else None
                if script:
                    launchers.append((file, script))
                else:
                    yield file
        if not launchers:
            return
        in_place = self._has_intact_launcher(folder)
        rewritten = any(script.generated for _, script in launchers)
        for file, script in launchers:
            if script.generated:
                if in_place and not script.here and not script.anywhere:
                    yield file
            elif not rewritten and (in_place or script.here):
                yield file

    def _has_intact_launcher(self, folder: str) -> bool:
        """Whether a script in a directory, whosever it is, still is what its installer wrote."""
        return any(
            os.path.dirname(path) == folder and launcher(path, one) and self._verdict(path, row) == "intact"
            for one, rows in self._rows.items()
            for path, row in rows.items()
        )

    def _verdict(self, path: str, row: Recorded) -> Verdict:
        try:
            there = os.lstat(path)
            if not self._inside(os.path.dirname(path)):
                return "unknown"
            if stat.S_ISLNK(there.st_mode):
                there = os.stat(path)
            if not stat.S_ISREG(there.st_mode):
                return "changed"
            if os.path.realpath(path).startswith(_NO_FILES):
                return "unknown"
            algorithm, _, wanted = row.hash.partition("=")
            if wanted and (self._deep or there.st_size <= HASHED):
                same = _digest(path, algorithm) == wanted
            else:
                same = row.size in {None, there.st_size}
        except (FileNotFoundError, NotADirectoryError):
            return "gone"
        except OSError as error:
            return "gone" if error.errno == errno.ELOOP else "unknown"
        except ValueError:
            return "unknown"
        return "intact" if same else "changed"

    def _inside(self, path: str) -> bool:
        """Whether a path, all links followed, is part of the environment."""
        known = self._known_inside.get(path)
        if known is None:
            known = self._known_inside[path] = os.path.join(os.path.realpath(path), "").startswith(self._roots)
        return known


def _harmless(path: str, owned: Sequence[tuple[Distribution, Recorded]]) -> bool:
    """Whether it does not matter whose file is there: what is no script outside, and shared namespaces.

    Of all but one owner only the size is known: who was installed last must not decide.
    """
    if owned[0][1].path.startswith("../"):
        return os.path.basename(os.path.dirname(path)) not in SCRIPTS
    return os.path.basename(path) == "__init__.py" and all((row.size or 0) <= _NAMESPACE for _, row in owned)


def _is_whole(folder: str, prefix: str) -> bool:
    """Whether a directory outside of site-packages, and so what was installed there, was not left behind.

    `bin` is there where Python is, `share` and `include` where anything of them is. Who copies packages from one image
    into another takes them to an interpreter of its own, not into an environment.
    """
    if not any(os.path.exists(os.path.join(prefix, name)) for name in ("pyvenv.cfg", "conda-meta")):
        return False
    if os.path.basename(folder) in SCRIPTS:
        try:
            return any(name.startswith("python") for name in os.listdir(folder))
        except OSError:
            return False
    # `pip install --target` leaves paths that lead to the wrong place, below lib.
    first = os.path.relpath(folder, prefix).split(os.sep)[0]
    return first.lower() not in {".", "lib", "lib64"} and os.path.isdir(os.path.join(prefix, first))


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
