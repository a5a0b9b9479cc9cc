"""Findings of the matrix as a person and as a program reads them."""

from __future__ import annotations

import json
from typing import Any

from mlpin.audit import Audit
from mlpin.matrix.judge import Facts, Finding
from mlpin.report.words import counted
from mlpin.report.wrap import wrapped

SEVERITIES = ("broken", "declared", "untested")
_SKIPPED = 10


def sentence(finding: Finding) -> str:
    """What a finding says."""
    name, version = finding.packages[0]
    return f"{name} {version} {finding.against}"


def text(found: Audit, *, quiet: bool = False) -> str:
    """The whole verdict. `quiet` shows what is broken alone."""
    facts, stack = found.facts, found.stack
    lines = wrapped(f"{stack.source}: {counted(found.total, 'package')}, {found.known} known to the matrix", "", "  ")
    lines += wrapped(f"on {machine(facts)}", "", "  ")
    for finding in found.findings:
        rule = finding.rule
        if quiet and rule.severity != "broken":
            continue
        lines += ["", *wrapped(sentence(finding), f"{rule.severity}: ", "  ")]
        if rule.symptom:
            lines += wrapped(rule.symptom, "  symptom: ", "           ")
        if rule.remedy:
            lines += wrapped(rule.remedy, "  remedy: ", "          ")
        lines += wrapped("; ".join(rule.source), f"  rule {rule.id} ({rule.evidence}, {rule.date}): ", "    ")
    if stack.skipped and not quiet:
        lines.append("")
        for skipped in stack.skipped[:_SKIPPED]:
            place = f"{stack.source}:{skipped.line}: " if skipped.line else ""
            lines += wrapped(f"{place}{skipped.text}: {skipped.reason}", "not judged: ", "  ")
        if len(stack.skipped) > _SKIPPED:
            lines.append(f"not judged: {len(stack.skipped) - _SKIPPED} more")
    counts = [sum(one.rule.severity == severity for one in found.findings) for severity in SEVERITIES]
    told = ", ".join(f"{count} {severity}" for count, severity in zip(counts, SEVERITIES, strict=True) if count)
    unknown = found.total - found.known
    lines += [
        "",
        (told or "no findings") + (f"; of {counted(unknown, 'package')} the matrix knows nothing" if unknown else ""),
    ]
    return "\n".join(lines) + "\n"


def machine(facts: Facts) -> str:
    """The machine in words; what was not said is left out."""
    parts = [
        facts.platform,
        f"Python {facts.python}" if facts.python else "",
        f"glibc {facts.glibc}" if facts.glibc else "",
    ]
    parts += [facts.accelerator, f"driver {facts.driver}" if facts.driver else ""]
    parts += [" and ".join(name for name, _ in facts.gpus)]
    parts += [f"CUDA {facts.cuda}" if facts.cuda else "", f"cuDNN {facts.cudnn}" if facts.cudnn else ""]
    return ", ".join(part for part in parts if part)


def data(found: Audit) -> str:
    """The whole verdict as JSON."""
    facts = found.facts
    value = {
        "ok": not found.broken,
        "source": found.stack.source,
        "kind": found.stack.kind,
        "packages": found.total,
        "known": found.known,
        "machine": {
            "platform": facts.platform,
            "python": facts.python or None,
            "glibc": facts.glibc or None,
            "accelerator": facts.accelerator or None,
            "driver": facts.driver or None,
            "gpus": [name for name, _ in facts.gpus],
            "cuda": facts.cuda or None,
            "cudnn": facts.cudnn or None,
        },
        "findings": [finding_data(finding) for finding in found.findings],
        "not_judged": [{"text": one.text, "line": one.line, "reason": one.reason} for one in found.stack.skipped],
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def finding_data(finding: Finding) -> dict[str, Any]:
    """One finding as JSON."""
    rule = finding.rule
    return {
        "severity": rule.severity,
        "rule": rule.id,
        "message": sentence(finding),
        "packages": [{"name": name, "version": text} for name, text in finding.packages],
        "symptom": rule.symptom or None,
        "remedy": rule.remedy or None,
        "source": list(rule.source),
        "evidence": rule.evidence,
        "date": rule.date,
    }
