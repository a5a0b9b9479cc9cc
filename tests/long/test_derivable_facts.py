"""Facts that anybody can read off the package index, against what the resolver reads off it.

The rows of ../shared/facts marked `derivable` were collected by a program of somebody else's. A seeded sample is
compared with the listings and metadata of the catalog, for the first and the last release that a row speaks of.
"""

from __future__ import annotations

import os
import random
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mlpin import opening
from mlpin.candidate import Artifact, Dependency, Listing, Metadata
from mlpin.index.catalog import Catalog
from mlpin.manifest.model import Context
from mlpin.project import load
from mlpin.requirement import normalise
from mlpin.settings import Settings
from mlpin.target import Target, parse_platform

FACTS = Path(__file__).parents[2].parent / "shared" / "facts"

pytestmark = [
    pytest.mark.long,
    pytest.mark.network,
    pytest.mark.skipif(not FACTS.is_dir(), reason="the rows of ../shared/facts are not here"),
]

Fact = Mapping[str, Any]

SEED = int(os.environ.get("FACTS_SEED", "20261121"))
"""Another one draws another sample: of 760 rows drawn with 11, 757 agreed; the others stand in `OTHERWISE`."""

SAMPLE = {
    "requires": 98,
    "requires-python": 14,
    "wheel-pythons": 8,
    "first-python-wheel": 12,
    "platform-tags": 4,
    "runtime-check": 4,
    "default-cuda": 4,
    "abi": 3,
    "published-range": 3,
    "no-torch-requirement": 3,
}
"""How many rows of each kind, of those that were read off the index. Other kinds state what was concluded from it
(names that are imported and not there, the end of support) or quote documentation."""

READ = "2026-11-22"
"""The rows were read before; releases that came later are none of theirs."""

OTHERWISE = {
    "tensorflowjs-d7175420": "the row is that of the wheel for Python 2; the one for Python 3 asks for no protobuf",
    "onnxruntime-gpu-c6106eef": "the row is that of the wheels for Python 3.12; those for 3.11 want NumPy >=1.24.2",
    "faiss-cpu-9da2933a": "means 1.8.0.post1, which `>1.8.0` leaves out (PEP 440)",
    "nvidia-dali-cuda120-ec3be1e8": "was read up to 1.35.0; 1.52.0, a source archive, caps astunparse",
}
"""By the id of a row that is wrong or too coarse: what the index says. They are always asked, and must still disagree."""


def rows() -> list[Fact]:
    found = [row for path in sorted(FACTS.glob("*.toml")) for row in tomllib.loads(path.read_text()).get("fact", [])]
    return [row for row in found if row["derivable"] and row["kind"] in SAMPLE and row["source"].startswith("PyPI")]


def sample() -> list[Fact]:
    known = rows()
    chosen = [row for row in known if row["id"] in OTHERWISE]
    draw = random.Random(SEED)
    for kind, count in SAMPLE.items():
        chosen += draw.sample([row for row in known if row["kind"] == kind and row["id"] not in OTHERWISE], count)
    return chosen


TARGETS = [Target("", f"3.{minor}", parse_platform("linux-x86_64", "2.39")) for minor in (11, 10, 9, 8, 7, 6, 14)]
DRAWN = sample() if FACTS.is_dir() else []


class Index:
    """The default index as the resolver sees it: listings, and metadata of single files."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def listing(self, name: str) -> Listing:
        found = self._catalog.listing(normalise(name))
        assert found.found, f"{name} is not on the index"
        return found

    def releases(self, name: str) -> list[Version]:
        """The final releases of the day on which the rows were read, oldest first."""
        versions = (
            Version(text)
            for text, files in self.listing(name).versions.items()
            if min(file.upload_time for file in files) < READ
        )
        return sorted(version for version in versions if not version.is_prerelease)

    def spoken_of(self, fact: Fact) -> list[Version]:
        """The first and the last release that a row speaks of."""
        wanted = SpecifierSet(fact["versions"])
        found = [version for version in self.releases(fact["subject"]) if version in wanted]
        assert found, f"no release of {fact['subject']} is {wanted}"
        return [found[0], found[-1]] if len(found) > 1 else found

    def files(self, name: str, version: Version) -> tuple[Artifact, ...]:
        return self.listing(name).versions[str(version)]

    def metadata(self, name: str, version: Version) -> Metadata:
        """The metadata of a release: of the wheel that fits Linux with Python 3.11 or else an older one, or of its only file.

        Wheels of one release may differ: onnxruntime-gpu 1.15 wants another NumPy on Python 3.11 than before, torchtext
        0.14.1 one torch alone, but any on ARM.
        """
        files = self.files(name, version)
        for target in TARGETS:
            fitting = {rank: file for file in files if file.is_wheel and (rank := target.rank(file.tags)) is not None}
            if fitting:
                return self._catalog.metadata(normalise(name), str(version), fitting[min(fitting)])
        return self._catalog.metadata(normalise(name), str(version), files[0])


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """The default index, through whatever pip is configured with."""
    root = tmp_path_factory.mktemp("index")
    (root / "requirements.txt").write_text("")
    (root / "mlpin.toml").write_text('extra-index-urls = []\nfind-links = []\ncache-dir = "cache"\n')
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("UV_", "MLPIN_"))}
    options = opening.RunOptions(root / "requirements.txt", root, Settings(), environ)
    settings = load(options.path, options.settings, environ, context=Context(root, environ, str)).settings
    return Index(opening.open_catalog(settings, options, None))


# -- one requirement

ENVIRONMENTS = [
    {
        "sys_platform": sys_platform,
        "platform_system": system,
        "os_name": "nt" if system == "Windows" else "posix",
        "platform_machine": machine,
        "python_version": f"3.{minor}",
        "python_full_version": f"3.{minor}.0",
        "platform_release": "",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    for (sys_platform, system, machine), minor in product(
        [
            ("linux", "Linux", "x86_64"),
            ("linux", "Linux", "aarch64"),
            ("darwin", "Darwin", "x86_64"),
            ("darwin", "Darwin", "arm64"),
            ("win32", "Windows", "AMD64"),
        ],
        range(6, 15),
    )
]


def when(fact: Fact) -> str:
    """The marker of a row, its extra included."""
    marker, extra = fact.get("marker", ""), fact.get("extra")
    return " and ".join([*([f"({marker})"] if marker else []), *([f'extra == "{extra}"'] if extra else [])])


def same_condition(found: Dependency, marker: str, environments: list[dict[str, str]]) -> bool:
    """Whether a dependency applies exactly where a marker says, extras and environments tried out."""
    extras = {"", "another", found.extra, *re.findall(r"""extra == ["']([^"']+)""", f"{marker} {found.marker}")}
    mine, theirs = (Marker(text) if text else None for text in (found.marker, marker))
    return all(
        ((not found.extra or found.extra == extra) and (mine is None or mine.evaluate({**environment, "extra": extra})))
        == (theirs is None or theirs.evaluate({**environment, "extra": extra}))
        for environment in environments
        for extra in extras
    )


def on(metadata: Metadata, target: str) -> list[Dependency]:
    return [found for found in metadata.dependencies if found.name == normalise(target)]


def says_requires(index: Index, fact: Fact) -> Iterator[str]:
    # Rows that name an extra apart from a marker leave out that it is an extra for Linux and Windows alone.
    environments = [one for one in ENVIRONMENTS if "extra" not in fact or one["sys_platform"] == "linux"]
    for version in index.spoken_of(fact):
        found = on(index.metadata(fact["subject"], version), fact["target"])
        wanted = SpecifierSet(fact.get("spec", ""))
        extras = tuple(sorted(fact["extras"])) if "extras" in fact else None
        if not any(
            SpecifierSet(one.specifier) == wanted
            and same_condition(one, when(fact), environments)
            and extras in {None, one.extras}
            for one in found
        ):
            yield f"{version}: {[one.text for one in found]}"


def says_requires_python(index: Index, fact: Fact) -> Iterator[str]:
    for version in index.spoken_of(fact):
        found = index.metadata(fact["subject"], version).requires_python
        if SpecifierSet(found) != SpecifierSet(fact["spec"]):
            yield f"{version}: {found}"


def says_no_torch(index: Index, fact: Fact) -> Iterator[str]:
    for version in index.spoken_of(fact):
        if found := on(index.metadata(fact["subject"], version), "torch"):
            yield f"{version}: {[one.text for one in found]}"


def says_numpy_1(index: Index, fact: Fact) -> Iterator[str]:
    """The metadata leaves out NumPy 2."""
    for version in index.spoken_of(fact):
        found = on(index.metadata(fact["subject"], version), "numpy")
        if not found or any(not one.extra and "2.0" in SpecifierSet(one.specifier) for one in found):
            yield f"{version}: {[one.text for one in found]}"


def says_runtime_cuda(index: Index, fact: Fact) -> Iterator[str]:
    """The CUDA minor version of torch's default build: what it pins of the runtime."""
    for version in index.spoken_of(fact):
        found = index.metadata(fact["subject"], version)
        pins = [one for one in found.dependencies if re.match(r"nvidia-cuda-runtime|cuda-toolkit", one.name)]
        if not any(one.specifier.startswith(f"=={fact['value']}.") for one in pins):
            yield f"{version}: {[one.text for one in pins]}"


# -- which files there are

PLATFORM = {
    "linux_x86_64": r"(many)?linux.*_x86_64",
    "linux_aarch64": r"(many)?linux.*_aarch64",
    "macos_arm64": r"macosx_.*_arm64",
    "macos_x86_64": r"macosx_.*_x86_64",
    "win_amd64": r"win_amd64",
}


def tags(index: Index, name: str, version: Version) -> set[tuple[str, str]]:
    """(Python as a file name says it, platform) of a release's wheels: `cp313t` is the free-threaded one."""
    found = set()
    for file in index.files(name, version):
        if file.is_wheel:
            python, abi, platforms = file.tags.split("-")
            found |= {(python + "t" * abi.endswith("t"), platform) for platform in platforms.split(".")}
    return found


def says_pythons(index: Index, fact: Fact) -> Iterator[str]:
    for version in index.spoken_of(fact):
        pattern = PLATFORM[fact["platform"]]
        found = {
            python for python, platform in tags(index, fact["subject"], version) if re.fullmatch(pattern, platform)
        }
        if found != set(fact["pythons"]):
            yield f"{version}: {sorted(found)}"


def says_platforms(index: Index, fact: Fact) -> Iterator[str]:
    for version in index.spoken_of(fact):
        found = {platform for _, platform in tags(index, fact["subject"], version)}
        if found != set(fact["tags"]):
            yield f"{version}: {sorted(found)}"


def says_first_wheel(index: Index, fact: Fact) -> Iterator[str]:
    python = "cp" + fact["spec"].removeprefix("==").removesuffix(".*").replace(".", "")
    having = [
        version
        for version in index.releases(fact["subject"])
        if any(
            python in made.split(".") and "linux" in platform
            for made, platform in tags(index, fact["subject"], version)
        )
    ]
    first = Version(fact["versions"].removeprefix(">="))
    if not having or having[0] != first:
        yield f"the first with {python} is {having[0] if having else None}"


def says_range(index: Index, fact: Fact) -> Iterator[str]:
    found = [version for version in index.releases(fact["subject"]) if version <= Version(fact["last"])]
    if (found[0], found[-1], len(found)) != (Version(fact["first"]), Version(fact["last"]), fact["count"]):
        yield f"{len(found)} releases, {found[0]} to {found[-1]}"


SAYS: dict[str, Callable[[Index, Fact], Iterator[str]]] = {
    "requires": says_requires,
    "requires-python": says_requires_python,
    "wheel-pythons": says_pythons,
    "first-python-wheel": says_first_wheel,
    "platform-tags": says_platforms,
    "runtime-check": says_requires,
    "default-cuda": says_runtime_cuda,
    "abi": says_numpy_1,
    "published-range": says_range,
    "no-torch-requirement": says_no_torch,
}


def _ids(fact: Fact) -> str:
    return f"{fact['kind']}-{fact['id']}"


@pytest.mark.parametrize(
    "fact",
    [
        pytest.param(
            fact,
            id=_ids(fact),
            marks=[pytest.mark.xfail(strict=True, reason=OTHERWISE[fact["id"]])] if fact["id"] in OTHERWISE else [],
        )
        for fact in DRAWN
    ],
)
def test_fact(fact: Fact, index: Index) -> None:
    assert list(SAYS[fact["kind"]](index, fact)) == []


def test_the_exceptions_are_rows() -> None:
    assert OTHERWISE.keys() <= {row["id"] for row in rows()}
