"""What the matrix says of a resolution: the rules that held, the hardware that it needs, what to know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mlpin.matrix.judge import Facts, Finding, Package, holding, judge, label_of, rows
from mlpin.matrix.labels import cuda_of
from mlpin.matrix.ranges import version

if TYPE_CHECKING:
    from mlpin.matrix.matrix import Matrix
    from mlpin.matrix.rule import Rule
    from mlpin.outcome import Resolution
    from mlpin.target import Target


class Verdict(NamedTuple):
    """For the lock and for the summary."""

    tables: Mapping[str, Any]
    rules: Mapping[str, Mapping[str, Any]]
    notes: Sequence[tuple[str, str]]
    """(package, what to know of it)."""


def verdict(matrix: Matrix, target: Target, resolution: Resolution) -> Verdict:
    """The matrix's verdict on what was resolved for a target."""
    pins = resolution.packages
    facts = Facts.of(target)
    packages = [Package(name, str(pin.version), bool(pin.wheels)) for name, pin in sorted(pins.items())]
    rules: dict[str, dict[str, Any]] = {}
    held = holding(matrix, packages, facts)
    families = {name for family in matrix.tables.families for name in family.packages}
    for package in packages:
        found: dict[str, Any] = {}
        if package.name in families and (line := label_of(matrix, package.name, package.version, facts.platform).line):
            found["line"] = line
        if package.name in held:
            found["rules"] = held[package.name]
        if found:
            rules[package.name] = found
    tables: dict[str, Any] = {"floor": _floor(matrix, packages, facts)}
    if rules or matrix.off:
        tables["matrix"] = {"version": matrix.version, "digest": matrix.digest}
        if matrix.off:
            tables["matrix"]["off"] = dict(sorted(matrix.off.items()))
    # What conda carries is judged with the rest; how conda built it is not what is known of wheels.
    carried = [Package(name, version, wheel=False) for name, version in sorted(resolution.carried.items())]
    notes = [_said(finding) for finding in judge(matrix, [*packages, *carried], facts)]
    notes += _beside_conda(matrix, packages, resolution, facts)
    return Verdict(tables, rules, [*notes, *_unknown(matrix, packages, facts)])


def _said(finding: Finding) -> tuple[str, str]:
    (name, text), rule = finding.packages[0], finding.rule
    symptom = f" ({rule.symptom})" if rule.symptom else ""
    return f"{name} {text}", f"{rule.severity}: {finding.against}{symptom} [{rule.id}]"


def _beside_conda(
    matrix: Matrix, packages: Sequence[Package], resolution: Resolution, facts: Facts
) -> Iterator[tuple[str, str]]:
    """What is not known of conda's build of the head of a family, and of wheels that are built for PyPI's."""
    for family in matrix.tables.families:
        head = family.packages[0]
        pin = next((one for key, one in resolution.pins.items() if one.carrier and key.name == head), None)
        record = resolution.conda.get(pin.carrier) if pin is not None else None
        if record is None:
            continue
        if facts.accelerator in {"cuda", "rocm"} and record.build.startswith("cpu"):
            yield record.shown, f"is a build for cpu, the target has {facts.accelerator}"
        for package in packages:
            if package.name in family.packages or matrix.wheels(package.name):
                said = f"untested: its wheel is built for PyPI's {head}, and {head} is conda's here ({record.shown})"
                yield f"{package.name} {package.version}", f"{said}; its CUDA or C++ ABI may differ"


def _unknown(matrix: Matrix, packages: Sequence[Package], facts: Facts) -> Iterator[tuple[str, str]]:
    """Builds that do not match the target's hardware, or of which the matrix knows nothing: not fine, untested."""
    if not facts.accelerator:
        return
    for name, runs in facts.gpus:
        driver, first = facts.driver, matrix.first_driver(runs)
        if driver and first and int(driver.partition(".")[0]) < int(first.partition(".")[0]):
            known = f"{name} is known to CUDA {matrix.first_cuda(runs)} and newer, which came with driver {first}"
            yield f"driver {driver}", f"untested: {known}; no older one may run it"
    heads = {family.packages[0] for family in matrix.tables.families}
    for package in packages:
        doubt = (_doubt if package.name in heads else _other_accelerator)(matrix, package, facts)
        if doubt:
            yield f"{package.name} {package.version}", doubt


def _other_accelerator(matrix: Matrix, package: Package, facts: Facts) -> str:
    """What to say of a build for another accelerator than that of the target; empty where it is none."""
    line = label_of(matrix, package.name, package.version, facts.platform).line
    if facts.accelerator in {"cuda", "rocm"} and line == "cpu":
        return "is a build for cpu: what it adds to torch does not run on the GPU"
    if facts.accelerator == "rocm" and cuda_of(line):
        return f"is a build for CUDA ({line}): it does not use the GPU"
    return ""


def _doubt(matrix: Matrix, package: Package, facts: Facts) -> str:
    """What speaks against taking a build as one for the target's accelerator; empty where nothing does."""
    line = label_of(matrix, package.name, package.version, facts.platform).line
    if facts.accelerator == "cpu":
        cuda = f"is a build for CUDA ({line}): it runs without a GPU; builds for cpu that go together were not found"
        return cuda if cuda_of(line) else ""
    if facts.accelerator == "metal":
        return "untested: which Macs its Metal backend runs on is not known to the matrix"
    if not line:
        return "untested: what it was built for is not known to the matrix"
    if facts.accelerator == "rocm":
        return f"untested: which GPUs and drivers its {line} build runs on is not known to the matrix"
    known = any(rule.verb == "kernels" and rows(rule, matrix, package, facts) for rule in matrix.rules(package.name))
    if facts.gpus and not known:
        return f"untested: for which GPUs its {line} build has code is not known to the matrix"
    return ""


def _floor(matrix: Matrix, packages: Sequence[Package], facts: Facts) -> dict[str, Any]:
    """What the locked builds need of the hardware: the oldest driver, the GPU code that they have."""
    driver, kernels = "", ""
    for package in packages:
        # What the build is, not what the target says: the floor is stated for a target without an accelerator too.
        seen = facts._replace(accelerator=facts.accelerator or "cuda")
        for rule in matrix.rules(package.name):
            if rule.severity != "broken" or not rule.of_target:
                continue
            for wanted in rows(rule, matrix, package, seen):
                if rule.other == "driver" and rule.verb == "needs" and (lowest := _lowest(wanted)):
                    known, new = version(driver or "0"), version(lowest)
                    if known is not None and new is not None and new > known:
                        driver = lowest
                elif rule.verb == "kernels" and not kernels:
                    kernels = _shown(rule)
    found = {}
    if driver:
        found["driver"] = driver
    if kernels:
        found["gpus"] = kernels
    return found


def _shown(rule: Rule) -> str:
    return " ".join(rule.kernels)


def _lowest(text: str) -> str:
    return next((part[2:].strip() for part in text.split(",") if part.startswith(">=")), "")
