"""Conda environments out of recorded channels: solved, right and as new as by py-rattler; small ones exactly alike.

Answers are judged by `conda_cases.wrong`, which reads the raw repodata and matches by py-rattler.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from mlpin.lock import locked
from mlpin.outcome import Conflict, GaveUp, Outcome, Resolution
from mlpin.resolver.solve import HASTY
from tests.conda.channels import repodata
from tests.long.conda_cases import CONDA, PLATFORMS, Case, File, Wishes, answer, cases, drawn, files, older, peer, wrong
from tests.projects import Project

pytestmark = pytest.mark.long
shared = pytest.mark.skipif(not CONDA.is_dir(), reason="the cases of ../shared/conda are not here")

CHANNELS = CONDA / "channel"

OTHERWISE: dict[str, str] = {}
"""By small case: why our answer is another one. Each must still differ."""

PIGEONHOLE = (
    "free-all-cells: ten names of which no two may be equal, and nine versions. Neither arc consistency nor the search"
    " counts, so it would have to try all orders; py-rattler's learnt clauses happen to do it"
)
"""A sudoku that has no solution, where mlpin gives up instead of saying so."""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where repodata is unpacked."""
    return tmp_path_factory.mktemp("repodata")


def named(*names: str) -> list[Any]:
    """Cases by name."""
    known = {case.name: case for case in cases()}
    return [pytest.param(known[name], id=name) for name in names if known]


def found(outcome: Outcome) -> frozenset[File]:
    assert isinstance(outcome, Resolution), outcome
    return files(outcome.conda.values())


# -- real environments


@shared
def test_all_environments_are_here() -> None:
    assert (len(cases()), sum(case.expected is None for case in cases())) == (39, 9)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in cases()])
def test_an_environment(case: Case, cache: Path) -> None:
    outcome = answer(case.wishes, CHANNELS, cache)
    if case.expected is None:
        assert isinstance(outcome, Conflict)
        return
    assert wrong(case.wishes, found(outcome), CHANNELS) == []
    assert older(case.wishes, found(outcome), case.expected, CHANNELS) == []


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name) for case in cases() if case.wishes.priority == "disabled"]
)
def test_flexible_priority_has_an_answer_where_no_priority_has_one(case: Case, cache: Path) -> None:
    wishes = case.wishes._replace(priority="flexible")
    outcome = answer(wishes, CHANNELS, cache)
    if case.expected is None:
        assert isinstance(outcome, Conflict)
    else:
        assert wrong(wishes, found(outcome), CHANNELS) == []


@pytest.mark.parametrize(
    "case",
    named(
        *("aarch64-rapids", "blas-mkl", "flash-attn", "jax-old", "ml-stack-gpu-py312", "osx-64-sci", "osx-arm64-jax"),
        *("pytorch-channel-cpu", "pytorch-channel-cu118", "pytorch-old-1.13", "sci-py313", "win-64-sci"),
    ),
)
def test_an_environment_as_a_user_locks_it(case: Case, project: Project) -> None:
    written(project, case.wishes)
    ran = project.lock()
    assert ran.code == 0, ran.words
    lock = locked.read(project.root / "pylock.toml", "pylock.toml")
    assert lock is not None
    assert lock.packages == ()
    assert lock.intact
    assert lock.virtual_packages == case.wishes.virtual
    taken = frozenset((one.channel, one.subdir, one.filename) for one in lock.conda)
    assert case.expected is not None
    assert wrong(case.wishes, taken, CHANNELS) == []
    assert older(case.wishes, taken, case.expected, CHANNELS) == []
    explicit = (project.root / "conda.lock").read_text().splitlines()
    for one in lock.conda:
        assert sum(f"/{one.channel}/{one.subdir}/{one.filename}#" in line for line in explicit) == 1


@shared
@pytest.mark.parametrize("priority", ["flexible", "disabled"])
def test_a_lock_follows_another_priority(priority: str, project: Project) -> None:
    (case,) = (case for case in cases() if case.name == "pytorch-2.4-gpu")
    wishes = case.wishes._replace(priority=priority)
    written(project, wishes)
    ran = project.lock()
    assert ran.code == 0, ran.words
    lock = locked.read(project.root / "pylock.toml", "pylock.toml")
    assert lock is not None
    assert lock.channel_priority == priority
    assert wrong(wishes, [(one.channel, one.subdir, one.filename) for one in lock.conda], CHANNELS) == []


@pytest.mark.parametrize("case", named("conflict-cudf-numpy", "glibc-too-old", "missing-package"))
def test_what_has_no_answer_is_refused_with_its_reason(case: Case, project: Project) -> None:
    written(project, case.wishes)
    ran = project.lock()
    assert ran.code == 1, ran.words
    reason = {"conflict-cudf-numpy": "cudf", "glibc-too-old": "glibc", "missing-package": "no-such-package-xyz"}
    assert reason[case.name] in ran.words
    assert not (project.root / "pylock.toml").exists()


def written(project: Project, wishes: Wishes) -> None:
    """The files of a user with these wishes."""
    project.write(
        "mlpin.toml",
        f'platform = "{PLATFORMS[wishes.subdir]}"\nchannel-alias = "{CHANNELS.as_uri()}"\n'
        f'channel-priority = "{wishes.priority}"\n[virtual-packages]\n'
        + "".join(f'{name} = "{text}"\n' for name, text in wishes.machine.items()),
    )
    lines = ["channels:", *(f"  - {name}" for name in wishes.channels)]
    lines += ["dependencies:", *(f"  - {json.dumps(text)}" for text in wishes.specs)]
    project.write("environment.yml", "\n".join(lines) + "\n")


# -- channels drawn at random


@pytest.mark.parametrize("block", range(6))
def test_a_drawn_channel_has_an_answer_where_py_rattler_has_one(block: int, tmp_path: Path) -> None:
    for seed in range(block * 50, block * 50 + 50):
        root = tmp_path / str(seed)
        wishes = drawn(random.Random(seed).randint, root)
        outcome = answer(wishes, root, root / "cache")
        theirs = peer(wishes, root)
        assert isinstance(outcome, Resolution | Conflict), seed
        assert isinstance(outcome, Resolution) == (theirs is not None), seed
        if theirs is not None:
            assert wrong(wishes, theirs, root) == [], seed
            assert wrong(wishes, found(outcome), root) == [], seed
            first = wishes._replace(specs=wishes.specs[:1])
            assert older(first, found(outcome), theirs, root) == [], seed


# -- the checker itself


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in cases() if case.expected])
def test_the_checker_accepts_what_is_expected_and_nothing_less(case: Case) -> None:
    assert case.expected is not None
    assert wrong(case.wishes, case.expected, CHANNELS) == []
    pick = random.Random(case.name)
    for file in pick.sample(sorted(case.expected), 5):
        assert wrong(case.wishes, case.expected - {file}, CHANNELS), f"without {file}"
    if "__archspec" in case.wishes.virtual and case.wishes.subdir == "linux-64":
        bare = case.wishes._replace(virtual={})
        assert wrong(bare, case.expected, CHANNELS), "on no machine"


# -- small ones


def small() -> list[Any]:
    path = CONDA / "small_solves.json"
    table = json.loads(path.read_text(encoding="utf-8"))["cases"] if path.is_file() else []
    return [pytest.param(case, id=case["name"]) for case in table]


@pytest.mark.parametrize("case", small())
def test_a_small_channel(case: dict[str, Any], tmp_path: Path) -> None:
    for channel in case["channels"]:
        for subdir in (case["platform"], "noarch"):
            mine = {file: one for file, one in channel["packages"].items() if one["subdir"] == subdir}
            repodata(tmp_path / channel["name"] / subdir, mine)
    names = [channel["name"] for channel in case["channels"]]
    wishes = Wishes(names, case["platform"], case["specs"], case["virtual_packages"], case["channel_priority"])
    outcome = answer(wishes, tmp_path, tmp_path / "cache")
    if case["expected"]["solvable"]:
        assert wrong(wishes, found(outcome), tmp_path) == []
        same = sorted(file for _, _, file in found(outcome)) == case["expected"]["packages"]
    else:
        same = isinstance(outcome, Conflict)
    assert same == (case["name"] not in OTHERWISE), outcome


DUMMY = [
    # What py-rattler 0.28 takes of its own test channel (its subdir noarch is empty here).
    (["foo"], "foo-4.0.2-py36h1af98f8_2.tar.bz2"),
    (["foo <4"], "foo-3.0.2-py36h1af98f8_3.conda"),
    (["foo <4", "bors"], "bors-1.2.1-bla_1.tar.bz2 foo-3.0.2-py36h1af98f8_3.conda"),
    (["foo ==3.0.2", "bors >=2"], "bors-2.1-bla_1.conda foo-3.0.2-py36h1af98f8_2.conda"),
    (["baz"], "baz-2.0-unix_py36h1af98f8_2.tar.bz2"),
    (["bors"], "bors-2.1-bla_1.conda"),
    (["foobar"], "bors-1.2.1-bla_1.tar.bz2 foobar-2.1-bla_1.tar.bz2"),
    (["xbar", "xfoo"], "xbar-1-xxx.tar.bz2 xfoo-2-xxx.tar.bz2"),
    (["track-features"], "track-features-4-xxx.tar.bz2"),
    (["conda-only"], "conda-only-0.1.0-foobar_0.conda"),
    (["foobar", "bors >=2"], ""),
    (["xbar", "xfoo <2"], ""),
    (["bar"], ""),  # without __unix
    (["issue_717"], ""),  # its constrains cannot be read
    # It stands in linux-64 and says noarch; py-rattler takes it, we take no record that is at the wrong place.
    (["cuda-version"], ""),
]


@shared
@pytest.mark.parametrize(("specs", "expected"), DUMMY)
def test_the_test_channel_of_rattler(specs: list[str], expected: str, cache: Path) -> None:
    outcome = answer(Wishes(["rattler-dummy"], "linux-64", specs, {}), CONDA / "small", cache)
    if expected:
        assert sorted(file for _, _, file in found(outcome)) == expected.split()
    else:
        assert isinstance(outcome, Conflict)


@shared
def test_the_sudoku_of_mamba_is_refused(cache: Path) -> None:
    table = json.loads((CONDA / "small" / "mamba-sudoku" / "cases.json").read_text(encoding="utf-8"))["cases"]
    outcomes = {
        case["name"]: answer(Wishes(["mamba-sudoku"], "linux-64", case["specs"], {}), CONDA / "small", cache, HASTY)
        for case in table
    }
    assert {name: type(outcome) for name, outcome in outcomes.items()} == {
        "classic-givens-only": Conflict,
        "classic-all-cells": Conflict,
        "free-all-cells": GaveUp,
    }, PIGEONHOLE
