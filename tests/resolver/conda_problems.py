"""Small problems over a conda channel and an index, drawn at random, and an oracle that knows nothing of the resolver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packaging.requirements import Requirement as Written

from mlpin.conda.record import CondaRecord
from mlpin.conda.spec import match_spec
from mlpin.outcome import Outcome, Resolution
from mlpin.requirement import Declared, Origin
from mlpin.resolver.policy import Policy
from mlpin.resolver.solve import solve
from mlpin.resolver.view import View
from tests.resolver.catalogs import TARGET, DictCatalog, Pick, Projects, Release, declared

BOTH = ("xaa", "xbb", "xcc")
"""Names that both worlds may have."""
NATIVE = ("libya", "libyb")
PYPI = ("paa", "pbb")


def record(name: str, version: str, build: int = 0, depends: Sequence[str] = (), **more: Any) -> CondaRecord:
    """A build of a package of the one channel, or of that of another `position`."""
    text = (
        f"h{abs(hash((name, version, build, *depends))) % 9999}_{build}" if more.pop("hashed", False) else f"h_{build}"
    )
    channel = more.pop("channel", "ours")
    filename = f"{name}-{version}-{text}.conda"
    url = f"https://conda.example/{channel}/linux-64/{filename}"
    return CondaRecord(
        name, version, text, build, channel, "linux-64", filename, url, tuple(depends), sha256="0" * 64, **more
    )


@dataclass
class Problem:
    """A channel, an index and the user's lines. MatchSpecs stand in `conda`."""

    channel: Sequence[CondaRecord]
    projects: Projects
    conda: Sequence[str]
    pypi: Sequence[str] = ()
    prefer: str = "pypi"
    constraints: Sequence[str] = ()
    policy: Mapping[str, Any] = field(default_factory=dict)

    def view(self) -> View:
        policy = Policy(
            channels=("ours",),
            prefer=self.prefer,
            constraints=tuple(declared(*self.constraints)),
            **self.policy,
        )
        return View(TARGET, Catalog(self), policy)

    def solve(self) -> Outcome:
        view = self.view()
        return solve(view, view.roots(lines(self.conda, self.pypi)))


def lines(conda: Sequence[str], pypi: Sequence[str] = ()) -> list[Declared]:
    """The user's lines as a manifest's reader hands them on."""
    found = [
        Declared(match_spec(text).name, Origin("manifest", "environment.yml", number, text), conda=text)
        for number, text in enumerate(conda, 1)
    ]
    return [*found, *declared(*pypi)]


class Catalog(DictCatalog):
    """A dict of projects, and the records of a channel."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.projects)
        self._channel = problem.channel
        self.loaded: list[tuple[str, ...]] = []

    def records(self, channels: Sequence[str], subdir: str, names: Sequence[str]) -> dict[str, list[CondaRecord]]:
        assert (tuple(channels), subdir) == (("ours",), "linux-64")
        self.loaded.append(tuple(names))
        return {name: [one for one in self._channel if one.name == name] for name in names}


Pins = tuple[dict[str, CondaRecord], dict[str, str]]
"""conda's by name, PyPI's by name."""


def pins(outcome: Outcome) -> Pins:
    """What was resolved."""
    assert isinstance(outcome, Resolution), outcome
    return outcome.conda, {name: str(pin.version) for name, pin in outcome.packages.items()}


def violations(problem: Problem, found: Pins) -> list[str]:
    """Why these pins are no solution; empty if they are one."""
    conda, pypi = found
    bad: list[str] = []
    stack: list[tuple[str, str]] = [("conda", text) for text in problem.conda]
    stack += [("pypi", text) for text in problem.pypi]
    reached: set[tuple[str, str]] = set()
    while stack:
        world, text = stack.pop()
        name = match_spec(text).name if world == "conda" else Written(text).name
        if world == "conda" and name.startswith("__"):
            continue
        carried = world == "pypi" and name in conda and conda[name].needs_python
        if world == "conda" or carried:
            there = conda.get(name)
            if there is None:
                bad.append(f"{text} is not there")
                continue
            fits = (
                match_spec(text).matches(there)
                if world == "conda"
                else Written(text).specifier.contains(there.version, prereleases=True)
            )
            if not fits:
                bad.append(f"{text} is not {there.shown}")
            if ("conda", name) not in reached:
                reached.add(("conda", name))
                stack += [("conda", more) for more in there.depends]
        else:
            if name not in pypi:
                bad.append(f"{text} is not pinned")
                continue
            if not Written(text).specifier.contains(pypi[name], prereleases=True):
                bad.append(f"{text} is not {pypi[name]}")
            if ("pypi", name) not in reached:
                reached.add(("pypi", name))
                stack += [("pypi", more) for more in problem.projects[name][pypi[name]].requires]
    for one in conda.values():
        for text in one.constrains:
            other = conda.get(match_spec(text).name)
            if other is not None and not match_spec(text).matches(other):
                bad.append(f"{one.shown} does not go with {other.shown}")
        if one.needs_python and one.name in pypi:
            bad.append(f"{one.name} is there twice")
        if one.name == "python" and not one.version.startswith("3.11."):
            bad.append(f"{one.shown} is another Python")
    bad += [f"nothing asks for {name}" for name in conda if ("conda", name) not in reached]
    bad += [f"nothing asks for {name}" for name in pypi if ("pypi", name) not in reached]
    for text in problem.constraints:
        limit = Written(text)
        version = pypi.get(limit.name) or (conda[limit.name].version if limit.name in conda else None)
        if version and not limit.specifier.contains(version, prereleases=True):
            bad.append(f"{text} excludes {version}")
    return bad


def solutions(problem: Problem, *, fallback: bool) -> Iterator[Pins]:
    """Every solution, by trying everything. With `fallback` conda may provide what only PyPI's side asks for."""
    names = sorted({one.name for one in problem.channel})
    choices = [[None, *(one for one in problem.channel if one.name == name)] for name in names]

    def conda_sets(left: int, chosen: dict[str, CondaRecord]) -> Iterator[dict[str, CondaRecord]]:
        if left == len(names):
            yield chosen
            return
        for one in choices[left]:
            yield from conda_sets(left + 1, chosen if one is None else {**chosen, names[left]: one})

    def rest(conda: dict[str, CondaRecord], pypi: dict[str, str], asked: list[str]) -> Iterator[Pins]:
        wanted = next(
            (
                name
                for text in asked
                if (name := Written(text).name) not in pypi and not (name in conda and conda[name].needs_python)
            ),
            None,
        )
        if wanted is None:
            if not violations(problem, (conda, pypi)):
                yield conda, pypi
            return
        for version in problem.projects.get(wanted, {}):
            more = list(problem.projects[wanted][version].requires)
            yield from rest(conda, {**pypi, wanted: version}, [*asked, *more])

    for conda in conda_sets(0, {}):
        asked = [] if fallback else list(problem.conda)
        if not fallback and _unreached(conda, asked):
            continue
        if all(_holds(one, conda) for one in conda.values()):
            yield from rest(conda, {}, list(problem.pypi))


def _holds(one: CondaRecord, conda: Mapping[str, CondaRecord]) -> bool:
    return all(
        match_spec(text).name.startswith("__")
        or ((other := conda.get(match_spec(text).name)) is not None and match_spec(text).matches(other))
        for text in one.depends
    )


def _unreached(conda: Mapping[str, CondaRecord], roots: Sequence[str]) -> bool:
    seen: set[str] = set()
    stack = [match_spec(text).name for text in roots]
    while stack:
        name = stack.pop()
        if name in conda and name not in seen:
            seen.add(name)
            stack += [match_spec(text).name for text in conda[name].depends]
    return seen != set(conda)


_SPECS = ("{0}", "{0}", "{0} >={1}", "{0} <={1}", "{0} {1}.*", "{0} !={1}", "{0} >={1},<{2}", "{0} * *_{3}")
_RANGES = ("", "", ">={}", "<={}", "=={}", "!={}")


def drawn(pick: Pick, *, joint: bool) -> Problem:
    """A small problem; a `joint` one has lines of PyPI too."""
    both = BOTH[: pick(1, 3)]
    native = NATIVE[: pick(0, 2)]
    names = (*both, *native)
    pool = {name: [f"{number}.0" for number in range(1, pick(1, 3) + 1)] for name in names}

    def spec() -> str:
        name = names[pick(0, len(names) - 1)]
        version = pool[name][pick(0, len(pool[name]) - 1)]
        form = _SPECS[pick(0, len(_SPECS) - 1)]
        return form.format(name, version, f"{int(float(version)) + 1}", pick(0, 1))

    channel = [record("python", "3.11.4", 0), record("python", "3.12.1", 0)]
    for name in names:
        for version in pool[name]:
            for build in range(pick(1, 2)):
                depends = [spec() for _ in range(pick(0, 2))]
                depends = [text for text in depends if match_spec(text).name != name]
                if name in both:
                    depends.append(
                        ("python", "python >=3.11,<3.12", "python >=3.12")[min(pick(0, 5), 2) if pick(0, 2) == 0 else 0]
                    )
                constrains = [spec() for _ in range(max(0, pick(-2, 1)))]
                constrains = [text for text in constrains if match_spec(text).name != name]
                channel.append(record(name, version, build, depends, constrains=tuple(constrains)))
    conda = list(dict.fromkeys(spec() for _ in range(pick(1, 3))))
    if not joint:
        return Problem(channel, {}, conda)
    pypi_pool = {name: [f"{number}.0" for number in range(1, pick(1, 3) + 1)] for name in (*PYPI, *both)}

    def line() -> str:
        name = (*PYPI, *both)[pick(0, len(PYPI) + len(both) - 1)]
        return name + _RANGES[pick(0, len(_RANGES) - 1)].format(f"{pick(1, 3)}.0")

    projects: dict[str, dict[str, Release]] = {
        name: {
            version: Release([text for text in (line() for _ in range(pick(0, 2))) if Written(text).name != name])
            for version in versions
        }
        for name, versions in pypi_pool.items()
    }
    pypi = list(dict.fromkeys(line() for _ in range(pick(1, 3))))
    constraints = [line()] if pick(0, 5) == 0 else []
    return Problem(channel, projects, conda, pypi, ("pypi", "conda")[pick(0, 1)], constraints)
