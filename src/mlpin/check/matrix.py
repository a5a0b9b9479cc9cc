"""Lock and matrix: whether something that is locked is broken by what is known today."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mlpin.check.model import Drift
from mlpin.matrix.judge import Facts, Finding, Package, judge

if TYPE_CHECKING:
    from mlpin.lock.locked import Lock
    from mlpin.matrix.matrix import Matrix
    from mlpin.target import Target


def drifts(lock: Lock, target: Target | None, rules: Matrix) -> Iterator[Drift]:
    """The findings of the matrix that call something *broken*, as warnings: a rule may be newer than the lock."""
    facts = Facts.of(target) if target else Facts()
    lines = {package.name: package.line for package in lock.packages}
    for finding in broken(packages(lock, target), facts, rules):
        rule = finding.rule
        name, other = finding.packages[0][0], " ".join(finding.packages[1])
        yield Drift(
            "matrix",
            "broken",
            said(finding),
            name,
            finding.wanted if rule.verb == "needs" else "",
            other,
            lock.shown,
            lines.get(name, 0),
            "warning",
            rule.remedy or f"`mlpin matrix show {rule.id}` has the sources",
        )


def packages(lock: Lock, target: Target | None) -> list[Package]:
    """What is locked for the target, as the matrix judges it."""
    return [
        Package(one.name, one.version, any(file.kind == "wheel" for file in one.files))
        for one in lock.packages
        if one.version and one.applies(target)
    ]


def broken(found: Iterable[Package], facts: Facts, rules: Matrix) -> list[Finding]:
    """What does not work, worst first."""
    return [finding for finding in judge(rules, found, facts) if finding.rule.severity == "broken"]


def said(finding: Finding) -> str:
    """A finding in a sentence, with its symptom and the rule's id."""
    name, version = finding.packages[0]
    symptom = f" ({finding.rule.symptom})" if finding.rule.symptom else ""
    return f"{name} {version} {finding.against}{symptom} [{finding.rule.id}]"
