"""Rules inside a solve: against an oracle on random catalogs, and the choice of builds for real hardware."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mlpin.matrix.gpus import find
from mlpin.matrix.judge import Facts, Package, judge
from mlpin.matrix.matrix import Matrix
from mlpin.matrix.packed import Packed, pack
from mlpin.matrix.read import Source
from mlpin.matrix.rule import Rule
from mlpin.matrix.tables import Wheels
from mlpin.outcome import Conflict, GaveUp, Outcome, Resolution
from mlpin.resolver import complete
from mlpin.resolver.policy import Policy
from mlpin.resolver.rules import Rulebook
from mlpin.resolver.solve import solve
from mlpin.resolver.view import View
from mlpin.target import Hardware, Target, parse_platform
from tests.resolver.catalogs import TARGET, DictCatalog, Problem, Release, declared, seeded, solutions, versions
from tests.resolver.test_properties import blocks


def matrix_of(*rules: Rule, **tables: Any) -> Matrix:
    return Matrix(Packed(pack(Source(rules=tuple(rules), **tables))))


def rule(package: str, verb: Any, other: str, wanted: str, versions: str = "", **more: Any) -> Rule:
    mark = f"{package}-{verb}-{other}-{versions}-{wanted}"
    return Rule(mark, package, verb, more.pop("severity", "broken"), other, ((versions, wanted),), **more)


def drawn_rules(problem: Problem, seed: int) -> list[Rule]:
    """A few rules between names of the problem, always the same ones for a seed."""
    pick = random.Random(seed)
    names = sorted(problem.projects)
    found: dict[str, Rule] = {}
    for _ in range(pick.randint(1, 4)):
        one, other = pick.choice(names), pick.choice(names)
        if one == other:
            continue
        mine = pick.choice(["", f"=={pick.choice(list(problem.projects[one]))}", ">=2.0"])
        theirs = pick.choice(list(problem.projects[other]))
        verb = pick.choice(["needs", "fails"])
        wanted = (
            "same" if verb == "needs" and pick.random() < 0.2 else pick.choice([">={}", "<={}", "=={}"]).format(theirs)
        )
        made = rule(one, verb, other, wanted, mine)
        found[made.id] = made
    return list(found.values())


def broken_by(rules: Sequence[Rule], pins: Mapping[str, str]) -> list[str]:
    """Ids of the rules that these pins break, worked out without anything of mlpin's."""
    found = []
    for one in rules:
        mine, theirs = pins.get(one.package), pins.get(one.other)
        ((versions_of, wanted),) = one.table
        if mine is None or theirs is None or not SpecifierSet(versions_of).contains(mine, prereleases=True):
            continue
        inside = (
            Version(mine).release == Version(theirs).release
            if wanted == "same"
            else SpecifierSet(wanted).contains(theirs, prereleases=True)
        )
        if inside == (one.verb == "fails"):
            found.append(one.id)
    return found


def view_of(problem: Problem, rules: Sequence[Rule]) -> View:
    view, catalog = problem.view()
    return View(TARGET, catalog, view.policy, rules=Rulebook(matrix_of(*rules), TARGET, steering=False, choosing=False))


@pytest.mark.parametrize("block", blocks(2, 30))
def test_agrees_with_the_oracle(block: int) -> None:
    refused = 0
    for seed in range(block * 200, block * 200 + 200):
        problem = seeded(seed)
        rules = drawn_rules(problem, seed)
        view = view_of(problem, rules)
        outcome = solve(view, view.roots(declared(*problem.roots)))
        allowed = next((pins for pins in solutions(problem) if not broken_by(rules, pins)), None)
        assert not isinstance(outcome, GaveUp), seed
        assert isinstance(outcome, Resolution) == (allowed is not None), seed
        if isinstance(outcome, Resolution):
            assert broken_by(rules, versions(outcome)) == [], seed
            assert all(key.kind in {"pypi", "env"} for key in outcome.pins), seed
        elif next(solutions(problem), None) is not None:
            refused += 1
            assert isinstance(outcome, Conflict)
            assert outcome.clash, seed
    assert refused, "no rule ever made a problem impossible: draw others"


@pytest.mark.parametrize("block", blocks(1, 10))
def test_the_complete_search_is_right_with_rules(block: int) -> None:
    for seed in range(50_000 + block * 200, 50_200 + block * 200):
        problem = seeded(seed, plain=True)
        rules = drawn_rules(problem, seed)
        view = view_of(problem, rules)
        verdict = complete.Search(view, view.roots(declared(*problem.roots))).run()
        allowed = any(not broken_by(rules, pins) for pins in solutions(problem))
        assert (verdict.pins is not None) == allowed, seed
        if verdict.pins is not None:
            pins = {key.name: str(pin.version) for key, pin in verdict.pins.items() if key.kind == "pypi"}
            assert broken_by(rules, pins) == [], seed


# -- severities


PAIR = {"a": {"1.0": Release(), "2.0": Release()}, "b": {"1.0": Release(), "2.0": Release()}}


def attempt(
    roots: Sequence[str],
    *rules: Rule,
    steering: bool = True,
    pinned: frozenset[str] = frozenset(),
    projects: Any = None,
) -> tuple[Outcome, Rulebook]:
    book = Rulebook(matrix_of(*rules), TARGET, steering=steering, pinned=pinned)
    view = View(TARGET, DictCatalog(projects or PAIR), Policy(), rules=book)
    return solve(view, view.roots(declared(*roots))), book


def test_a_rule_restricts_and_never_installs() -> None:
    outcome, _ = attempt(["a"], rule("a", "needs", "b", ">=2"))
    assert versions(outcome) == {"a": "2.0"}


@pytest.mark.parametrize("roots", [["a", "b"], ["b", "a"]])
def test_from_either_side(roots: list[str]) -> None:
    outcome, _ = attempt(roots, rule("a", "fails", "b", ">=2", ">=2"))
    assert versions(outcome) in ({"a": "2.0", "b": "1.0"}, {"a": "1.0", "b": "2.0"})
    assert versions(outcome)[roots[0]] == "2.0", "what the user names first is the newest"


@pytest.mark.parametrize("severity", ["declared", "untested"])
def test_advice_steers_and_is_no_refusal(severity: str) -> None:
    advice = rule("a", "fails", "b", "==2.0", "==2.0", severity=severity, steer=True)
    outcome, book = attempt(["a", "b"], advice)
    assert versions(outcome) == {"a": "2.0", "b": "1.0"}
    assert book.advised
    outcome, _ = attempt(["a==2.0", "b==2.0"], advice)
    assert isinstance(outcome, Conflict)
    outcome, _ = attempt(["a==2.0", "b==2.0"], advice, steering=False, pinned=frozenset({"a", "b"}))
    assert versions(outcome) == {"a": "2.0", "b": "2.0"}


def test_a_published_pin_refuses_against_a_pin_of_the_users_own() -> None:
    published = rule("a", "needs", "b", "==1.0", "==2.0", severity="declared")
    outcome, _ = attempt(["a==2.0", "b==2.0"], published, steering=False, pinned=frozenset({"b"}))
    assert isinstance(outcome, Conflict)
    outcome, _ = attempt(["a>=2.0", "b>=2.0"], published, steering=False)
    assert versions(outcome) == {"a": "2.0", "b": "2.0"}


def test_a_warning_only_warns() -> None:
    outcome, book = attempt(["a", "b"], rule("a", "fails", "b", "", severity="untested"))
    assert versions(outcome) == {"a": "2.0", "b": "2.0"}
    assert not book.advised


def test_unless_both_have_one_version() -> None:
    same_files = rule("a", "fails", "b", "", unless_same_version=True)
    outcome, _ = attempt(["a", "b"], same_files)
    assert versions(outcome) == {"a": "2.0", "b": "2.0"}
    outcome, _ = attempt(["a==1.0", "b"], same_files)
    assert versions(outcome) == {"a": "1.0", "b": "1.0"}


# -- builds for hardware, with the rules that ship


WHL = "https://wheels.example/whl"
TORCHES = {
    "cu118": ("2.4.1", "2.7.1"),
    "cu121": ("2.4.1", "2.5.1"),
    "cu124": ("2.4.1", "2.5.1", "2.6.0"),
    "cu126": ("2.6.0", "2.7.1", "2.8.0", "2.9.1"),
    "cu128": ("2.7.1", "2.8.0", "2.9.1"),
    "cu130": ("2.9.1",),
    "cpu": ("2.4.1", "2.9.1"),
    "rocm6.4": ("2.8.0", "2.9.1"),
}
VISION = {
    "2.4.1": "0.19.1",
    "2.5.1": "0.20.1",
    "2.6.0": "0.21.0",
    "2.7.1": "0.22.1",
    "2.8.0": "0.23.0",
    "2.9.1": "0.24.1",
}
SHIPPED = Matrix.shipped()


def wheel_of(name: str, version: str, tags: str = "cp311-cp311-manylinux_2_28_x86_64") -> str:
    return f"{name.replace('-', '_')}-{version}-{tags}.whl"


def lines_of() -> dict[str, dict[str, dict[str, Release]]]:
    """The indexes of the build lines, as the vendor has them."""
    found: dict[str, dict[str, dict[str, Release]]] = {}
    for label, torches in TORCHES.items():
        place = found[f"{WHL}/{label}"] = {"torch": {}, "torchvision": {}}
        for torch in torches:
            built, vision = f"{torch}+{label}", f"{VISION[torch]}+{label}"
            place["torch"][built] = Release(files=(wheel_of("torch", built),))
            place["torchvision"][vision] = Release((f"torch=={torch}",), files=(wheel_of("torchvision", vision),))
    return found


PYPI = {
    "torch": {torch: Release(files=(wheel_of("torch", torch),)) for torch in VISION},
    "torchvision": {
        vision: Release((f"torch=={torch}",), files=(wheel_of("torchvision", vision),))
        for torch, vision in VISION.items()
    },
}


def view_for(
    matrix: Matrix = SHIPPED,
    projects: Any = None,
    steering: bool = True,
    platform: str = "linux-x86_64",
    gpu: str = "",
    **hardware: str,
) -> tuple[Facts, View, DictCatalog]:
    gpus = (find(SHIPPED.gpus, gpu),) if gpu else ()
    accelerator = hardware.pop("accelerator", "cuda")
    target = Target("", "3.11", parse_platform(platform), Hardware(accelerator, gpus=gpus, **hardware))
    catalog = DictCatalog({**PYPI, **(projects or {})}, lines=lines_of())
    policy = Policy(families={"pytorch": WHL})
    return (
        Facts.of(target),
        View(target, catalog, policy, rules=Rulebook(matrix, target, steering=steering)),
        catalog,
    )


def choose(*roots: str, **how: Any) -> tuple[Outcome, Facts, DictCatalog]:
    facts, view, catalog = view_for(**how)
    return solve(view, view.roots(declared(*roots))), facts, catalog


DRIVERS = {
    "470.82.01": "cu118",
    "525.85.12": "cu128",
    "535.104.05": "cu128",
    "550.54.14": "cu128",
    "570.124.06": "cu128",
    "580.95.05": "cu130",
}
GPUS = ("Tesla P100", "Tesla V100", "T4", "A100", "RTX 4090", "H100", "B200")


@pytest.mark.parametrize(("driver", "gpu"), list(product(DRIVERS, GPUS)))
def test_each_driver_and_gpu_gets_a_build_that_runs_there(driver: str, gpu: str) -> None:
    outcome, facts, _ = choose("torch", "torchvision", driver=driver, gpu=gpu)
    if isinstance(outcome, Conflict):
        outcome, facts, _ = choose("torch", "torchvision", driver=driver, gpu=gpu, steering=False)
    if isinstance(outcome, Conflict):
        _, wide, _ = view_for(driver=driver, gpu=gpu)
        facts_blamed = {one.fact for one in wide.rejections("torch")}
        assert {"driver", f"gpu:{gpu}"} & facts_blamed
        return
    pins = versions(outcome)
    packages = [Package(name, version) for name, version in pins.items()]
    assert [found.rule.id for found in judge(SHIPPED, packages, facts) if found.rule.severity == "broken"] == []
    newest = {"Tesla P100": "cu126", "Tesla V100": "cu128"}.get(gpu)  # later lines have no code for them
    line = DRIVERS[driver] if driver.startswith("470") or newest is None else newest
    assert (pins["torch"].partition("+")[2], pins["torchvision"].partition("+")[2]) == (line, line)


def test_the_newest_version_goes_before_the_newest_line() -> None:
    outcome, _, _ = choose("torch", cuda="==12.6")
    assert versions(outcome) == {"torch": "2.9.1+cu126"}
    outcome, _, _ = choose("torch==2.6.0")
    assert versions(outcome) == {"torch": "2.6.0+cu126"}


def test_without_a_wheel_in_the_newest_line_an_older_one_is_taken() -> None:
    lines = lines_of()
    del lines[f"{WHL}/cu130"]["torchvision"]
    target = Target("", "3.11", parse_platform("linux-x86_64"), Hardware("cuda"))
    catalog = DictCatalog({"torch": PYPI["torch"]}, lines=lines)
    view = View(target, catalog, Policy(families={"pytorch": WHL}), rules=Rulebook(SHIPPED, target))
    outcome = solve(view, view.roots(declared("torch", "torchvision")))
    assert versions(outcome) == {"torch": "2.9.1+cu128", "torchvision": "0.24.1+cu128"}


@pytest.mark.parametrize(
    ("accelerator", "wanted"), [("cpu", "2.9.1+cpu"), ("rocm", "2.9.1+rocm6.4"), ("cuda", "2.9.1+cu130"), ("", "2.9.1")]
)
def test_each_accelerator_has_its_builds(accelerator: str, wanted: str) -> None:
    outcome, _, catalog = choose("torch", accelerator=accelerator)
    assert versions(outcome) == {"torch": wanted}
    asked = [place for place in catalog.read if place.startswith(WHL)]
    assert bool(asked) == bool(accelerator)


def test_a_build_that_is_known_to_serve_the_gpu_goes_before_a_newer_unknown_one() -> None:
    """PyTorch 2.12.1: its cu126 build has code for Volta, what the cu129 one has is not known."""
    lines = {f"{WHL}/{label}": {"torch": {f"2.12.1+{label}": Release()}} for label in ("cu126", "cu129")}
    hardware = Hardware("cuda", gpus=(find(SHIPPED.gpus, "Tesla V100"),))
    target = Target("", "3.12", parse_platform("linux-x86_64"), hardware)
    for offered, wanted in ((lines, "2.12.1+cu126"), ({f"{WHL}/cu129": lines[f"{WHL}/cu129"]}, "2.12.1+cu129")):
        catalog = DictCatalog({}, lines=offered)
        view = View(target, catalog, Policy(families={"pytorch": WHL}), rules=Rulebook(SHIPPED, target))
        assert versions(solve(view, view.roots(declared("torch")))) == {"torch": wanted}


def test_lines_that_the_driver_cannot_run_are_not_asked_for() -> None:
    _, _, catalog = choose("torch", driver="470.82")
    asked = {place.rpartition("/")[2] for place in catalog.read if place.startswith(WHL)}
    assert asked
    assert not [label for label in asked if label >= "cu12"]


def test_only_names_of_the_family_come_from_its_indexes() -> None:
    outcome, _, _ = choose("torch", "numpy", projects={"numpy": {"2.1": Release()}})
    assert "numpy" in versions(outcome)
    target = Target("", "3.11", parse_platform("linux-x86_64"), Hardware("cuda"))
    evil = lines_of()
    evil[f"{WHL}/cu130"]["numpy"] = {"99.0": Release()}
    view = View(
        target,
        DictCatalog({**PYPI, "numpy": {"2.1": Release()}}, lines=evil),
        Policy(families={"pytorch": WHL}),
        rules=Rulebook(SHIPPED, target),
    )
    assert versions(solve(view, view.roots(declared("numpy")))) == {"numpy": "2.1"}


# -- wheels that are release files


def flash(*labels: str) -> Matrix:
    """The rules that ship, and wheels of an extension with these build labels."""
    files = tuple(wheel_of("speedy", f"2.8.3+{label}", "cp311-cp311-linux_x86_64") for label in labels)
    fits = Rule("speedy-label", "speedy", "needs", "broken", "torch", (("", "label"),))
    return Matrix.shipped(Source(rules=(fits,), wheels=(Wheels("speedy", "2.8.3", "https://files.example/v1", files),)))


SPEEDY = {
    "speedy": {version: Release(("torch",), files=(f"speedy-{version}.tar.gz",)) for version in ("2.8.3", "2.8.4")}
}


class WithReleases(DictCatalog):
    """Answers for release files as well: they require torch."""

    def metadata(self, name: str, version: str, artifact: Any) -> Any:
        if name == "speedy" and "+" in version:
            return super().metadata(name, version.partition("+")[0], artifact)._replace(version=version)
        return super().metadata(name, version, artifact)


def view_of_speedy(matrix: Matrix, **hardware: str) -> View:
    target = Target("", "3.11", parse_platform("linux-x86_64"), Hardware("cuda", **hardware))
    catalog = WithReleases({**PYPI, **SPEEDY}, lines=lines_of())
    return View(target, catalog, Policy(families={"pytorch": WHL}), rules=Rulebook(matrix, target))


def lock_speedy(matrix: Matrix, *roots: str, **hardware: str) -> Outcome:
    view = view_of_speedy(matrix, **hardware)
    return solve(view, view.roots(declared(*roots)))


@pytest.mark.parametrize("roots", [("torch", "torchvision", "speedy"), ("speedy", "torchvision", "torch")])
def test_an_extension_decides_which_torch_there_is(roots: tuple[str, ...]) -> None:
    matrix = flash("cu12torch2.6cxx11abiTRUE", "cu12torch2.7cxx11abiTRUE", "cu12torch2.7cxx11abiFALSE")
    outcome = lock_speedy(matrix, *roots, driver="550.54")
    assert versions(outcome) == {
        "torch": "2.7.1+cu128",
        "torchvision": "0.22.1+cu128",
        "speedy": "2.8.3+cu12torch2.7cxx11abitrue",
    }


def test_the_abi_of_the_build_line_counts() -> None:
    # torch 2.6 has the new C++ ABI in its CUDA 12.6 builds alone.
    outcome = lock_speedy(flash("cu12torch2.6cxx11abiFALSE"), "torch", "speedy")
    assert versions(outcome)["torch"] == "2.6.0+cu124"
    outcome = lock_speedy(flash("cu12torch2.6cxx11abiTRUE"), "torch", "speedy")
    assert versions(outcome)["torch"] == "2.6.0+cu126"


def test_the_cuda_of_the_label_counts() -> None:
    outcome = lock_speedy(flash("cu11torch2.7cxx11abiTRUE"), "torch", "speedy")
    assert versions(outcome)["torch"] == "2.7.1+cu118"
    assert isinstance(lock_speedy(flash("cu11torch2.7cxx11abiTRUE"), "torch", "speedy", cuda="==12.*"), Conflict)


def test_no_wheel_that_fits_is_no_silent_source_archive() -> None:
    matrix = flash("cu12torch2.3cxx11abiFALSE")
    assert isinstance(lock_speedy(matrix, "torch", "speedy"), Conflict)
    reasons = [found.reason for found in view_of_speedy(matrix).rejections("speedy")]
    assert any("is a source archive; its wheels are for torch 2.3 with CUDA 12" in reason for reason in reasons)
