"""What a person reads: the summary of a lock, a conflict, an error. Functions return text and print nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpin.candidate import Candidate, Key, Rejection
from mlpin.errors import MlpinError
from mlpin.index.names import version
from mlpin.index.url import redacted
from mlpin.outcome import Conflict, Edge, GaveUp
from mlpin.pipeline import LockResult, TargetResult
from mlpin.report.wrap import wrapped
from mlpin.resolver.requirements import PythonRange, Specified, Specifier, Unusable
from mlpin.resolver.rules import Present, Ruled, cited

if TYPE_CHECKING:
    from mlpin.matrix.rule import Rule
    from mlpin.requirement import Requirement

_LABEL = re.compile(r"\+(cpu|cu\d{2,3}|rocm[\d.]+)\b")
_SHOWN = 12
_REASONS = 4
_CHANGES = 25


def error(problem: MlpinError) -> str:
    """An error as it is printed: what, where, what else is known, the way out."""
    lines = wrapped(str(problem), "error: ", "  ")
    for note in problem.notes:
        lines += wrapped(note, "  note: ", "        ")
    if problem.hint:
        lines += wrapped(problem.hint, "  hint: ", "        ")
    return "\n".join(lines) + "\n"


def summary(result: LockResult, shown: Sequence[str], *, verbose: bool = False) -> str:
    """What was locked, what changed and why. `shown` are the lock files as messages name them."""
    lines: list[str] = []
    project = result.project
    lines.append(
        f"Read {result.project.manifest.inputs[0].name if project.manifest.inputs else project.manifest.path.name}"
        + (f" (not read: {', '.join(project.passed_over)})" if project.passed_over else "")
    )
    for note in result.notes:
        lines += wrapped(f"{note.origin.place}: {note.message}", "note: ", "  ")
    for target, file in zip(result.targets, shown, strict=True):
        lines += _target(target, file, verbose)
    if result.local_only:
        names = ", ".join(result.local_only[:6]) + (" …" if len(result.local_only) > 6 else "")
        lines += wrapped(
            f"{_packages(len(result.local_only))} locked from files of this machine ({names}): "
            "this lock installs here only. "
            "The index or find-links that they come from is configured for pip or uv on this machine; "
            "`extra-index-urls = []` and `find-links = []` in [tool.mlpin] leave such places out.",
            "note: ",
            "  ",
        )
    asked = f", {result.requests} requests" if result.requests else ""
    lines.append(f"Done in {result.seconds:.2f} s{asked}")
    return "\n".join(lines) + "\n"


def _packages(count: int) -> str:
    return "1 package" if count == 1 else f"{count} packages"


def _target(target: TargetResult, file: str, verbose: bool) -> list[str]:
    plan = target.plan
    name = f"{plan.target.name}: " if plan.target.name else ""
    if target.outcome is None:
        return [f"{name}{file} is up to date: {_packages(target.packages)} for {plan.target}"]
    lines = [f"{name}{_packages(target.packages)} for {plan.target}"]
    if plan.detected:
        lines[-1] += f" ({' and '.join(plan.detected)} detected)"
    shown = target.changes if verbose else target.changes[:_CHANGES]
    for change in shown:
        if change.kind == "added":
            text = f"+ {change.name} {change.new}"
        elif change.kind == "removed":
            text = f"- {change.name} {change.old}"
        else:
            text = f"~ {change.name} {change.old} -> {change.new}"
        lines += wrapped(f"{text}  ({change.why})", "  ", "      ")
    if len(shown) < len(target.changes):
        lines.append(f"  ({len(target.changes) - len(shown)} more changes: --verbose shows all)")
    for package, note in target.notes:
        lines += wrapped(f"{package}: {note}", "  ! ", "    ")
    if verbose and target.fresh and target.outcome is not None:
        pins = getattr(target.outcome, "pins", {})
        lines += [
            f"  {pin.name} {pin.version}" for key, pin in sorted(pins.items()) if key.kind == "pypi" and not key.extra
        ]
    done = "wrote" if target.fresh else "rewrote" if target.changes else "no package changed; rewrote"
    lines.append(f"  {done} {file}")
    return lines


def conflict(target: TargetResult, indexes: Sequence[str] = ()) -> str:
    """A refusal: the requirements that clash, where each comes from, and versions that were not offered.

    `indexes` are those that were asked.
    """
    found = target.outcome
    name = f" for `{target.plan.target.name}`" if target.plan.target.name else ""
    if isinstance(found, GaveUp):
        lines = [f"gave up{name} after {found.rounds} steps: neither a solution nor a proof that there is none"]
        lines += _edges(found.clash, {})
        lines += wrapped(
            "pin one of the packages above more tightly, so that less has to be tried", "  hint: ", "        "
        )
        return "\n".join(lines) + "\n"
    assert isinstance(found, Conflict)
    these = "these cannot be installed together" if len(found.clash) > 1 else "nothing satisfies this"
    lines = wrapped(f"conflict{name}: {these} on {target.plan.target}", "", "  ")
    lines += _edges(found.clash, found.chains)
    for unknown in found.unknown:
        lines += wrapped(
            f"{unknown} is on none of the indexes ({', '.join(indexes)}); is the name right?", "  ! ", "    "
        )
    lines += _not_offered(found)
    lines += _there_is(found, indexes, target.plan.target.hardware.accelerator)
    lines.append("No lock was changed.")
    return "\n".join(lines) + "\n"


def _edges(clash: Sequence[Edge], chains: dict[Key, Edge] | object) -> list[str]:
    known = chains if isinstance(chains, dict) else {}
    groups: dict[tuple[str, str], list[Candidate]] = {}
    rules: dict[tuple[str, str], Rule] = {}
    lines: list[str] = []
    for edge in clash:
        told = edge
        if isinstance(edge.requirement, Present) and edge.parent is not None:
            # That a package is there: the user's own line says it best.
            came = known.get(edge.parent.key)
            told = came if came is not None and came.parent is None else edge
        if told.parent is None:
            line = f"  {_own_line(told.requirement)}"
            if line not in lines:
                lines.append(line)
            continue
        mark = (str(told.parent.key), _asks(told.requirement))
        groups.setdefault(mark, []).append(told.parent)
        if isinstance(told.requirement, Ruled):
            rules[mark] = told.requirement.rule
    if len(groups) > _SHOWN:
        lines.append(f"  ({len(groups) - _SHOWN} more of this kind)")
    for (parent, asks), parents in list(groups.items())[:_SHOWN]:
        versions = sorted({candidate.version for candidate in parents})
        which = str(versions[0]) if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"
        lines += wrapped(f"{parent} {which} {asks}", "  ", "      ")
        if rule := rules.get((parent, asks)):
            lines += wrapped(cited(rule), "      ", "      ")
        chain = _chain(parents[0].key, known)
        if chain:
            lines += wrapped(chain, "      ", "      ")
    return lines


def _own_line(requirement: Requirement) -> str:
    origin = requirement.origin
    text = origin.text or str(requirement)
    return f"{origin.place}  {text}"


def _asks(requirement: Requirement) -> str:
    if isinstance(requirement, Unusable):
        return f"cannot be used: {requirement.reason}" + (f" ({requirement.remedy})" if requirement.remedy else "")
    if isinstance(requirement, Present):
        return "comes in"
    if isinstance(requirement, Ruled):
        symptom = f": {requirement.rule.symptom}" if requirement.rule.symptom else ""
        return requirement.said + symptom
    if isinstance(requirement, PythonRange):
        return f"needs Python {requirement.specifier.text}"
    return f"needs {requirement}"


def _chain(key: Key, chains: dict[Key, Edge]) -> str:
    parts: list[str] = []
    at: Key | None = key
    while at is not None and at in chains and len(parts) < 8:
        edge = chains[at]
        if edge.parent is None:
            parts.append(_own_line(edge.requirement).strip())
            at = None
        else:
            parts.append(f"{edge.parent.name} {edge.parent.version}")
            at = edge.parent.key
    return "asked for by " + ", by ".join(parts) if parts else ""


def _there_is(found: Conflict, indexes: Sequence[str], accelerator: str) -> list[str]:
    """What there is of a name of which no version at all is what one line asks for."""
    lines: list[str] = []
    for seen in found.seen:
        asked = {
            edge.requirement.specifier.text: edge.requirement.specifier
            for edge in found.clash
            if isinstance(edge.requirement, Specified) and edge.requirement.key.name == seen.name
        }
        if not any(not any(one.contains(version(text)) for text in seen.versions) for one in asked.values()):
            continue
        ends = dict.fromkeys((seen.versions[-1], seen.versions[0])) if seen.versions else {}
        which = f", {' to '.join(ends)}" if ends else ""
        said = f"{seen.name} on {redacted(seen.index)}: {_versions(len(seen.versions))}{which}"
        if len(indexes) > 1:
            said += "; the other indexes are asked only for names that this one does not have (--index-strategy)"
        lines += wrapped(said, "  ! ", "    ")
        label = next((match[1] for text in asked if (match := _LABEL.search(text))), "")
        if label and not accelerator:
            kind = label if label == "cpu" else "rocm" if label.startswith("rocm") else "cuda"
            builds = f"builds labelled +{label} are on the vendor's index, which is asked with `--accelerator {kind}`"
            lines += wrapped(f"{builds} (or `accelerator` in the target)", "  ! ", "    ")
    return lines


def _versions(count: int) -> str:
    return "1 version" if count == 1 else f"{count or 'no'} versions"


def _not_offered(found: Conflict) -> list[str]:
    """Versions that the clash asks for, that exist and were not offered, the reasons grouped."""
    asked: dict[str, list[Specifier]] = {}
    for edge in found.clash:
        if isinstance(edge.requirement, Specified):
            asked.setdefault(edge.requirement.key.name, []).append(edge.requirement.specifier)
    groups: dict[tuple[str, str], list[Rejection]] = {}
    for rejection in found.rejections:
        if all(one.contains(version(rejection.version)) for one in asked.get(rejection.name, ())):
            groups.setdefault((rejection.name, rejection.reason), []).append(rejection)
    lines: list[str] = []
    # What the hardware or a rule takes away is seldom known; the rest is the index's everyday.
    told = sorted(groups.items(), key=lambda item: item[1][0].kind not in {"rule", "line"})
    for (name, reason), group in told[:_REASONS]:
        which = group[0].version
        if len(group) > 1:
            which = f"{group[-1].version} to {which} ({len(group)} versions)"
        remedy = f"; what would help: {group[0].remedy}" if group[0].remedy else ""
        lines += wrapped(f"not offered: {name} {which}: {reason}{remedy}", "  ", "      ")
    if len(groups) > _REASONS:
        more = sum(len(group) for _, group in told[_REASONS:])
        lines.append(f"  not offered: {more} older versions, for like reasons")
    return lines
