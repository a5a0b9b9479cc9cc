"""The matrix's verdict on a stack that any tool made. Needs no index and no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlpin.matrix.judge import Facts, Finding, Package, judge

if TYPE_CHECKING:
    from mlpin.matrix.matrix import Matrix
    from mlpin.stack.model import Pinned, Stack


class Audit(NamedTuple):
    """What came out. `known` are the packages that some rule speaks of; of the others nothing is known."""

    stack: Stack
    facts: Facts
    findings: Sequence[Finding]
    known: int
    total: int
    """Packages by name: one with two versions, or without any, is one."""

    @property
    def broken(self) -> int:
        return sum(finding.rule.severity == "broken" for finding in self.findings)


def audit(matrix: Matrix, stack: Stack, facts: Facts) -> Audit:
    """Judge a stack on a machine of which `facts` are known."""
    packages = [_package(matrix, pinned) for pinned in stack.packages]
    names = {package.name for package in packages}
    found = judge(matrix, [package for package in packages if package.version], facts)
    return Audit(stack, facts, found, sum(matrix.knows(name) for name in names), len(names))


def _package(matrix: Matrix, pinned: Pinned) -> Package:
    if pinned.ecosystem == "conda":
        return Package(matrix.aliases.get(pinned.name, pinned.name), pinned.version, wheel=False)
    return Package(pinned.name, _labelled(pinned))


def _labelled(pinned: Pinned) -> str:
    """The version with the label that the file has where the lock's version has none (`flash_attn-2.8.3+cu12…`)."""
    if "+" in pinned.version:
        return pinned.version
    stated = {file.split("-")[1] for file in pinned.files if file.endswith(".whl") and file.count("-") >= 4}
    labelled = {text for text in stated if text.partition("+")[0] == pinned.version and "+" in text}
    return labelled.pop() if len(labelled) == 1 and len(stated) == 1 else pinned.version
