"""What the clash promises, on small random catalogs with rules, against an oracle that tries everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from packaging.requirements import Requirement as Written

from mlpin.explain.clash import Budget, Core, core
from mlpin.explain.premises import Item
from mlpin.matrix.rule import Rule
from mlpin.outcome import Conflict, group_of
from mlpin.resolver.policy import Policy
from mlpin.resolving import Asker, Question
from tests.resolver.catalogs import TARGET, DictCatalog, Problem, Release, declared, seeded, solutions
from tests.resolver.test_properties import blocks
from tests.resolver.test_rules import broken_by, drawn_rules, matrix_of


def question(problem: Problem, rules: Sequence[Rule]) -> Question:
    policy = Policy(prerelease=problem.prerelease, constraints=tuple(declared(*problem.constraints)))
    return Question(TARGET, declared(*problem.roots), policy, matrix_of(*rules))


def asker(problem: Problem) -> Asker:
    def sources() -> None:
        raise AssertionError

    return Asker(DictCatalog(problem.projects), sources)  # type: ignore[arg-type]


def found(problem: Problem, rules: Sequence[Rule]) -> Core | None:
    """The core of a problem; None where it can be solved."""
    asked, answers = question(problem, rules), asker(problem)
    outcome, _ = answers.refuse(asked)
    return core(asked, outcome, answers, Budget(500)) if isinstance(outcome, Conflict) else None


def with_items(problem: Problem, rules: Sequence[Rule], items: Sequence[Item]) -> tuple[Problem, list[Rule]]:
    """The problem of some premises alone; facts and options that are not among them do not restrict."""
    texts = [item.declared.origin.text for item in items if item.kind == "requirement" and item.declared]
    limits = [item.declared.origin.text for item in items if item.kind == "constraint" and item.declared]
    named = {item.name for item in items}
    projects: Mapping[str, Mapping[str, Release]] = problem.projects
    if "python" not in named:
        projects = {
            name: {version: replace(release, requires_python="") for version, release in releases.items()}
            for name, releases in projects.items()
        }
    mode = problem.prerelease
    if mode in {"disallow", "explicit"} and "prerelease" not in named:
        mode = "allow"
    return (
        replace(problem, projects=projects, roots=texts, constraints=limits, prerelease=mode),
        [rule for rule in rules if rule.id in named],
    )


def possible(problem: Problem, rules: Sequence[Rule]) -> bool:
    return any(not broken_by(rules, pins) for pins in solutions(problem))


def reduced(problem: Problem, cut: Core) -> Problem:
    """The problem with nothing in its catalog but what the links speak of."""
    groups = {group_of(edge) for edge in cut.edges}
    links = {(str(group.parent), str(group.key)) for group in groups}
    broken = {group.key.name for group in groups if group.key.kind == "none"}

    def kept(name: str, release: Release) -> Release:
        texts = []
        for text in release.requires:
            line = Written(text)
            mine = f"{name}[x]" if line.marker is not None and "extra" in str(line.marker) else name
            if line.name == name:
                texts.append(text)
                continue
            plain = (mine, line.name) in links
            extras = sorted(extra for extra in line.extras if (mine, f"{line.name}[{extra}]") in links)
            if plain or extras:
                inside = f"[{','.join(extras)}]" if extras else ""
                marker = f" ; {line.marker}" if line.marker is not None else ""
                texts.append(f"{line.name}{inside}{line.specifier}{marker}")
        python = release.requires_python
        return replace(release, requires=texts, requires_python=python, broken=release.broken if name in broken else "")

    return replace(
        problem,
        projects={
            name: {version: kept(name, release) for version, release in releases.items()}
            for name, releases in problem.projects.items()
        },
    )


@pytest.mark.parametrize("block", blocks(2, 30))
def test_the_clash_is_impossible_and_minimal(block: int) -> None:
    met = 0
    for seed in range(block * 100, block * 100 + 100):
        problem = seeded(seed)
        rules = drawn_rules(problem, seed) if seed % 2 else []
        cut = found(problem, rules)
        if cut is None:
            continue
        met += 1
        alone, ruled = with_items(problem, rules, cut.items)
        assert not possible(alone, ruled), seed
        # What cannot be read may be in the way as well: then it is not said to be minimal.
        unread = any(release.broken for releases in problem.projects.values() for release in releases.values())
        assert cut.minimal or unread, seed
        for item in cut.items if cut.minimal else ():
            less = [one for one in cut.items if one != item]
            assert possible(*with_items(problem, rules, less)), (seed, item)
        assert not possible(reduced(alone, cut), ruled), seed
    assert met


@pytest.mark.parametrize("seed", range(0, 60, 7))
def test_the_same_question_has_the_same_clash(seed: int) -> None:
    problem = seeded(seed)
    rules = drawn_rules(problem, seed)
    first, second = found(problem, rules), found(problem, rules)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert first.items == second.items
        assert [str(edge.requirement) for edge in first.edges] == [str(edge.requirement) for edge in second.edges]
