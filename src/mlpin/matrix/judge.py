"""The matrix's verdict on an exact set of packages: which statements about it do not hold.

Needs no index and no network. What a rule needs to know and nobody said (the driver, say) is left alone: unknown is
neither compatible nor broken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from mlpin.matrix.labels import Built, built, is_vendor_build
from mlpin.matrix.matrix import Matrix
from mlpin.matrix.ranges import same_release, stated_within, version, within
from mlpin.matrix.rule import LABEL, SAME, Rule, any_of, serves

if TYPE_CHECKING:
    from mlpin.target import Target


_SHOWN = {"gpu": "", "driver": "driver ", "cuda": "CUDA ", "cudnn": "cuDNN ", "python": "Python ", "glibc": "glibc "}
"""Facts of a machine as they stand before their value."""


class Facts(NamedTuple):
    """What is known of the machine; empty where nobody said."""

    platform: str = "linux-x86_64"
    """Without a release: `linux-x86_64`, `macos-arm64`, `windows-amd64`."""
    python: str = ""
    glibc: str = ""
    accelerator: str = ""
    driver: str = ""
    gpus: tuple[tuple[str, str], ...] = ()
    """(as it was named, compute capability or gfx target)."""
    cuda: str = ""
    """The CUDA toolkit of the machine itself."""
    cudnn: str = ""

    @classmethod
    def of(cls, target: Target) -> Facts:
        """What a target says of its machine. The CUDA toolkit of a machine is not part of a target."""
        hardware = target.hardware
        return cls(
            target.platform.kind,
            target.python,
            target.platform.glibc,
            hardware.accelerator,
            hardware.driver,
            hardware.gpus,
        )

    @property
    def uses_cuda(self) -> bool:
        """Whether CUDA is going to be used, as far as it was said."""
        if self.accelerator:
            return self.accelerator == "cuda"
        return bool(self.driver or self.cuda) or any(not runs.startswith("gfx") for _, runs in self.gpus)


class Package(NamedTuple):
    """One package of the set."""

    name: str
    version: str
    wheel: bool = True
    """Whether it is a wheel of an index, not conda's or built from source."""


class Finding(NamedTuple):
    """A rule that does not hold: between which packages, or a package and a fact."""

    rule: Rule
    packages: tuple[tuple[str, str], ...]
    """(name, version); the rule's own package first. A fact of the target stands here as well."""
    wanted: str = ""
    """The range that was needed, or that fails; architectures for kernels."""

    @property
    def against(self) -> str:
        """What is wrong with the rule's own package, in words that follow its name."""
        other, found = self.packages[1]
        rule, wanted = self.rule, self.wanted
        theirs = f"{_SHOWN.get(other, f'{other} ')}{found}"
        if rule.verb == "kernels":
            return f"has no code for {theirs}; it has {wanted}"
        if rule.verb == "fails":
            return f"{'may' if rule.severity == 'untested' else 'does'} not work with {theirs}"
        if other == "gpu":
            wanted = f"a GPU of compute capability {wanted}"
        elif wanted == SAME:
            wanted = f"the same release of {other}"
        elif rule.table[0][1] != LABEL:
            wanted = f"{_SHOWN.get(other, other)}{wanted}"
        return f"{'was tested with' if rule.severity == 'untested' else 'needs'} {wanted}, and there is {theirs}"


def label_of(matrix: Matrix, package: str, text: str, platform: str) -> Built:
    """How a release was built: by its label, else what the package index is known to carry."""
    mark = (package, text, platform)
    known = matrix.labels.get(mark)
    if known is None:
        known = built(text)
        if not known.line and not is_vendor_build(text) and (parsed := version(text)):
            line = matrix.default_line(package, parsed, platform)
            known = known._replace(line=line, cuda=matrix.cuda(line)) if line else known
        matrix.labels[mark] = known
    return known


def rows(rule: Rule, matrix: Matrix, package: Package, facts: Facts) -> list[str]:
    """The ranges that the rule states for this package on this machine; none where it does not speak of it."""
    if rule.platforms and not any_of(rule.platforms, facts.platform):
        return []
    if rule.python and not _stated(rule.python, facts.python):
        return []
    if rule.accelerator and not (
        facts.uses_cuda if rule.accelerator == "cuda" else facts.accelerator == rule.accelerator
    ):
        return []
    if rule.wheels_only and (not package.wheel or is_vendor_build(package.version)):
        return []
    known = version(package.version)
    if known is None:
        return []
    found = [wanted for versions, wanted in rule.table if within(versions, known)]
    if LABEL in found and not asked_of_label(built(package.version)):
        return []
    if (
        found
        and rule.line
        and not any_of(rule.line, label_of(matrix, rule.package, package.version, facts.platform).line)
    ):
        return []
    return found


def _stated(wanted: str, text: str) -> bool | None:
    """Whether a fact is in a range; None where it is not known, or not well enough."""
    found = version(text) if text else None
    return None if found is None else stated_within(wanted, found)


def judge(matrix: Matrix, packages: Iterable[Package], facts: Facts) -> list[Finding]:
    """What the matrix has against the set, worst first; the same set gives the same list."""
    stack = _stack(packages)
    found: list[Finding] = []
    for name in sorted(stack):
        for rule in matrix.rules(name):
            if not _concerned(rule, stack, facts):
                continue
            for package in stack[name]:
                for wanted in rows(rule, matrix, package, facts):
                    found += _against(matrix, rule, wanted, package, stack, facts)
    order = {"broken": 0, "declared": 1, "untested": 2}
    unique = dict.fromkeys(found)
    return sorted(unique, key=lambda finding: (order[finding.rule.severity], finding.packages, finding.rule.id))


def _against(
    matrix: Matrix, rule: Rule, wanted: str, package: Package, stack: Mapping[str, list[Package]], facts: Facts
) -> list[Finding]:
    mine = (package.name, package.version)
    if rule.verb == "kernels":
        bad = [gpu for gpu in facts.gpus if (level := capability(gpu[1])) and not serves(rule.kernels, level)]
        return [Finding(rule, (mine, ("gpu", _gpu(gpu))), ", ".join(rule.kernels)) for gpu in bad]
    if rule.other == "gpu":
        bad = [gpu for gpu in facts.gpus if capability(gpu[1]) and _stated(wanted, gpu[1]) is (rule.verb == "fails")]
        return [Finding(rule, (mine, ("gpu", _gpu(gpu))), wanted) for gpu in bad]
    if rule.of_target:
        text = getattr(facts, rule.other)
        broken = _stated(wanted, text) is (rule.verb == "fails")
        return [Finding(rule, (mine, (rule.other, text)), wanted)] if broken else []
    made = []
    for other in stack.get(rule.other, ()):
        if rule.wheels_only and (not other.wheel or is_vendor_build(other.version)):
            continue
        against = between(matrix, rule, wanted, package, other, facts.platform)
        if against is not None:
            made.append(Finding(rule, (mine, (other.name, other.version)), against))
    return made


def between(matrix: Matrix, rule: Rule, wanted: str, mine: Package, theirs: Package, platform: str) -> str | None:
    """What a row of a rule between two packages has against these: the range, or what the label asks; None: nothing."""
    own, other = version(mine.version), version(theirs.version)
    if own is None or other is None or (rule.unless_same_version and same_release(own, other)):
        return None
    if wanted == LABEL:
        return mismatch(matrix, built(mine.version), theirs, platform) or None
    holds = same_release(own, other) if wanted == SAME else within(wanted, other)
    return wanted if holds == (rule.verb == "fails") else None


def holding(matrix: Matrix, packages: Iterable[Package], facts: Facts) -> dict[str, list[str]]:
    """By package, the ids of the rules that speak of it here and hold; those that only warn had no say in it."""
    stack = _stack(packages)
    found: dict[str, list[str]] = {}
    for name in stack:
        for rule in matrix.rules(name):
            if (rule.severity == "untested" and not rule.steer) or not _concerned(rule, stack, facts):
                continue
            for package in stack[name]:
                wanted = rows(rule, matrix, package, facts)
                if rule.of_target and any(_unknown(rule, one, facts) for one in wanted):
                    continue
                if wanted and not any(_against(matrix, rule, one, package, stack, facts) for one in wanted):
                    ids = found.setdefault(name, [])
                    if rule.id not in ids:
                        ids.append(rule.id)
    return {name: sorted(ids) for name, ids in found.items()}


def _unknown(rule: Rule, wanted: str, facts: Facts) -> bool:
    """Whether a fact is not known well enough to say that a rule about it holds."""
    return rule.verb != "kernels" and rule.other != "gpu" and _stated(wanted, getattr(facts, rule.other)) is None


def _stack(packages: Iterable[Package]) -> dict[str, list[Package]]:
    stack: dict[str, list[Package]] = {}
    for package in packages:
        stack.setdefault(package.name, []).append(package)
    return stack


def _concerned(rule: Rule, stack: Mapping[str, list[Package]], facts: Facts) -> bool:
    """Whether the other side of a rule is there at all."""
    if not rule.of_target:
        return rule.other in stack
    if rule.verb == "kernels" or rule.other == "gpu":
        return bool(facts.gpus)
    return bool(getattr(facts, rule.other))


def mismatch(matrix: Matrix, mine: Built, torch: Package, platform: str) -> str:
    """What a build label asks of torch that this one is not; empty where it fits, or nothing is known."""
    known = version(torch.version)
    if known is None or not torch.wheel or is_vendor_build(torch.version):
        return ""
    if mine.torch and mine.torch != f"{known.major}.{known.minor}":
        return f"torch {mine.torch}"
    theirs = label_of(matrix, torch.name, torch.version, platform)
    if mine.cuda and theirs.line == "cpu":
        return f"a build of torch for CUDA {mine.cuda}"
    if mine.cuda and theirs.cuda and mine.cuda.partition(".")[0] != theirs.cuda.partition(".")[0]:
        return f"a build of torch for CUDA {mine.cuda.partition('.')[0]}"
    abi = matrix.cxx11(torch.name, known, theirs.line, platform)
    if mine.cxx11 is not None and abi is not None and mine.cxx11 != abi:
        return f"a build of torch with the {'new' if mine.cxx11 else 'old'} C++ ABI"
    return ""


def asked_of_label(mine: Built) -> str:
    """What a build label asks of torch, in words."""
    parts = [f"torch {mine.torch}" if mine.torch else "", f"CUDA {mine.cuda}" if mine.cuda else ""]
    if mine.cxx11 is not None:
        parts.append(f"the {'new' if mine.cxx11 else 'old'} C++ ABI")
    return ", ".join(part for part in parts if part)


def capability(text: str) -> tuple[int, int] | None:
    """(8, 9) of `8.9`; None of AMD's names."""
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None


def _gpu(gpu: tuple[str, str]) -> str:
    name, runs = gpu
    return name if name.startswith("sm_") else f"{name} (sm_{runs.replace('.', '')})"
