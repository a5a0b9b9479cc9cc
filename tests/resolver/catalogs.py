"""Catalogs from a dict, problems drawn at random, and an oracle that knows nothing of the resolver."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from packaging.requirements import Requirement as Written
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mlpin.candidate import Artifact, Listing, Metadata
from mlpin.errors import BadDistribution
from mlpin.index.metadata import dependencies
from mlpin.outcome import Outcome, Resolution
from mlpin.requirement import Declared, Origin, normalise
from mlpin.resolver.policy import Policy
from mlpin.resolver.solve import solve
from mlpin.resolver.view import View
from mlpin.target import Target, parse_platform

INDEX = "https://index.example/simple/"
TARGET = Target("", "3.11", parse_platform("linux-x86_64"))


@dataclass(frozen=True)
class Release:
    """One version of a project. `files` are names; by default one wheel for everything."""

    requires: Sequence[str] = ()
    extras: Sequence[str] = ()
    requires_python: str = ""
    yanked: str | None = None
    files: Sequence[str] = ()
    uploaded: str = ""
    hashes: tuple[tuple[str, str], ...] = ()
    broken: str = ""
    """Why its metadata cannot be read, if so."""


Projects = Mapping[str, Mapping[str, Release]]


class DictCatalog:
    """What a view asks of a catalog, from a dict. `guesses` says when what `foresee` was given is run.

    `never`; `at random`: some of it before each answer, in any order; `threads`: at once, beside the search.
    """

    def __init__(
        self, projects: Projects, guesses: str = "never", seed: int = 0, lines: Mapping[str, Projects] | None = None
    ) -> None:
        self._lines = lines or {}
        """Further indexes, by URL."""
        self._listings = {name: _listing(name, releases) for name, releases in projects.items()}
        self._projects = projects
        self._mode = guesses
        self._random = random.Random(seed)
        self._waiting: list[Callable[[], None]] = []
        self._running = False
        self.threads: list[threading.Thread] = []
        self.read: list[str] = []
        """The files whose metadata was asked for."""

    def listing(self, name: str, pinned: str = "") -> Listing:
        self._guess()
        return self._listings.get(name) or Listing(name, "", {})

    def listing_at(self, name: str, url: str) -> Listing:
        self.read.append(url)
        releases = self._lines.get(url, {}).get(name)
        return _listing(name, releases, url) if releases else Listing(name, "", {})

    def metadata(self, name: str, version: str, artifact: Artifact) -> Metadata:
        self._guess()
        self.read.append(artifact.filename)
        release = next(
            place[name][version] for place in (self._projects, *self._lines.values()) if version in place.get(name, {})
        )
        if release.broken:
            raise BadDistribution(release.broken, where=artifact.filename)
        return Metadata(
            name,
            version,
            release.requires_python,
            dependencies(list(release.requires), artifact.filename),
            tuple(release.extras),
        )

    def foresee(self, guess: Callable[[], None]) -> None:
        if self._mode == "at random":
            self._waiting.append(guess)
        elif self._mode == "threads":
            thread = threading.Thread(target=guess, daemon=True)
            self.threads.append(thread)
            thread.start()

    def _guess(self) -> None:
        if self._running or not self._waiting:
            return
        self._running = True
        self._random.shuffle(self._waiting)
        for _ in range(self._random.randint(0, len(self._waiting))):
            self._waiting.pop()()
        self._running = False


def _listing(name: str, releases: Mapping[str, Release], index: str = INDEX) -> Listing:
    versions = {}
    for version in sorted(releases, key=Version, reverse=True):
        release = releases[version]
        names = release.files or (f"{name.replace('-', '_')}-{version}-py3-none-any.whl",)
        versions[version] = tuple(artifact(file, release) for file in names)
    return Listing(name, index, versions)


def artifact(filename: str, release: Release = Release()) -> Artifact:
    """A file as an index lists it."""
    parts = filename.removesuffix(".whl").split("-")
    return Artifact(
        filename,
        f"https://index.example/files/{filename}",
        release.hashes,
        release.requires_python,
        release.yanked,
        upload_time=release.uploaded,
        tags="-".join(parts[-3:]) if filename.endswith(".whl") else "",
        build=parts[2] if filename.endswith(".whl") and len(parts) == 6 else "",
    )


def declared(*lines: str, kind: Any = "manifest") -> list[Declared]:
    """Requirement lines as a manifest's reader hands them on."""
    found = []
    for number, line in enumerate(lines, start=1):
        written = Written(line)
        found.append(
            Declared(
                normalise(written.name),
                Origin(kind, "requirements.txt", number, line),
                tuple(sorted(normalise(extra) for extra in written.extras)),
                str(written.specifier),
                str(written.marker or ""),
            )
        )
    return found


@dataclass(frozen=True)
class Problem:
    """Projects, the user's lines, constraints and settings."""

    projects: Projects
    roots: Sequence[str]
    constraints: Sequence[str] = ()
    prerelease: str = "if-necessary-or-explicit"
    preferred: Mapping[str, str] = field(default_factory=dict)

    def view(self, guesses: str = "never", seed: int = 0) -> tuple[View, DictCatalog]:
        policy = Policy(
            prerelease=self.prerelease,
            constraints=tuple(declared(*self.constraints)),
            preferred=self.preferred,
        )
        catalog = DictCatalog(self.projects, guesses, seed)
        return View(TARGET, catalog, policy), catalog

    def solve(self, guesses: str = "never", seed: int = 0) -> Outcome:
        view, catalog = self.view(guesses, seed)
        outcome = solve(view, view.roots(declared(*self.roots)))
        for thread in catalog.threads:
            thread.join()
        return outcome

    def with_roots(self, *roots: str) -> Problem:
        return replace(self, roots=roots)


def versions(outcome: Outcome) -> dict[str, str]:
    """The pinned version of every distribution."""
    assert isinstance(outcome, Resolution), outcome
    return {key.name: str(pin.version) for key, pin in outcome.pins.items() if key.kind == "pypi" and not key.extra}


# -- the oracle


def asked(problem: Problem, pins: Mapping[str, str]) -> list[Written]:
    """Every requirement that the roots and the pins that they reach make; names without a pin ask for nothing."""
    found: list[Written] = []
    stack = [Written(line) for line in problem.roots]
    seen: set[tuple[str, str]] = set()
    while stack:
        line = stack.pop()
        found.append(line)
        if line.name not in pins:
            continue
        for extra in ("", *sorted(line.extras)):
            if (line.name, extra) in seen:
                continue
            seen.add((line.name, extra))
            for text in problem.projects[line.name][pins[line.name]].requires:
                other = Written(text)
                if other.marker is None:
                    applies = not extra
                else:
                    applies = other.marker.evaluate({**TARGET.markers, "extra": extra})
                if applies:
                    stack.append(other)
    return found


def violations(problem: Problem, pins: Mapping[str, str]) -> list[str]:
    """Why these pins are no solution; empty if they are one."""
    lines = asked(problem, pins)
    bad = [f"{line} is not pinned" for line in lines if line.name not in pins]
    bad += [f"nothing asks for {name}" for name in pins if name not in {line.name for line in lines}]
    limits = [Written(text) for text in problem.constraints]
    for name, version in pins.items():
        release = problem.projects[name][version]
        said = [line.specifier for line in (*lines, *limits) if line.name == name]
        bad += [f"{name}{one} excludes {version}" for one in said if not one.contains(version, prereleases=True)]
        if release.requires_python and not SpecifierSet(release.requires_python).contains("3.11.5"):
            bad.append(f"{name} {version} is for another Python")
        if release.broken:
            bad.append(f"{name} {version} is broken")
        if release.yanked is not None and not any(_exact(one) for one in said):
            bad.append(f"{name} {version} is yanked")
        if Version(version).is_prerelease and (
            problem.prerelease == "disallow"
            or (problem.prerelease == "explicit" and not any(one.prereleases for one in said))
        ):
            bad.append(f"{name} {version} is a pre-release")
    return bad


def _exact(said: SpecifierSet) -> bool:
    return any(part.operator == "==" and not part.version.endswith(".*") for part in said)


def solutions(problem: Problem) -> Iterator[dict[str, str]]:
    """Every solution, by trying everything: for each name asked for, each version."""

    def rest(pins: dict[str, str]) -> Iterator[dict[str, str]]:
        lines = asked(problem, pins)
        for line in lines:
            if line.name in pins and not line.specifier.contains(pins[line.name], prereleases=True):
                return
        wanted = next((line.name for line in lines if line.name not in pins), None)
        if wanted is None:
            if not violations(problem, pins):
                yield pins
            return
        for version in problem.projects.get(wanted, {}):
            yield from rest({**pins, wanted: version})

    yield from rest({})


def solvable(problem: Problem) -> bool:
    return next(solutions(problem), None) is not None


# -- problems at random

Pick = Callable[[int, int], int]
"""A whole number between two, both included."""

NAMES = ("a", "b", "c", "d", "e", "f")
_RANGES = ("", "", "", ">={}", ">={}", "<={}", "!={}", "<{}", "=={}", "==1.*")


def drawn(pick: Pick, *, plain: bool = False) -> Problem:
    """A small problem. A `plain` one has no pre-release, no yanked version and no constraint."""
    names = NAMES[: pick(2, 6)]
    pool = {name: [f"{major}.0" for major in range(1, pick(1, 4) + 1)] for name in names}
    if not plain and pick(0, 3) == 0:
        name = names[pick(0, len(names) - 1)]
        pool[name][-1] = pool[name][-1].replace(".0", ".0a1")

    def line(extra_allowed: bool = True) -> str:
        name = names[pick(0, len(names) - 1)] if pick(0, 40) else "missing"
        versions_there = pool.get(name, ["1.0"])
        text = _RANGES[pick(0, len(_RANGES) - 1)].format(versions_there[pick(0, len(versions_there) - 1)])
        extra = "[x]" if extra_allowed and pick(0, 4) == 0 else ""
        return f"{name}{extra}{text}"

    projects: dict[str, dict[str, Release]] = {}
    for name in names:
        projects[name] = {}
        for version in pool[name]:
            requires = [line() for _ in range(pick(0, 3))]
            extras = ()
            if pick(0, 2) == 0:
                extras = ("x",)
                requires += [f'{line()} ; extra == "x"' for _ in range(pick(0, 2))]
            if pick(0, 8) == 0:
                requires.append(f'{line()} ; sys_platform == "win32"')
            # What refers to itself does so without a version, as published metadata does.
            requires = [f"{name}[x]" if Written(text).name == name and ";" not in text else text for text in requires]
            requires = [text for text in requires if Written(text).name != name or ";" not in text]
            projects[name][version] = Release(
                requires,
                extras,
                ("", "", "", ">=3.8", ">=3.12", "<3.11")[pick(0, 5)] if pick(0, 3) == 0 else "",
                "broken" if not plain and pick(0, 8) == 0 else None,
                broken="it has no metadata" if pick(0, 25) == 0 else "",
            )
    roots = list(dict.fromkeys(line() for _ in range(pick(1, 4))))
    constraints = () if plain else tuple(line(extra_allowed=False) for _ in range(max(0, pick(-2, 2))))
    modes = ("if-necessary-or-explicit", "if-necessary-or-explicit", "if-necessary", "explicit", "allow", "disallow")
    return Problem(projects, roots, constraints, "if-necessary-or-explicit" if plain else modes[pick(0, 5)])


def seeded(seed: int, *, plain: bool = False) -> Problem:
    """The problem of a seed: always the same one."""
    return drawn(random.Random(seed).randint, plain=plain)
