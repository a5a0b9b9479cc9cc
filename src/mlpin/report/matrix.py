"""Rules and figures of the matrix as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlpin.matrix.rule import LABEL, SAME, Rule
from mlpin.report.wrap import WIDTH, wrapped


def said(rule: Rule, versions: str, wanted: str) -> str:
    """What one row of a rule says."""
    mine = f"{rule.package} {versions}".strip()
    if rule.verb == "kernels":
        return f"{mine} has code for {' '.join(rule.kernels)}"
    if wanted == SAME:
        return f"{mine} needs the same release of {rule.other}"
    if wanted == LABEL:
        return f"{mine} needs the {rule.other} that its build label names"
    if rule.verb == "fails":
        return f"{mine} fails with {rule.other} {wanted}".strip()
    return f"{mine} needs {rule.other} {wanted}".strip()


def line(rule: Rule) -> str:
    """A rule in one line of the terminal's width."""
    more = f" (and {len(rule.table) - 1} more)" if len(rule.table) > 1 else ""
    text = f"{rule.severity:<9} {rule.id}: {said(rule, *rule.table[0])}{more}"
    return (text if len(text) <= WIDTH else text[: WIDTH - 1] + "…") + "\n"


def rule(found: Rule) -> str:
    """Everything about a rule."""
    lines = [f"{found.id}  [{found.severity}{', steers' if found.steer else ''}]"]
    for versions, wanted in found.table:
        lines += wrapped(said(found, versions, wanted), "  ", "      ")
    conditions = {
        "builds": ", ".join(found.line),
        "platforms": ", ".join(found.platforms),
        "Python": found.python,
        "accelerator": found.accelerator,
        "holds for": "wheels of indexes only" if found.wheels_only else "",
        "unless": "both have the same version" if found.unless_same_version else "",
        "symptom": found.symptom,
        "remedy": found.remedy,
        "note": found.note,
    }
    for name, value in conditions.items():
        if value:
            lines += wrapped(value, f"  {name}: ", "      ")
    for source in found.source:
        lines += wrapped(source, "  source: ", "      ")
    lines.append(f"  evidence: {found.evidence}, {found.date}")
    return "\n".join(lines) + "\n\n"


def stats(value: Mapping[str, Any]) -> str:
    """The figures of the matrix."""
    counts = {
        name: ", ".join(f"{count} {key}" for key, count in value[name].items()) for name in ("severity", "evidence")
    }
    lines = [
        f"matrix of {value['version']} ({value['digest'][:19]}…)",
        f"  {value['rules']} rules about {value['packages']} packages: {counts['severity']}",
        f"  evidence: {counts['evidence']}",
        f"  sources by year: {', '.join(f'{year}: {count}' for year, count in value['sources_of'].items())}",
        f"  oldest source: {value['oldest']}",
        f"  {value['build_lines']} build lines, {value['gpus']} names of GPUs, {value['release_files']} release files",
    ]
    for name, reason in value["switched_off"].items():
        lines += wrapped(f"switched off: {name} ({reason})", "  ", "      ")
    return "\n".join(lines) + "\n"
