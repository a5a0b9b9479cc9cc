"""Every repair that is shown solves the problem, on small random catalogs and against the oracle."""

from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.specifiers import SpecifierSet

from mlpin.explain.changes import Change, respecified, written
from mlpin.explain.explain import Explained, Options, explanation
from mlpin.index.names import version
from mlpin.outcome import Conflict
from mlpin.report import explained_data
from tests.explain.test_clash import asker, question
from tests.resolver.catalogs import Problem, Release, seeded, violations
from tests.resolver.test_properties import blocks
from tests.resolver.test_rules import broken_by, drawn_rules


def explained(problem: Problem, seed: int) -> Explained | None:
    """What is said of a problem; None where it can be solved."""
    rules = drawn_rules(problem, seed) if seed % 2 else []
    asked, answers = question(problem, rules), asker(problem)
    outcome, _ = answers.solve(asked)
    return (
        explanation([asked], outcome, answers, Options(every=seed % 3 == 0)) if isinstance(outcome, Conflict) else None
    )


def repaired(problem: Problem, changes: tuple[Change, ...]) -> Problem:
    """The problem with the lines as they would become, and releases for the Python that the target would have."""
    for change in changes:
        item = change.item
        if item.declared is not None and change.declared is not None:
            old, new = item.declared.origin.text, written(change.declared)
            if item.kind == "requirement":
                problem = replace(problem, roots=[new if line == old else line for line in problem.roots])
            else:
                problem = replace(problem, constraints=[new if line == old else line for line in problem.constraints])
        else:
            assert item.name == "python", item
            python = f"{change.value}.5"

            def fitting(release: Release, python: str = python) -> Release:
                fits = SpecifierSet(release.requires_python).contains(python)
                return replace(release, requires_python="" if fits else "!=3.11.5")

            projects = {
                name: {text: fitting(release) for text, release in releases.items()}
                for name, releases in problem.projects.items()
            }
            problem = replace(problem, projects=projects)
    return problem


@pytest.mark.parametrize("block", blocks(1, 20))
def test_every_repair_solves(block: int) -> None:
    shown = several = 0
    for seed in range(block * 100, block * 100 + 100):
        problem = seeded(seed)
        found = explained(problem, seed)
        if found is None:
            continue
        said = found.explanation
        assert said.status == "conflict"
        assert said.clashes[0].premises
        rules = drawn_rules(problem, seed) if seed % 2 else []
        for one, repair in zip(found.found, said.repairs, strict=True):
            shown += 1
            several += len(repair.edits) > 1
            mended = repaired(problem, one.changes)
            assert violations(mended, repair.pins) == [], (seed, repair.edits)
            assert broken_by(rules, repair.pins) == [], seed
            assert all(edit.old != edit.new for edit in repair.edits), seed
        edits = [{*one.changes} for one in found.found]
        assert not any(one < other for one in edits for other in edits), (seed, "more edits than are needed")
    assert shown
    assert several


@pytest.mark.parametrize("seed", range(0, 60, 6))
def test_the_same_question_has_the_same_report(seed: int) -> None:
    problem = seeded(seed)
    first, second = explained(problem, seed), explained(problem, seed)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert explained_data.explained([first.explanation]) == explained_data.explained([second.explanation])


@pytest.mark.parametrize(
    ("text", "new", "wanted"),
    [
        ("==2.6.0", "2.4.0", "==2.4.0"),
        ("==2.6.0", "2.4.0+cu121", "==2.4.0"),
        ("==2.6.0+cu124", "2.4.0+cu121", "==2.4.0+cu121"),
        ("==2.*", "1.13.1", "==1.*"),
        ("==2.1.*", "2.4.0", "==2.4.*"),
        ("~=1.4.2", "1.6.3", "~=1.6.3"),
        ("~=1.4", "2.0", "~=2.0"),
        (">=1.20,<2", "2.1.0", ">=1.20"),
        ("<2", "2.1.0", ""),
        (">=2", "1.26.4", ">=1.26.4"),
        (">=2,<3", "1.26.4", ">=1.26.4,<3"),
        (">2", "1.26.4", ">=1.26.4"),
        (">=1,!=1.5", "1.5", ">=1"),
        ("===2.6.0", "2.4.0", "===2.4.0"),
    ],
)
def test_a_specifier_is_changed_as_its_author_would(text: str, new: str, wanted: str) -> None:
    found = respecified(text, version(new))
    assert set(found.split(",")) == set(wanted.split(","))
    assert not found or SpecifierSet(found).contains(new, prereleases=True)
