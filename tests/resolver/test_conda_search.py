"""The search over conda channels and an index against trying everything, on problems drawn at random."""

from __future__ import annotations

import random

import pytest

from mlpin.conda.spec import version
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
        elif problem.prefer == "conda":
            assert next(solutions(problem, fallback=True), None) is None, (seed, problem)
        else:
            assert next(solutions(problem, fallback=False), None) is None, (seed, problem)
