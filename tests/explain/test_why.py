"""What is told of a package: each kind of reason on a small index, and on many random ones that every reason is true."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement as Written
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mlpin.candidate import Artifact, Metadata
from mlpin.errors import InputError
from mlpin.explain.chosen import Newer, Reason, Why, WhyNot
from mlpin.explain.explain import Options
from mlpin.explain.repairs import pins
from mlpin.explain.why import wanted, why, why_not
from mlpin.matrix.gpus import find
from mlpin.matrix.rule import Rule
from mlpin.outcome import Resolution
from mlpin.report.why import why_data, why_not_data, why_not_text, why_text
from mlpin.requirement import UrlSource
from mlpin.resolver.policy import Policy
from mlpin.resolver.view import View
from mlpin.resolving import Asker, Question
from mlpin.target import Hardware, Target, parse_platform
from tests.resolver.catalogs import (
    TARGET,
    DictCatalog,
    Problem,
    Projects,
    Release,
    asked,
    declared,
    seeded,
    solutions,
    violations,
)
from tests.resolver.test_properties import blocks
from tests.resolver.test_rules import (
    PYPI,
    SHIPPED,
    WHL,
    broken_by,
    drawn_rules,
    lines_of,
    matrix_of,
    rule,
    wheel_of,
)


class Solved(NamedTuple):
    """A question that was answered, ready to be asked why."""

    question: Question
    asker: Asker
    resolution: Resolution
    view: View

    def why(self, name: str) -> Why:
        found = why(name, self.question, self.resolution, self.view, self.asker)
        assert found is not None
        assert all(len(line) <= 80 for line in why_text(found).splitlines() if " " in line.strip())
        json.dumps(why_data(found))
        return found

    def newer(self, name: str) -> dict[str, Reason]:
        """By version, why it was not taken."""
        return {version: group.reason for group in self.why(name).newer for version in group.versions}

    def why_not(self, text: str, **options: Any) -> WhyNot:
        found = why_not(wanted(text), self.question, self.asker, pins(self.resolution), Options(**options))
        assert all(len(line) <= 80 for line in why_not_text(found).splitlines())
        json.dumps(why_not_data(found))
        return found


class Hashed(DictCatalog):
    """An index whose files can be had."""

    def sha256(self, artifact: Artifact) -> str:
        return "0" * 64


def asking(question: Question, catalog: Hashed) -> Solved | None:
    def sources() -> None:
        raise AssertionError

    asker = Asker(catalog, sources)  # type: ignore[arg-type]
    outcome, view = asker.answer(question)
    return Solved(question, asker, outcome, view) if isinstance(outcome, Resolution) else None


def solved(
    projects: Projects,
    *roots: str,
    rules: Sequence[Rule] = (),
    target: Target = TARGET,
    constraints: Sequence[str] = (),
    **policy: Any,
) -> Solved:
    limits = tuple(declared(*constraints))
    question = Question(target, declared(*roots), Policy(constraints=limits, **policy), matrix_of(*rules))
    found = asking(question, Hashed(projects))
    assert found is not None
    return found


PLAIN = Release()


def two(new: Release = PLAIN, old: Release = PLAIN) -> Projects:
    """A package `a` with two versions."""
    return {"a": {"1.0": old, "2.0": new}}


# -- who asks


SCIKIT: Projects = {
    "numpy": {
        version: Release(files=(wheel_of("numpy", version),)) for version in ("2.1.0", "2.2.0", "2.3.0", "2.4.0")
    },
    "scipy": {"1.15.2": Release(["numpy<2.3,>=1.21"])},
    "joblib": {"1.5": Release(["numpy>=1.19"])},
    "scikit-learn": {"1.6.1": Release(["scipy", "numpy>=1.19", "joblib"])},
}


def test_who_asks_with_the_shortest_chains() -> None:
    told = solved(SCIKIT, "scikit-learn", "numpy>=2").why("NumPy")
    assert told.version == "2.2.0"
    assert told.build.file == wheel_of("numpy", "2.2.0")
    assert [(one.text, one.chain.parents, one.chain.line.place, one.others, one.excludes) for one in told.asked] == [
        ("numpy>=2", (), "requirements.txt:2", 0, False),
        ("numpy>=1.19", ("scikit-learn 1.6.1",), "requirements.txt:1", 1, False),
        ("numpy<2.3,>=1.21", ("scipy 1.15.2", "scikit-learn 1.6.1"), "requirements.txt:1", 0, True),
    ]
    (group,) = told.newer
    assert group.versions == ["2.4.0", "2.3.0"]
    assert group.reason.bound is not None
    assert group.reason.bound.text == "numpy<2.3,>=1.21"
    text = why_text(told)
    assert "requirements.txt:2  numpy>=2\n" in text
    assert "numpy<2.3,>=1.21  by scipy 1.15.2 ← scikit-learn 1.6.1 ← requirements.txt:1" in text
    assert "and 2 more packages, none of which excludes a newer version" in text
    assert "  2.3.0 and 2.4.0: numpy<2.3,>=1.21  by scipy 1.15.2\n" in text


def test_extras_and_the_newest() -> None:
    projects: Projects = {"a": {"1.0": Release(['b>=1; extra == "x"'], ["x", "y"])}, "b": {"1.0": Release()}}
    told = solved(projects, "a[x,y]>=1").why("a")
    assert list(told.extras) == ["x", "y"]
    assert [one.text for one in told.asked] == ["a[x,y]>=1"]
    assert told.newer == []
    assert "it is the newest version" in why_text(told)
    assert solved(projects, "a[x,y]>=1").why("b").asked[0].chain.parents == ("a[x] 1.0",)


@pytest.mark.parametrize("name", ["b", "", "nothing here", "numpy>=", "\x1b[31m", "ä"])
def test_what_is_not_there(name: str) -> None:
    it = solved(two(), "a")
    assert why(name, it.question, it.resolution, it.view, it.asker) is None


@pytest.mark.parametrize("name", ["My_Package", "my.package", "MY-PACKAGE", "my-package[x]", " my_package "])
def test_names_are_normalised(name: str) -> None:
    assert solved({"my-package": {"1.0": Release()}}, "my-package").why(name).package == "my-package"


def test_what_comes_from_a_url() -> None:
    class Fetched:
        def fetch(self, source: Any, hashes: Any, origin: Any) -> tuple[Metadata, None]:
            return Metadata("a", "1.5"), None

    line = declared("a @ https://me:secret@files.example/a-1.5.tar.gz")[0]
    line = line._replace(origin=line.origin._replace(text="a @ https://files.example/a-1.5.tar.gz"))
    lines = [line._replace(source=UrlSource("https://me:secret@files.example/a-1.5.tar.gz"))]
    question = Question(TARGET, lines, Policy(), matrix_of())
    asker = Asker(Hashed(two()), Fetched)  # type: ignore[arg-type]
    outcome, view = asker.answer(question)
    assert isinstance(outcome, Resolution)
    told = Solved(question, asker, outcome, view).why("a")
    assert (told.version, told.newer) == ("1.5", [])
    assert "secret" not in why_text(told) + json.dumps(why_data(told))
    assert "it comes from there whatever is newer" in why_text(told)


# -- why not newer: what keeps a version out


def test_the_users_own_line_and_a_constraint() -> None:
    reason = solved(two(), "a<2").newer("a")["2.0"]
    assert (reason.kind, reason.bound and reason.bound.chain.parents) == ("bound", ())
    told = solved(two(), "a", constraints=["a<2"]).why("a")
    assert told.newer[0].reason.bound is not None
    assert told.newer[0].reason.bound.text == "a<2"
    told = solved(two(), "a<2", "a!=2").why("a")
    assert [one.text for one in told.newer[0].also] == ["a!=2"]


def test_an_override_is_a_line_of_the_users() -> None:
    projects: Projects = {**two(), "b": {"1.0": Release(["a>=2"])}}
    told = solved(projects, "b", overrides={"a": tuple(declared("a<2"))}).why("a")
    assert told.asked[0].chain.parents == ()
    assert told.newer[0].reason.bound is not None


@pytest.mark.parametrize(
    ("new", "kind", "words"),
    [
        (Release(requires_python=">=3.12"), "python", "needs Python >=3.12"),
        (Release(files=("a-2.0-cp313-cp313-manylinux_2_28_x86_64.whl",)), "tags", "wheels are for Python 3.13"),
        (Release(files=("a-2.0-cp311-cp311-manylinux_2_39_x86_64.whl",)), "tags", "glibc 2.39"),
        (Release(yanked="it eats files"), "yanked", "it eats files"),
        (Release(broken="its metadata is torn"), "metadata", "its metadata is torn"),
    ],
)
def test_what_the_index_says(new: Release, kind: str, words: str) -> None:
    it = solved(two(new), "a")
    assert it.newer("a")["2.0"].kind == kind
    assert words in " ".join(why_text(it.why("a")).split())


def test_cutoff_hash_and_binary_policy() -> None:
    dated = two(Release(uploaded="2026-01-01T00:00:00Z"), Release(uploaded="2024-01-01T00:00:00Z"))
    reason = solved(dated, "a", cutoff="2025-01-01T00:00:00Z").newer("a")["2.0"]
    assert (reason.kind, reason.fact) == ("cutoff", "exclude-newer")
    hashed = two(Release(hashes=(("sha256", "2" * 64),)), Release(hashes=(("sha256", "1" * 64),)))
    reason = solved(hashed, "a", hashes={"a": frozenset({"sha256:" + "1" * 64})}).newer("a")["2.0"]
    assert reason.kind == "hash"
    archive = two(Release(files=("a-2.0.tar.gz",)))
    reason = solved(archive, "a", only_binary=frozenset({":all:"})).newer("a")["2.0"]
    assert (reason.kind, reason.fact) == ("binary-policy", "only-binary")


def test_a_pre_release() -> None:
    projects: Projects = {"a": {"1.0": Release(), "2.0rc1": Release()}}
    assert solved(projects, "a").newer("a")["2.0rc1"].kind == "prerelease"
    assert solved(projects, "a", prerelease="allow").newer("a") == {}


def test_many_versions_are_one_range() -> None:
    projects: Projects = {"a": {f"{number}.0": Release() for number in range(1, 60)}}
    text = why_text(solved(projects, "a<2").why("a"))
    assert "2.0 to 59.0 (58 versions): requirements.txt:1  a<2" in text
    needing: Projects = {
        "a": {"1.0": Release(), "2.0": Release(requires_python=">=3.12"), "3.0": Release(requires_python=">=3.13")}
    }
    (group,) = solved(needing, "a").why("a").newer
    assert group.versions == ["3.0", "2.0"]
    assert "3.0 needs Python >=3.13; the others alike" in why_text(solved(needing, "a").why("a"))


def test_a_rule_of_another_package() -> None:
    holding = rule("b", "needs", "a", "<2", symptom="it crashes", source=("notes of b",))
    it = solved({**two(), "b": {"1.0": Release()}}, "b", "a", rules=[holding])
    reason = it.newer("a")["2.0"]
    assert (reason.kind, reason.rule, reason.symptom) == ("rule", holding.id, "it crashes")
    assert reason.chain is not None
    assert reason.chain.parents == ()
    text = why_text(it.why("a"))
    assert "2.0: b 1.0 needs a<2" in text
    assert "it is there because of requirements.txt:1  b" in text
    assert "notes of b" in text
    assert "else: it crashes" in text


def test_a_rule_of_its_own_says_what_it_would_take() -> None:
    mine = rule("a", "fails", "b", ">=2", ">=2", symptom="it crashes")
    it = solved({**two(), "b": {"1.0": Release(), "2.0": Release()}}, "b", "a", rules=[mine])
    reason = it.newer("a")["2.0"]
    assert (reason.kind, reason.rule) == ("moves", mine.id)
    assert [(move.name, move.old, move.new) for move in reason.moves] == [("b", "2.0", "1.0")]
    assert reason.text == (
        "with 2.0 there is b 1.0 instead of 2.0, which was preferred; it does not work with b>=2, and there is b 2.0"
    )
    clashing = solved({**two(), "b": {"2.0": Release()}}, "b", "a", rules=[mine]).newer("a")["2.0"]
    assert clashing.kind == "clash"
    assert clashing.clash is not None
    assert [link.rule for link in clashing.clash.links] == [mine.id]


def test_what_it_brings_itself_is_no_reason() -> None:
    projects: Projects = {
        "a": {"1.0": Release(["b"]), "2.0": Release(["c<1"])},
        "b": {"1.0": Release(["a<2"])},
        "c": {"1.0": Release()},
    }
    reason = solved(projects, "a").newer("a")["2.0"]
    assert reason.kind == "clash"
    assert reason.clash is not None
    assert "c" in reason.clash.links[0].text


# -- why not newer: the order of the search


def test_a_locked_version_is_kept() -> None:
    it = solved(two(), "a", preferred={"a": "1.0"})
    reason = it.newer("a")["2.0"]
    assert (reason.kind, reason.text) == ("locked", "1.0 is locked; `-P a` takes it to 2.0")
    projects: Projects = {"a": {"1.0": Release(), "2.0": Release(), "3.0": Release(["b<1"])}, "b": {"1.0": Release()}}
    found = solved(projects, "a", preferred={"a": "1.0"}).newer("a")
    assert {version: reason.kind for version, reason in found.items()} == {"2.0": "locked", "3.0": "clash"}


def test_the_lowest_is_wanted() -> None:
    assert solved(two(), "a", resolution="lowest").newer("a")["2.0"].kind == "lowest"


def test_a_wheel_goes_before_a_newer_archive() -> None:
    wheel = wheel_of("a", "1.0", "cp311-cp311-manylinux_2_17_x86_64")
    it = solved(two(Release(files=("a-2.0.tar.gz",)), Release(files=(wheel,))), "a")
    assert it.newer("a")["2.0"].kind == "source"
    told = solved({"a": {"1.0": Release(files=("a-1.0.tar.gz",))}}, "a").why("a")
    assert told.build.archive
    assert "a source archive, to be built on the target: a-1.0.tar.gz" in why_text(told)


def test_what_would_move_and_what_would_clash() -> None:
    projects: Projects = {
        "a": {"1.0": Release(), "2.0": Release(["d<2"]), "3.0": Release(["c>=2"])},
        "b": {"1.0": Release(), "2.0": Release(["d>=2"])},
        "c": {"1.0": Release(), "2.0": Release()},
        "d": {"1.0": Release(), "2.0": Release()},
    }
    it = solved(projects, "b", "c<2", "a")
    found = it.newer("a")
    assert {version: reason.kind for version, reason in found.items()} == {"2.0": "moves", "3.0": "clash"}
    assert found["2.0"].text == "with 2.0 there is b 1.0 instead of 2.0, which was preferred"
    assert found["3.0"].clash is not None
    assert [(one.place, one.text) for one in found["3.0"].clash.premises] == [("requirements.txt:2", "c<2")]
    text = why_text(it.why("a"))
    assert "3.0: a 3.0 needs c>=2\n      against requirements.txt:2  c<2\n" in text


def test_the_budget_of_re_solves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlpin.explain.trials.SOLVES", 0)
    projects: Projects = {"a": {"1.0": Release(), "2.0": Release(["b<1"])}, "b": {"1.0": Release()}}
    assert solved(projects, "a").newer("a")["2.0"].kind == "untried"


# -- builds for hardware


def on_gpus(*roots: str, lines: Any = None, **hardware: Any) -> Solved:
    gpu = hardware.pop("gpu", "")
    gpus = (find(SHIPPED.gpus, gpu),) if gpu else ()
    target = Target("", "3.11", parse_platform("linux-x86_64"), Hardware("cuda", gpus=gpus, **hardware))
    question = Question(target, declared(*roots), Policy(families={"pytorch": WHL}), SHIPPED)
    found = asking(question, Hashed(PYPI, lines=lines or lines_of()))
    assert found is not None
    return found


def test_the_build_and_why_no_newer_one() -> None:
    told = on_gpus("torch", driver="550.54").why("torch")
    assert (told.version, told.build.line, told.build.cuda) == ("2.9.1+cu128", "cu128", "12.8")
    assert told.build.index_url == f"{WHL}/cu128"
    (group,) = told.build.ahead
    assert (group.versions, group.reason.fact) == (["2.9.1+cu130"], "driver")
    assert "not 2.9.1+cu130: is built for CUDA 13.0, which needs driver 580" in " ".join(why_text(told).split())
    assert told.newer == []
    told = on_gpus("torch", driver="470.82").why("torch")
    assert told.version == "2.7.1+cu118"
    (group,) = told.newer
    assert group.versions == ["2.9.1", "2.8.0"]
    assert (group.reason.kind, group.reason.fact) == ("line", "driver")
    assert "driver" in why_text(told)


def test_a_build_that_the_family_lacks() -> None:
    lines = lines_of()
    del lines[f"{WHL}/cu130"]["torchvision"]
    told = on_gpus("torch", "torchvision", lines=lines).why("torch")
    assert told.version == "2.9.1+cu128"
    (group,) = told.build.ahead
    assert group.versions == ["2.9.1+cu130"]
    assert group.reason.kind in {"moves", "clash"}
    assert "not 2.9.1+cu130: " in why_text(told)


def test_a_gpu_without_code() -> None:
    found = on_gpus("torch<2.9", "torchvision", gpu="Tesla P100").newer("torch")
    assert found["2.9.1"].kind == "bound"
    told = on_gpus("torch", gpu="Tesla P100").why("torch")
    ahead = {version: group.reason for group in told.build.ahead for version in group.versions}
    assert {reason.fact for reason in ahead.values()} == {"gpu:Tesla P100"}


# -- what holds a wanted requirement back


def test_it_is_there_already() -> None:
    found = solved(two(), "a").why_not("A>=2")
    assert (found.status, found.now, found.then) == ("here", "2.0", "2.0")
    assert "nothing holds it back" in why_not_text(found)


def test_what_would_move() -> None:
    projects: Projects = {
        "a": {"1.0": Release(["c"]), "2.0": Release(["b<2", "d"])},
        "b": {"1.0": Release(), "2.0": Release()},
        "c": {"1.0": Release()},
        "d": {"1.0": Release()},
    }
    found = solved(projects, "b", "a", preferred={"a": "1.0", "b": "2.0"}).why_not("a>=2")
    assert (found.status, found.now, found.then) == ("moves", "1.0", "2.0")
    assert [tuple(move) for move in found.moves] == [
        ("a", "1.0", "2.0"),
        ("b", "2.0", "1.0"),
        ("c", "1.0", ""),
        ("d", "", "1.0"),
    ]
    text = why_not_text(found)
    assert "a 1.0 → 2.0\n  b 2.0 → 1.0\n  added: d 1.0\n  dropped: c" in text


def test_what_clashes_and_what_would_have_to_change() -> None:
    projects: Projects = {
        "numpy": {"1.26": Release(), "2.0": Release()},
        "scipy": {"1.10": Release(["numpy<2"]), "1.13": Release(["numpy>=1.22"])},
    }
    found = solved(projects, "scipy<1.12").why_not("NumPy >= 2")
    assert (found.status, found.now, found.package) == ("conflict", "1.26", "numpy")
    assert found.explanation is not None
    (clash,) = found.explanation.clashes
    assert [(one.place, one.text) for one in clash.premises] == [
        ("requirements.txt:1", "scipy<1.12"),
        ("command line", "NumPy >= 2"),
    ]
    assert [[(edit.old, edit.new) for edit in one.edits] for one in found.explanation.repairs] == [
        [("scipy<1.12", "scipy")]
    ]
    assert not found.apart
    assert "NumPy >= 2 cannot be had" in why_not_text(found)


def test_odd_wishes() -> None:
    it = solved(two(), "a<2")
    assert it.why_not("missing>=1").status == "conflict"
    assert it.why_not("a>=3").status == "conflict"
    assert it.why_not("a[x]<2").status == "here"
    assert it.why_not("a>=2; sys_platform == 'win32'").aside
    assert solved(two(), "a", exclude=frozenset({"b"})).why_not("b").status == "aside"
    overridden = solved(two(), "a", overrides={"a": tuple(declared("a<2"))}).why_not("a>=2")
    assert "override" in overridden.aside
    for text in ("", "a>>2", "a=2", "==2", "\x00"):
        with pytest.raises(InputError):
            wanted(text)


def test_a_project_without_a_solution() -> None:
    it = solved({**two(), "b": {"1.0": Release()}}, "a")
    hopeless = it.question._replace(requirements=declared("a<2", "a>=2"))
    found = why_not(wanted("b"), hopeless, it.asker, {})
    assert (found.status, found.apart) == ("conflict", True)
    assert "without b as well" in why_not_text(found)


# -- every reason is true


def ruled(problem: Problem, rules: Sequence[Rule], locked: Mapping[str, str]) -> Solved | None:
    limits = tuple(declared(*problem.constraints))
    policy = Policy(prerelease=problem.prerelease, constraints=limits, preferred=locked)
    question = Question(TARGET, declared(*problem.roots), policy, matrix_of(*rules))
    return asking(question, Hashed(problem.projects))


def with_it(problem: Problem, name: str, version: str) -> Problem:
    return replace(problem, roots=[*problem.roots, f"{name}=={version}"])


def lead_to_lines(problem: Problem, now: Mapping[str, str], told: Why) -> None:
    """That each bound's chain is one: of packages that are there, each asking for the one before, from a line."""
    for bound in told.asked:
        names = [told.package]
        for parent in bound.chain.parents:
            name, _, version = parent.partition(" ")
            package = name.partition("[")[0]
            assert now[package] == version, parent
            asks = {Written(text).name for text in problem.projects[package][version].requires}
            assert names[-1] in {*asks, package}, parent
            names.append(package)
        assert Written(bound.chain.line.text).name == names[-1], bound
        excluded = [
            one for one in problem.projects[told.package] if not Written(bound.text).specifier.contains(one, True)
        ]
        assert bound.excludes == any(Version(one) > Version(told.version) for one in excluded), bound


def check(problem: Problem, rules: Sequence[Rule], it: Solved, name: str, version: str, group: Newer) -> None:
    """That the reason which a version is given is true."""
    now, reason = pins(it.resolution), group.reason
    release = problem.projects[name][version]
    mark = (name, version, reason)
    if reason.kind == "bound":
        assert reason.bound is not None
        said = Written(reason.bound.text).specifier
        assert not said.contains(version, prereleases=True), mark
        lines = [*asked(problem, now), *map(Written, problem.constraints)]
        assert any(line.name == name and line.specifier == said for line in lines), mark
    elif reason.kind == "python":
        assert not SpecifierSet(release.requires_python).contains("3.11.5"), mark
    elif reason.kind == "yanked":
        assert release.yanked is not None, mark
    elif reason.kind == "prerelease":
        assert Version(version).is_prerelease, mark
        assert not Version(now[name]).is_prerelease, mark
    elif reason.kind == "metadata":
        assert release.broken, mark
    elif reason.kind == "rule":
        assert reason.rule in broken_by(rules, {**now, name: version}), mark
    elif reason.kind == "locked":
        assert it.question.policy.preferred[name] == now[name], mark
    elif reason.kind == "clash":
        assert reason.clash is not None
        assert not any(not broken_by(rules, one) for one in solutions(with_it(problem, name, version))), mark
    else:
        assert reason.kind == "moves", mark
        got = next(one for one in group.versions if f" {one} " in f"{reason.text} ".replace(":", " "))
        then = {**now, name: got} | {move.name: move.new for move in reason.moves}
        then = {other: pin for other, pin in then.items() if pin}
        assert violations(with_it(problem, name, got), then) == [], mark
        assert broken_by(rules, then) == [], mark


@pytest.mark.parametrize("block", blocks(2, 30))
def test_every_newer_version_has_a_reason_that_is_true(block: int) -> None:
    kinds: set[str] = set()
    for seed in range(block * 200, block * 200 + 200):
        problem = seeded(seed)
        rules = drawn_rules(problem, seed) if seed % 2 else []
        locked: Mapping[str, str] = next(solutions(problem), {}) if seed % 3 == 0 else {}
        it = ruled(problem, rules, locked)
        if it is None:
            continue
        for name, version in pins(it.resolution).items():
            told = it.why(name)
            newer = [one for one in problem.projects[name] if Version(one) > Version(version)]
            assert sorted(one for group in told.newer for one in group.versions) == sorted(newer), (seed, name)
            assert told.asked, (seed, name)
            lead_to_lines(problem, pins(it.resolution), told)
            for group in told.newer:
                kinds.add(group.reason.kind)
                for one in group.versions:
                    check(problem, rules, it, name, one, group)
    assert {"bound", "clash", "locked", "yanked"} <= kinds


@pytest.mark.parametrize("block", blocks(1, 10))
def test_what_is_wanted_can_be_had_or_not(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        problem = seeded(seed)
        it = ruled(problem, [], {})
        if it is None:
            continue
        name = sorted(problem.projects)[seed % len(problem.projects)]
        version = sorted(problem.projects[name])[seed % len(problem.projects[name])]
        found = it.why_not(f"{name}=={version}", repairs=False)
        possible = next(solutions(with_it(problem, name, version)), None) is not None
        assert (found.status in {"here", "moves"}) == possible, seed
        if found.moves:
            then = pins(it.resolution) | {move.name: move.new for move in found.moves}
            then = {other: pin for other, pin in then.items() if pin}
            assert violations(with_it(problem, name, version), then) == [], seed
