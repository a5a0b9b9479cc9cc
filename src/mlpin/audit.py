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

    @property
    def broken(self) -> int:
        return sum(finding.rule.severity == "broken" for finding in self.findings)


def audit(matrix: Matrix, stack: Stack, facts: Facts) -> Audit:
    """Judge a stack on a machine of which `facts` are known; what the stack states of it fills the gaps."""
    facts = facts._replace(
        python=facts.python or stack.python,
        platform=facts.platform or _kind(stack.platform) or "linux-x86_64",
    )
    packages = [_package(matrix, pinned) for pinned in stack.packages if pinned.version]
    names = {package.name for package in packages}
    return Audit(
        stack, facts, judge(matrix, packages, facts), sum(matrix.knows(name) for name in names), len(stack.packages)
    )


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


def _kind(platform: str) -> str:
    """A platform's name without a release: `macos-14-arm64` is `macos-arm64`."""
    parts = platform.split("-")
    return f"{parts[0]}-{parts[-1].lower()}" if len(parts) > 1 else ""
