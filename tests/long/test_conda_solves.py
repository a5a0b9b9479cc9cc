"""Conda environments out of recorded channels: solved, right and as new as by py-rattler, and small ones alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.lock import locked
from mlpin.outcome import Conflict, Resolution
from tests.long.conda_cases import CONDA, Case, answer, cases, files, older, wrong
from tests.projects import Project

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not CONDA.is_dir(), reason="the cases of ../shared/conda are not here"),
]

CHANNELS = CONDA / "channel"
PLATFORMS = {
    "linux-64": "linux-x86_64",
    "linux-aarch64": "linux-aarch64",
    "osx-64": "macos-14.5-x86_64",
    "osx-arm64": "macos-14.5-arm64",
    "win-64": "windows-amd64",
}


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where repodata is unpacked."""
    return tmp_path_factory.mktemp("repodata")


def of(*names: str) -> list[Case]:
    return [case for case in cases() if not names or case.name in names]


@pytest.mark.parametrize("case", of(), ids=lambda case: case.name)
def test_an_environment(case: Case, cache: Path) -> None:
    outcome = answer(case.wishes, CHANNELS, cache)
    if case.expected is None:
        assert isinstance(outcome, Conflict)
        return
    assert isinstance(outcome, Resolution), outcome
    found = files(outcome.conda.values())
    assert wrong(case.wishes, found, CHANNELS) == []
    assert older(case.wishes, found, case.expected, CHANNELS) == []


def test_all_of_them_are_here() -> None:
    assert (len(cases()), sum(case.expected is None for case in cases())) == (39, 9)


@pytest.mark.parametrize(
    "case", [case for case in of() if case.wishes.priority == "disabled"], ids=lambda case: case.name
)
def test_flexible_priority_has_a_solution_where_there_is_one(case: Case, cache: Path) -> None:
    wishes = case.wishes._replace(priority="flexible")
    outcome = answer(wishes, CHANNELS, cache)
    if case.expected is None:
        assert isinstance(outcome, Conflict)
        return
    assert isinstance(outcome, Resolution), outcome
    assert wrong(wishes, files(outcome.conda.values()), CHANNELS) == []
