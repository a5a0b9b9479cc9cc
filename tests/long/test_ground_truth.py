"""The shipped matrix against stacks that broke and stacks that run, and what of its recall each family of rules bears.

The figures are printed whether the tests pass or not; `ground_truth.py` is the ruler.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

import pytest

from mlpin.matrix.matrix import Matrix
from tests.long import ground_truth
from tests.long.ground_truth import GROUND, Case, explaining, families, findings, said

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not GROUND.is_dir(), reason="the stacks of ../shared/ground_truth are not here"),
]

LOOKED_INTO = {
    "good-uv-bmaltais-kohya_ss-2025-03-30": (
        "a lock that nobody says to have run: bitsandbytes 0.44.0 imports triton.ops, which triton 3.2 has no more"
        " (ostris/ai-toolkit#279 is the same pair)"
    ),
    "index-tts+index-tts/uv.lock#indextts:extra:deepspeed": (
        "a lock that nobody says to have run: opencv-python 4.9.0.80 is compiled for NumPy 1 and states no bound"
    ),
    "index-tts+index-tts/uv.lock#indextts:extra:test": "the same lock with another extra",
}
"""Stacks that are counted as running and in which something broken is rightly found."""

FAMILIES = families()
NAMES = sorted(set(FAMILIES.values()))
SEEDS = range(10)


def without(names: Iterable[str]) -> Matrix:
    """The matrix with the rules of whole families switched off, as a user switches them off."""
    off = {rule: "to measure" for rule, family in FAMILIES.items() if family in set(names)}
    return Matrix.shipped(off=off)


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return Matrix.shipped()


@pytest.fixture(scope="module")
def broken(matrix: Matrix) -> list[Case]:
    """What broke and what no index's metadata shows."""
    found = list(ground_truth.broken(matrix))
    assert len(found) == 48
    return found


@pytest.fixture(scope="module")
def found_by(matrix: Matrix, broken: list[Case]) -> dict[str, set[str]]:
    """By case that is found, the families that find it."""
    found = {case.id: {FAMILIES[item.rule.id] for item in explaining(matrix, case)} for case in broken}
    return {case: families for case, families in found.items() if families}


def found_in(matrix: Matrix, cases: list[Case]) -> set[str]:
    return {case.id for case in cases if explaining(matrix, case)}


def show(capsys: pytest.CaptureFixture[str], *lines: str) -> None:
    with capsys.disabled():
        print("\n" + "\n".join(lines))


# -- recall


def test_most_of_what_broke_is_found(matrix: Matrix, broken: list[Case], capsys: pytest.CaptureFixture[str]) -> None:
    missed = [case for case in broken if not explaining(matrix, case)]
    lines = [f"  missed {case.id}: {' with '.join(case.raw['root_cause'])}" for case in missed]
    show(capsys, f"recall: {len(broken) - len(missed)} of {len(broken)}, both sides named", *lines)
    assert len(broken) - len(missed) >= 34, lines


# -- false alarms


def alarms(matrix: Matrix, cases: list[Case]) -> dict[str, str]:
    """By the id of a stack that runs, what the matrix calls broken in it."""
    return {case.id: said(case, found) for case in cases if (found := findings(matrix, case))}


@pytest.fixture(scope="module")
def running(matrix: Matrix) -> list[Case]:
    """Every stack that is said to run."""
    if not ground_truth.readable():
        pytest.skip("stacks.json.zst is read by the command zstd, which is not here")
    good, stacks = list(ground_truth.good(matrix)), list(ground_truth.stacks(matrix))
    assert (len(good), len(stacks)) == (61, 655)
    return [*good, *stacks]


def test_released_images_and_confirmed_stacks_are_never_called_broken(matrix: Matrix, running: list[Case]) -> None:
    confirmed = [case for case in running if case.confirmed]
    assert len(confirmed) == 24 + 131
    assert alarms(matrix, confirmed) == {}


def test_hardly_any_other_lock_is_called_broken(
    matrix: Matrix, running: list[Case], capsys: pytest.CaptureFixture[str]
) -> None:
    others = [case for case in running if not case.confirmed]
    found = alarms(matrix, others)
    show(capsys, f"called broken: {len(found)} of {len(others)} locks", *(f"  {line}" for line in found.values()))
    assert len(found) <= 3, "\n".join(found.values())
    unknown = [line for case, line in found.items() if case not in LOOKED_INTO]
    assert unknown == [], "not looked into: either the rule is wrong, or the stack is (then LOOKED_INTO says why)"


# -- whether rules generalise


def test_each_family_finds_its_own(
    broken: list[Case], found_by: dict[str, set[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """A family switched off takes along what it alone finds and nothing else: families do not lean on each other.

    And recall hangs on no single one of them.
    """
    rules = Counter(FAMILIES.values())
    lines = ["family          rules  finds  alone  recall without it"]
    for name in NAMES:
        alone = {case for case, names in found_by.items() if names == {name}}
        left = found_in(without([name]), broken)
        assert left == found_by.keys() - alone, name
        assert 2 * len(left) >= len(broken), name
        finds = sum(name in names for names in found_by.values())
        lines.append(f"{name:15} {rules[name]:5}  {finds:5}  {len(alone):5}  {len(left)} of {len(broken)}")
    show(capsys, *lines)


def test_half_of_the_families_find_what_is_theirs(
    broken: list[Case], found_by: dict[str, set[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """With a random half switched off, the other half still finds all of its own cases."""
    lines = []
    figures = []
    for seed in SEEDS:
        off = set(random.Random(seed).sample(NAMES, len(NAMES) // 2))
        left = found_in(without(off), broken)
        assert left == {case for case, names in found_by.items() if names - off}, sorted(off)
        assert left, sorted(off)
        figures.append(len(left))
        lines.append(f"  seed {seed}: {len(left)} of {len(broken)} without {', '.join(sorted(off))}")
    mean = sum(figures) / len(figures)
    show(capsys, f"with half of the families off: {mean:.1f} of {len(broken)} on average", *lines)


def test_families_are_not_lists_of_these_cases(matrix: Matrix, broken: list[Case]) -> None:
    """Of the rules of a family that finds any case, most find none: they were written for its kind of breakage."""
    at_work: dict[str, set[str]] = {}
    for case in broken:
        for item in explaining(matrix, case):
            at_work.setdefault(FAMILIES[item.rule.id], set()).add(item.rule.id)
    rules = Counter(FAMILIES.values())
    assert {name: len(ids) for name, ids in at_work.items() if 2 * len(ids) > rules[name]} == {}
    assert len(at_work) >= 8


def test_nothing_is_found_with_every_family_off(broken: list[Case]) -> None:
    assert found_in(without(NAMES), broken) == set()
