"""What one target sees: which files and versions are offered, in which order, and what they require."""

from __future__ import annotations

from typing import Any

import pytest

from mlpin.candidate import Artifact, Candidate, Metadata, distribution
from mlpin.errors import BadDistribution, InputError
from mlpin.outcome import Conflict, Resolution
from mlpin.requirement import Origin, UrlSource
from mlpin.resolver.policy import Policy
from mlpin.resolver.requirements import SameVersion, Sourced, Unusable
from mlpin.resolver.solve import solve
from mlpin.resolver.view import View
from mlpin.target import Target, parse_platform
from tests.resolver.catalogs import TARGET, DictCatalog, Problem, Projects, Release, artifact, declared, versions

GLIBC_228 = "manylinux_2_28_x86_64"
WINDOWS = "win_amd64"


def view(projects: Projects, target: Target = TARGET, sources: Any = None, **policy: Any) -> View:
    return View(target, DictCatalog(projects), Policy(**policy), sources)


def offered(seen: View, name: str) -> list[str]:
    return [str(candidate.version) for candidate in seen.candidates(distribution(name))]


def rejections(seen: View, name: str) -> dict[str, tuple[str, str, str]]:
    return {found.version: (found.kind, found.reason, found.remedy) for found in seen.rejections(name)}


def wheel(name: str, version: str, tags: str = "py3-none-any") -> str:
    return f"{name}-{version}-{tags}.whl"


def sdist(name: str, version: str) -> str:
    return f"{name}-{version}.tar.gz"


def native(name: str, version: str, platform: str = "manylinux_2_17_x86_64") -> str:
    return wheel(name, version, f"cp311-cp311-{platform}")


def first(seen: View, name: str) -> Candidate:
    return next(iter(seen.candidates(distribution(name))))


def asks(seen: View, candidate: Candidate) -> list[str]:
    return [str(requirement) for requirement in seen.requires(candidate)]


# -- wheels and source archives


@pytest.mark.parametrize(
    ("files", "dates", "order"),
    [
        # A newer source archive waits for a platform wheel that is near.
        ({"2.0": sdist, "1.0": native}, {}, ["1.0", "2.0"]),
        ({"2.0": sdist, "1.0": native}, {"2.0": "2025-05-01T00:00:00Z", "1.0": "2024-06-01T00:00:00Z"}, ["1.0", "2.0"]),
        # Not for one that is years old.
        ({"2.0": sdist, "1.0": native}, {"2.0": "2025-05-01T00:00:00Z", "1.0": "2022-06-01T00:00:00Z"}, ["2.0", "1.0"]),
        # Nor for a pre-release, nor for a pure wheel: that project publishes no platform wheels.
        ({"2.0": sdist, "1.0rc1": native}, {}, ["2.0", "1.0rc1"]),
        ({"2.0": sdist, "1.0": wheel}, {}, ["2.0", "1.0"]),
        # Nor for one that is many releases behind.
        ({**{f"{n}.0": sdist for n in range(2, 9)}, "1.0": native}, {}, [f"{n}.0" for n in range(8, 0, -1)]),
        ({"2.0": sdist, "1.0": sdist}, {}, ["2.0", "1.0"]),
        ({"2.0": native, "1.0": sdist}, {}, ["2.0", "1.0"]),
    ],
)
def test_a_near_wheel_goes_before_a_source_archive(files: Any, dates: dict[str, str], order: list[str]) -> None:
    releases = {
        version: Release(files=[make("p", version)], uploaded=dates.get(version, "")) for version, make in files.items()
    }
    assert offered(view({"p": releases}), "p") == order


def test_a_source_archive_says_that_it_must_be_built() -> None:
    seen = view({"p": {"1.0": Release(files=[sdist("p", "1.0")])}})
    assert first(seen, "p").notes[0] == "it is published as a source archive only, which must be built on the target"


def test_a_wheel_for_a_newer_glibc_names_it_and_the_way_out() -> None:
    # llguidance 1.7: wheels for glibc 2.31 and newer only; for 2.28 its source archive would be taken.
    names = [wheel("llguidance", "1.7.0", f"cp39-abi3-manylinux_2_31_{machine}") for machine in ("x86_64", "aarch64")]
    both = {"llguidance": {"1.7.0": Release(files=[*names, sdist("llguidance", "1.7.0")])}}
    candidate = first(view(both), "llguidance")
    assert (candidate.wheels, candidate.sdist is not None) == ((), True)
    assert candidate.notes == (
        (
            "its wheels need glibc 2.31 or newer, the target has 2.28; its source archive is locked and must be built on"
            " the target"
        ),
        'glibc = "2.31" in the target',
    )
    alone = view({"llguidance": {"1.7.0": Release(files=names)}})
    assert rejections(alone, "llguidance")["1.7.0"] == (
        "tags",
        "its wheels need glibc 2.31 or newer, the target has 2.28",
        'glibc = "2.31" in the target',
    )
    newer = view(both, Target("", "3.11", parse_platform("linux-x86_64", "2.31")))
    assert [file.filename for file in first(newer, "llguidance").wheels] == [names[0]]


def test_wheels_stand_best_first() -> None:
    names = [
        wheel("p", "1.0"),
        wheel("p", "1.0", f"cp311-cp311-{GLIBC_228}"),
        wheel("p", "1.0", f"cp39-abi3-{GLIBC_228}"),
        wheel("p", "1.0", "cp311-cp311-manylinux2014_x86_64"),
        wheel("p", "1.0", f"cp312-cp312-{GLIBC_228}"),
        f"p-1.0-1-cp311-cp311-{GLIBC_228}.whl",
        f"p-1.0-10-cp311-cp311-{GLIBC_228}.whl",
        sdist("p", "1.0"),
    ]
    candidate = first(view({"p": {"1.0": Release(files=names)}}), "p")
    assert [file.filename for file in candidate.wheels] == [names[i] for i in (6, 5, 1, 3, 2, 0)]
    assert candidate.sdist is None


# -- what is not offered, and why


def test_a_file_for_another_python() -> None:
    seen = view({"p": {"2.0": Release(requires_python=">=3.12"), "1.0": Release(requires_python=">=3.8")}})
    assert offered(seen, "p") == ["1.0"]
    assert rejections(seen, "p") == {"2.0": ("python", "needs Python >=3.12", "a target with Python >=3.12")}


@pytest.mark.parametrize(
    ("python", "required", "fits"),
    [
        ("3.11", ">=3.11.4", True),
        ("3.11", "<3.11.1", True),
        ("3.11.2", ">=3.11.4", False),
        ("3.11.4", ">=3.11.4", True),
        ("3.11", "==3.11.*", True),
        ("3.11", "!=3.11.*", False),
        ("3.11", "this is no range", True),
        ("3.11", "*", True),
    ],
)
def test_requires_python_and_patch_releases(python: str, required: str, fits: bool) -> None:
    seen = view({"p": {"1.0": Release(requires_python=required)}}, Target("", python, TARGET.platform))
    assert offered(seen, "p") == (["1.0"] if fits else [])


def test_a_requires_python_that_only_the_metadata_knows() -> None:
    class Late(DictCatalog):
        """An index without `data-requires-python`."""

        def metadata(self, name: str, version: str, artifact: Artifact) -> Metadata:
            found = super().metadata(name, version, artifact)
            return found._replace(requires_python=">=3.12") if version == "2.0" else found

    seen = View(TARGET, Late({"p": {"2.0": Release(), "1.0": Release()}}), Policy())
    assert versions(solve(seen, seen.roots(declared("p")))) == {"p": "1.0"}


def test_uploaded_after_the_cutoff() -> None:
    projects = {
        "p": {
            "2.0": Release(uploaded="2025-06-01T10:00:00.123456Z"),
            "1.0": Release(uploaded="2025-01-01T10:00:00+00:00"),
        }
    }
    seen = view(projects, cutoff="2025-06-01T00:00:00Z")
    assert offered(seen, "p") == ["1.0"]
    assert rejections(seen, "p")["2.0"][:2] == ("cutoff", "uploaded after 2025-06-01T00:00:00Z")
    assert offered(view(projects, cutoff="2025-06-01T00:00:00Z", cutoffs={"p": ""}), "p") == ["2.0", "1.0"]
    assert offered(view(projects, cutoffs={"p": "2025-03-01T00:00:00Z"}), "p") == ["1.0"]


def test_a_cutoff_needs_upload_times() -> None:
    with pytest.raises(InputError, match="does not say") as caught:
        offered(view({"p": {"1.0": Release()}}, cutoff="2025-06-01T00:00:00Z"), "p")
    assert "exclude-newer-package = { p = false }" in str(caught.value.hint)


def test_hashes_restrict_the_files() -> None:
    projects = {"p": {"2.0": Release(hashes=(("sha256", "b"),)), "1.0": Release(hashes=(("sha256", "a"),))}}
    seen = view(projects, hashes={"p": frozenset({"sha256:a"})})
    assert offered(seen, "p") == ["1.0"]
    assert rejections(seen, "p")["2.0"][0] == "hash"


def test_wheels_only_and_source_archives_only() -> None:
    projects = {
        "p": {"3.0": Release(files=[wheel("p", "3.0"), sdist("p", "3.0")]), "2.0": Release(files=[sdist("p", "2.0")])},
        "q": {"1.0": Release()},
    }
    wheels = view(projects, only_binary=frozenset({":all:"}))
    assert offered(wheels, "p") == ["3.0"]
    assert rejections(wheels, "p")["2.0"][:2] == ("binary-policy", "has no wheel, and only-binary asks for one")
    archives = view(projects, no_binary=frozenset({":all:"}))
    assert [candidate.wheels for candidate in archives.candidates(distribution("p"))] == [(), ()]
    assert first(archives, "p").notes == ()
    assert rejections(archives, "q")["1.0"][0] == "binary-policy"
    mixed = view(projects, no_binary=frozenset({":all:"}), only_binary=frozenset({"q"}))
    assert offered(mixed, "q") == ["1.0"]


# -- yanked versions and pre-releases

YANKED = {"p": {"2.0": Release(yanked="it deletes files"), "1.0": Release()}, "q": {"1.0": Release(["p==2.0"])}}


@pytest.mark.parametrize(
    ("lines", "constraints", "version"),
    [
        (["p"], [], "1.0"),
        (["p>=1"], ["p==2.0"], "2.0"),
        (["p==2.0"], [], "2.0"),
        (["p>1", "p==2.0"], [], "2.0"),
        (["q", "p>1"], [], "2.0"),
        (["p>1"], [], None),
        (["p==2.*"], [], None),
    ],
)
def test_a_yanked_version_must_be_pinned(lines: list[str], constraints: list[str], version: str | None) -> None:
    outcome = Problem(YANKED, lines, constraints).solve()
    if version:
        assert versions(outcome)["p"] == version
    else:
        assert isinstance(outcome, Conflict)


MODES = ("if-necessary-or-explicit", "if-necessary", "explicit", "allow", "disallow")


@pytest.mark.parametrize(
    ("line", "chosen"),
    [
        # What uv 0.13.8 chooses with each of MODES.
        ("c>=0.5a1", ("1.0", "1.0", "1.0", "2.0a1", "1.0")),
        ("c", ("1.0", "1.0", "1.0", "2.0a1", "1.0")),
        ("c>=1.0.dev1,!=1.0", ("2.0a1", "2.0a1", "2.0a1", "2.0a1", None)),
        ("c!=1.0", ("2.0a1", "2.0a1", None, "2.0a1", None)),
    ],
)
def test_prereleases(line: str, chosen: tuple[str | None, ...]) -> None:
    projects = {"c": {"1.0": Release(), "1.5a1": Release(), "2.0a1": Release()}}
    for mode, version in zip(MODES, chosen, strict=True):
        outcome = Problem(projects, [line], prerelease=mode).solve()
        assert (versions(outcome)["c"] if isinstance(outcome, Resolution) else None) == version, mode


def test_a_prerelease_where_no_final_version_goes_with_the_rest() -> None:
    problem = Problem({"c": {"1.0": Release(["d>1"]), "2.0a1": Release()}, "d": {"1.0": Release()}}, ["c"])
    assert versions(problem.solve()) == {"c": "2.0a1"}


def test_a_locked_prerelease_stays() -> None:
    projects = {"c": {"1.0": Release(), "1.5a1": Release(), "2.0a1": Release()}}
    kept = {"c": "1.5a1"}
    assert versions(Problem(projects, ["c"], preferred=kept).solve()) == {"c": "1.5a1"}
    assert versions(Problem(projects, ["c"], preferred=kept, prerelease="disallow").solve()) == {"c": "1.0"}


@pytest.mark.parametrize(
    ("resolution", "p", "q"), [("highest", "3.0", "2.0"), ("lowest", "1.0", "1.0"), ("lowest-direct", "1.0", "2.0")]
)
def test_resolution_modes(resolution: str, p: str, q: str) -> None:
    releases = {"p": {v: Release(["q"]) for v in ("1.0", "2.0", "3.0")}, "q": {"1.0": Release(), "2.0": Release()}}
    seen = view(releases, resolution=resolution)
    assert versions(solve(seen, seen.roots(declared("p")))) == {"p": p, "q": q}


# -- requirements


def test_markers_are_those_of_the_target() -> None:
    release = Release(['a; sys_platform == "linux"', 'b; sys_platform == "win32"', 'c>=2; python_version < "3.12"'])
    seen = view({"p": {"1.0": release}})
    assert asks(seen, first(seen, "p")) == ["a", "c>=2"]
    windows = view({"p": {"1.0": release}}, Target("", "3.12", parse_platform("windows")))
    assert asks(windows, first(windows, "p")) == ["b"]


def test_roots_have_markers_too() -> None:
    seen = view({})
    roots = seen.roots(declared('a; sys_platform == "win32"', "b[x,y]>=1", "c"))
    assert [str(root) for root in roots] == ["b>=1", "b[x]>=1", "b[y]>=1", "c"]
    assert seen.direct == {"b", "c"}


def test_extras() -> None:
    release = Release(
        [
            "base",
            'one; extra == "x"',
            'two>1; sys_platform == "linux" and extra == "x"',
            'three; extra == "x" and sys_platform == "win32"',
            'four; extra == "x" or sys_platform == "linux"',
            'five; extra == "x" or extra == "y"',
            'six; "x" == extra',
            'seven; extra != "x"',
        ],
        ["x", "y"],
    )
    seen = view({"p": {"1.0": release}})
    base = first(seen, "p")
    assert asks(seen, base) == ["base", "four", "seven"]
    with_x = seen.seen_as(base, distribution("p", "x"))
    assert with_x.base is base
    assert asks(seen, with_x) == ["p==1.0", "one", "two>1", "five", "six"]
    assert asks(seen, seen.seen_as(base, distribution("p", "y"))) == ["p==1.0", "five"]
    assert asks(seen, seen.seen_as(base, distribution("p", "none"))) == ["p==1.0"]


def test_a_reference_to_its_own_extras_means_the_same_version() -> None:
    release = Release(['p[a,b]; extra == "all"', 'one; extra == "a"', 'two; extra == "b"'], ["a", "b", "all"])
    projects = {"p": {"2.0": release, "1.0": release}, "one": {"1.0": Release()}, "two": {"1.0": Release()}}
    seen = view(projects)
    with_all = seen.seen_as(first(seen, "p"), distribution("p", "all"))
    required = list(seen.requires(with_all))
    assert [str(one) for one in required] == ["p==2.0", "p[a]==2.0", "p[b]==2.0"]
    assert all(isinstance(one, SameVersion) for one in required)
    assert versions(Problem(projects, ["p[all]<2"]).solve()) == {"p": "1.0", "one": "1.0", "two": "1.0"}
    # It is no pin: the user has not asked for this very version.
    yanked = Problem({"p": {"1.0": Release(["p[x]"], yanked="")}}, ["p"])
    assert isinstance(yanked.solve(), Conflict)


def test_overrides_replace_what_anybody_asks() -> None:
    overrides = {"q": tuple(declared("q>=2", 'q<9; sys_platform == "win32"', kind="option"))}
    projects = {"p": {"1.0": Release(["q==1.0"])}, "q": {"1.0": Release(), "2.0": Release()}}
    seen = view(projects, overrides=overrides)
    assert versions(solve(seen, seen.roots(declared("p", "q<2")))) == {"p": "1.0", "q": "2.0"}
    assert asks(seen, first(seen, "p")) == ["q>=2"]


def test_an_override_keeps_the_extras_that_were_asked_for() -> None:
    seen = view({"p": {"1.0": Release(["q[x]==1.0"])}}, overrides={"q": tuple(declared("q>=2", kind="option"))})
    assert asks(seen, first(seen, "p")) == ["q>=2", "q[x]>=2"]


def test_what_is_excluded_is_asked_for_by_nobody() -> None:
    seen = view({"p": {"1.0": Release(["q", "r"])}}, exclude=frozenset({"q"}))
    assert asks(seen, first(seen, "p")) == ["r"]
    assert [str(root) for root in seen.roots(declared("q", "p"))] == ["p"]


def test_constraints_restrict_and_do_not_install() -> None:
    projects = {"p": {"1.0": Release(), "2.0": Release()}, "q": {"1.0": Release()}}
    assert versions(Problem(projects, ["p"], ["p<2", "q", 'p<1; sys_platform == "win32"']).solve()) == {"p": "1.0"}
    assert isinstance(Problem(projects, ["p"], ["p>2"]).solve(), Conflict)


# -- what cannot be had


def test_broken_metadata_rejects_the_version_and_another_is_tried() -> None:
    projects = {"p": {"2.0": Release(broken="METADATA is no text"), "1.0": Release()}}
    seen = view(projects)
    (required,) = seen.requires(first(seen, "p"))
    assert isinstance(required, Unusable)
    assert str(required) == "METADATA is no text"
    assert versions(Problem(projects, ["p"]).solve()) == {"p": "1.0"}
    assert versions(Problem(projects, ["p[x]"]).solve()) == {"p": "1.0"}
    outcome = Problem(projects, ["p>1"]).solve()
    assert isinstance(outcome, Conflict)
    assert "METADATA is no text" in {str(edge.requirement) for edge in outcome.clash}


def test_a_name_that_no_index_has() -> None:
    outcome = Problem({"p": {"1.0": Release(["nowhere"])}}, ["p"]).solve()
    assert isinstance(outcome, Conflict)
    assert {(str(edge.parent), str(edge.requirement)) for edge in outcome.clash} == {
        ("None", "p"),
        ("p 1.0", "nowhere"),
    }


class DictSources:
    """Distributions by URL."""

    def __init__(self, **known: Release) -> None:
        self._known = known

    def __call__(self) -> DictSources:
        return self

    def fetch(self, source: Any, hashes: Any, origin: Origin) -> Any:
        name = source.url.rsplit("/", 1)[1].split("-")[0]
        release = self._known[name]
        if release.broken:
            raise BadDistribution(release.broken)
        file = artifact(source.url.rsplit("/", 1)[1], release)
        return DictCatalog({name: {"1.5": release}}).metadata(name, "1.5", file), file


def test_a_url_decides_its_extras_and_constraints_too() -> None:
    url = UrlSource("https://files.example/p-1.5-py3-none-any.whl")
    (line,) = declared("p[x]")
    sources = DictSources(p=Release(['one; extra == "x"'], ["x"]))
    projects = {"p": {"2.0": Release()}, "one": {"1.0": Release()}, "q": {"1.0": Release(["p"])}}
    seen = view(projects, sources=sources)
    roots = seen.roots([*declared("q"), line._replace(source=url)])
    assert [type(root) for root in roots[1:]] == [Sourced, Sourced]
    assert versions(solve(seen, roots)) == {"q": "1.0", "p": "1.5", "one": "1.0"}
    limited = view(projects, sources=sources, constraints=(line._replace(extras=(), source=url),))
    assert versions(solve(limited, limited.roots(declared("p[x]")))) == {"p": "1.5", "one": "1.0"}


def test_guesses_only_fill_the_catalog() -> None:
    projects = {"p": {"1.0": Release(["q"])}, "q": {"1.0": Release(["r"])}, "r": {"1.0": Release()}}
    catalog = DictCatalog(projects, "threads")
    seen = View(TARGET, catalog, Policy())
    seen.guesses.foresee(seen.roots(declared("p")))
    for thread in catalog.threads:
        thread.join()
    assert {name.split("-")[0] for name in catalog.read} == {"p", "q", "r"}
