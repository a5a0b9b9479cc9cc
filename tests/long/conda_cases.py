"""The cases of ../shared/conda, how mlpin is asked them, and a checker of answers that shares nothing with mlpin.

The checker reads the raw repodata and matches with py-rattler's MatchSpecs.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import rattler
import zstandard

from mlpin.conda.record import CondaRecord
from mlpin.conda.spec import match_spec
from mlpin.conda.virtual import platform_of
from mlpin.index.channel_names import ChannelPlace
from mlpin.index.channels import Channels
from mlpin.outcome import Outcome
from mlpin.requirement import Declared, Origin
from mlpin.resolver.policy import Policy
from mlpin.resolver.solve import Effort, solve
from mlpin.resolver.view import View
from mlpin.target import Target, parse_platform
from tests.conda.channels import repodata
from tests.resolver.catalogs import DictCatalog

CONDA = Path(__file__).parents[2].parent / "shared" / "conda"
MACHINE = ("__archspec", "__cuda", "__glibc", "__linux", "__osx", "__unix", "__win")
"""All that a machine may bring along; a case names those that it has."""
PLATFORMS = {
    "linux-64": "linux-x86_64",
    "linux-aarch64": "linux-aarch64",
    "osx-64": "macos-14.5-x86_64",
    "osx-arm64": "macos-14.5-arm64",
    "win-64": "windows-amd64",
}
"""By subdir, the platform as a user writes it."""

File = tuple[str, str, str]
"""A record's channel, subdir and file name."""


class Wishes(NamedTuple):
    """One question to a solver."""

    channels: Sequence[str]
    """The first one first."""
    subdir: str
    specs: Sequence[str]
    virtual: Mapping[str, str]
    """`version` or `version=build`."""
    priority: str = "strict"

    @property
    def machine(self) -> dict[str, str]:
        """The same with an empty text for what is not there."""
        return {**dict.fromkeys(MACHINE, ""), **self.virtual}


class Case(NamedTuple):
    name: str
    wishes: Wishes
    expected: frozenset[File] | None
    """None: there is no solution."""


@functools.cache
def cases() -> tuple[Case, ...]:
    """The environments of `expected/`."""
    found = []
    for path in sorted(CONDA.glob("expected/*.json")):
        case = json.loads(path.read_text(encoding="utf-8"))
        wishes = Wishes(
            case["channels"],
            case["platform"],
            case["specs"],
            case["virtual_packages"],
            case.get("channel_priority") or "strict",
        )
        files = frozenset(_file(text) for text in case["files"]) if case["solvable"] else None
        found.append(Case(case["name"], wishes, files))
    return tuple(found)


def _file(text: str) -> File:
    channel, subdir, filename = text.split("/")
    return channel, subdir, filename


# -- asking mlpin


class _Catalog(DictCatalog):
    """An index without projects, and channels that are the folders below one."""

    def __init__(self, root: Path, cache: Path) -> None:
        super().__init__({})
        self._root = root
        self._cache = cache
        self._channels: Channels | None = None

    def records(
        self, channels: Sequence[str], subdir: str, names: Sequence[str]
    ) -> Mapping[str, Sequence[CondaRecord]]:
        if self._channels is None:
            places = [ChannelPlace(name, (self._root / name).as_uri()) for name in channels]
            self._channels = Channels(places, subdir, cache=self._cache)
        return self._channels.records(names)


def answer(wishes: Wishes, root: Path, cache: Path, effort: Effort = Effort()) -> Outcome:  # noqa: B008 - a frozen value
    """mlpin's, from the channels that are the folders of `root`."""
    target = Target(
        "",
        "3.11",
        parse_platform(platform_of(wishes.subdir)),
        waived=frozenset({"python"}),
        virtual=tuple(wishes.machine.items()),
    )
    policy = Policy(channels=tuple(wishes.channels), channel_priority=wishes.priority)
    view = View(target, _Catalog(root, cache), policy)
    lines = [
        Declared(match_spec(text).name, Origin("manifest", "environment.yml", number, text), conda=text)
        for number, text in enumerate(wishes.specs, 1)
    ]
    return solve(view, view.roots(lines), effort=effort)


def files(records: Iterable[CondaRecord]) -> frozenset[File]:
    return frozenset((record.channel, record.subdir, record.filename) for record in records)


def peer(wishes: Wishes, root: Path) -> frozenset[File] | None:
    """py-rattler's answer; None: it finds none. It reads plain repodata only."""
    machine = []
    for name, text in wishes.virtual.items():
        number, _, build = text.partition("=")
        stated = rattler.PackageName(name), rattler.Version(number), rattler.BuildString(build or "0")
        machine.append(rattler.GenericVirtualPackage(*stated))
    strict = rattler.ChannelPriority.Strict if wishes.priority == "strict" else rattler.ChannelPriority.Disabled

    async def solved() -> list[rattler.RepoDataRecord]:
        return await rattler.solve(
            [rattler.Channel(str(root / name)) for name in wishes.channels],
            [rattler.MatchSpec(text) for text in wishes.specs],
            gateway=rattler.Gateway(),
            platforms=[wishes.subdir, "noarch"],
            virtual_packages=machine,
            channel_priority=strict,
            channel_relations="disabled",
        )

    try:
        found = asyncio.run(solved())
    except rattler.exceptions.SolverError:
        return None
    return frozenset((Path(record.channel).name, record.subdir, record.file_name) for record in found)


# -- channels drawn at random

NAMES = tuple(f"n{number:02}" for number in range(12))
_SPECS = ("{0}", "{0} >={1}", "{0} <={1}", "{0} {1}.*", "{0} !={1}.0", "{0} >={1},<{2}", "{0} * *_{3}")


def drawn(pick: Callable[[int, int], int], root: Path) -> Wishes:
    """Writes a channel of 12 names with 6 builds each below `root`, and returns wishes for it."""

    def spec() -> str:
        name, version = NAMES[pick(0, 11)], pick(1, 3)
        return _SPECS[pick(0, len(_SPECS) - 1)].format(name, version, version + 1, pick(0, 1))

    def others(name: str, count: int) -> list[str]:
        return [text for text in (spec() for _ in range(count)) if not text.startswith(name)]

    records = {}
    for name, version, build in product(NAMES, range(1, 4), range(2)):
        text = f"h{build}_{build}"
        records[f"{name}-{version}.0-{text}.conda"] = {
            "name": name,
            "version": f"{version}.0",
            "build": text,
            "build_number": build,
            "depends": others(name, pick(0, 3)),
            "constrains": others(name, max(0, pick(-1, 2))),
            "subdir": "linux-64",
            "md5": "0" * 32,
        }
    repodata(root / "drawn" / "linux-64", records)
    repodata(root / "drawn" / "noarch", {})
    return Wishes(["drawn"], "linux-64", list(dict.fromkeys(spec() for _ in range(pick(2, 5)))), {})


# -- checking


@functools.cache
def _repodata(folder: Path) -> tuple[dict[str, Any], frozenset[str]]:
    """The records of a subdir by file name, and the names that it has."""
    plain, packed = folder / "repodata.json", folder / "repodata.json.zst"
    if plain.is_file():
        text = plain.read_bytes()
    elif packed.is_file():
        text = zstandard.ZstdDecompressor().stream_reader(packed.read_bytes()).read()
    else:
        return {}, frozenset()
    data = json.loads(text)
    found = {**data["packages"], **data["packages.conda"]}
    gone = data.get("removed", ())
    found = {name: one for name, one in found.items() if name not in gone}
    return found, frozenset(one["name"] for one in found.values())


@functools.cache
def _spec(text: str) -> rattler.MatchSpec:
    return rattler.MatchSpec(text)


class Chosen(NamedTuple):
    """One package of an answer, or a virtual one: then its place is -1."""

    name: str
    version: rattler.Version
    shown: str
    place: int
    """Of its channel."""
    channel: str
    depends: Sequence[str]
    constrains: Sequence[str]
    record: rattler.PackageRecord

    def satisfies(self, text: str) -> bool:
        spec = _spec(text)
        asked = spec.channel
        return spec.matches(self.record) and (asked is None or asked.name == self.channel)


def chosen(wishes: Wishes, answer: Iterable[File], root: Path) -> list[Chosen]:
    """The raw records of an answer. `KeyError`: there is no such record."""
    found = []
    for channel, subdir, filename in sorted(answer):
        raw = _repodata(root / channel / subdir)[0][filename]
        place = list(wishes.channels).index(channel)
        found.append(
            _chosen(raw["name"], raw["version"], raw["build"], raw["build_number"], subdir, channel, place, raw)
        )
    return found


def _chosen(
    name: str, version: str, build: str, number: int, subdir: str, channel: str, place: int, raw: Mapping[str, Any]
) -> Chosen:
    record = rattler.PackageRecord(
        name, rattler.VersionWithSource(version), rattler.BuildString(build), number, subdir,
        md5=bytes.fromhex(raw["md5"]) if raw.get("md5") else None,
        license=raw.get("license"),
    )  # fmt: skip
    depends, constrains = raw.get("depends", ()), raw.get("constrains", ())
    shown = f"{name} {version} {build}"
    return Chosen(name.lower(), rattler.Version(version), shown, place, channel, depends, constrains, record)


def wrong(wishes: Wishes, answer: Iterable[File], root: Path) -> list[str]:
    """Why an answer is none; empty where it is one."""
    packages = chosen(wishes, answer, root)
    virtual = []
    for name, text in wishes.virtual.items():
        version, _, build = text.partition("=")
        virtual.append(_chosen(name, version, build or "0", 0, wishes.subdir, "", -1, {}))
    there: dict[str, Chosen] = {}
    bad = []
    for one in (*packages, *virtual):
        if one.name in there:
            bad.append(f"{one.name} is there twice")
        there[one.name] = one

    def demand(asker: str, text: str, *, if_there: bool = False) -> None:
        one = there.get(_spec(text).name.normalized)
        if one is None and not if_there:
            bad.append(f"{asker}: {text} is not there")
        elif one is not None and not one.satisfies(text):
            bad.append(f"{asker}: {text} is not {one.shown}")

    for text in wishes.specs:
        demand("asked for", text)
    for one in packages:
        for text in one.depends:
            demand(one.shown, text)
        for text in one.constrains:
            demand(one.shown, text, if_there=True)
    bad += _unreached(wishes, there)
    bad += _out_of_priority(wishes, packages, root)
    return bad


def _unreached(wishes: Wishes, there: Mapping[str, Chosen]) -> list[str]:
    seen: set[str] = set()
    stack = [_spec(text).name.normalized for text in wishes.specs]
    while stack:
        name = stack.pop()
        if name in there and name not in seen:
            seen.add(name)
            stack += [_spec(text).name.normalized for text in there[name].depends]
    return [f"nothing asks for {one.shown}" for one in there.values() if one.place >= 0 and one.name not in seen]


def _out_of_priority(wishes: Wishes, packages: Iterable[Chosen], root: Path) -> list[str]:
    """Strict: records that are not of the first channel with their name, unless the user says the channel."""
    if wishes.priority != "strict":
        return []
    said = {_spec(text).name.normalized for text in wishes.specs if _spec(text).channel is not None}
    return [
        f"{one.shown} is of {one.channel}, and {before} has {one.name}"
        for one in packages
        if one.name not in said
        for before in wishes.channels[: one.place]
        if any(one.name in _repodata(root / before / subdir)[1] for subdir in (wishes.subdir, "noarch"))
    ]


def older(wishes: Wishes, answer: Iterable[File], expected: Iterable[File], root: Path) -> list[str]:
    """The packages that the user asks for and that are older than expected."""
    mine, theirs = ({one.name: one for one in chosen(wishes, files, root)} for files in (answer, expected))
    asked = {_spec(text).name.normalized for text in wishes.specs}
    return [f"{mine[n].shown}, not {theirs[n].shown}" for n in sorted(asked) if mine[n].version < theirs[n].version]
