"""The search over conda channels and an index against trying everything, on problems drawn at random."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from packaging.requirements import Requirement as Written

from mlpin.candidate import Key, distribution
from mlpin.conda.spec import match_spec, version
from mlpin.outcome import Conflict, Resolution
from tests.resolver.conda_problems import drawn, pins, solutions, violations


@pytest.mark.parametrize("block", range(8))
def test_a_channel_alone(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        problem = drawn(random.Random(seed).randint, joint=False)
        every = [conda for conda, _ in solutions(problem, fallback=False)]
        outcome = problem.solve()
        assert isinstance(outcome, Resolution | Conflict), (seed, problem)
        assert isinstance(outcome, Resolution) == bool(every), (seed, problem, every[:1])
        if isinstance(outcome, Resolution):
            found = pins(outcome)
            assert not violations(problem, found), (seed, problem)
            # The first line gets the newest that any solution has for it.
            name = problem.conda[0].split()[0]
            assert found[0][name].version == max((one[name].version for one in every), key=version), (seed, problem)


@pytest.mark.parametrize("block", range(8))
def test_both_worlds(block: int) -> None:
    for seed in range(block * 60, block * 60 + 60):
        problem = drawn(random.Random(seed).randint, joint=True)
        outcome = problem.solve()
        assert isinstance(outcome, Resolution | Conflict), (seed, problem)
        if isinstance(outcome, Resolution):
            assert not violations(problem, pins(outcome)), (seed, problem, pins(outcome))
        else:
            assert next(solutions(problem, fallback=problem.prefer == "conda"), None) is None, (seed, problem)
            # The lines that it rests on are impossible by themselves.
            asked = {group.key for group in outcome.involved if group.parent is None}
            conda = [text for text in problem.conda if Key("conda", match_spec(text).name) in asked]
            pypi = [text for text in problem.pypi if distribution(Written(text).name) in asked]
            assert not isinstance(replace(problem, conda=conda, pypi=pypi).solve(), Resolution), (seed, problem)
