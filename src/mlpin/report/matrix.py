"""Rules and figures of the matrix as text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from mlpin.matrix.rule import LABEL, SAME, Rule
from mlpin.matrix.tables import Supplied, Wheels
from mlpin.report.wrap import WIDTH, wrapped

_FACTS = {
    "gpu": "a GPU of compute capability",
    "python": "Python",
    "cuda": "the host's CUDA",
    "cudnn": "the host's cuDNN",
}


def said(rule: Rule, versions: str, wanted: str) -> str:
    """What one row of a rule says."""
    mine = f"{rule.package} {versions}".strip()
    if rule.verb == "kernels":
        return f"{mine} has code for {' '.join(rule.kernels)}"
    if wanted == SAME:
        return f"{mine} needs the same release of {rule.other}"
    if wanted == LABEL:
        return f"{mine} needs the {rule.other} that its build label names"
    other = _FACTS.get(rule.other, rule.other) if wanted or rule.other != "gpu" else "a GPU"
    return f"{mine} {'fails with' if rule.verb == 'fails' else 'needs'} {other} {wanted}".strip()


def age(date: str, today: dt.date) -> str:
    """How old a source is: `25d`, `11mo`, `7y`."""
    days = max((today - dt.date.fromisoformat(date)).days, 0)
    return f"{days}d" if days < 60 else f"{days // 30}mo" if days < 730 else f"{days // 365}y"


def line(rule: Rule, today: dt.date, *, off: bool = False) -> str:
    """A rule in one line of the terminal's width."""
    more = f" (and {len(rule.table) - 1} more)" if len(rule.table) > 1 else ""
    state = "off" if off else rule.severity
    text = f"{state:<8} {age(rule.date, today):>4} {rule.id}: {said(rule, *rule.table[0])}{more}"
    return (text if len(text) <= WIDTH else text[: WIDTH - 1] + "…") + "\n"


def rule(found: Rule, today: dt.date, off: str | None = None) -> str:
    """Everything about a rule; `off` is the reason why it is switched off."""
    marks = [found.severity, *(["steers"] if found.steer else []), *(["switched off"] if off is not None else [])]
    lines = [f"{found.id}  [{', '.join(marks)}]"]
    for versions, wanted in found.table:
        lines += wrapped(said(found, versions, wanted), "  ", "      ")
    conditions = {
        "switched off": off or "",
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
    lines.append(f"  evidence: {found.evidence}, {found.date} ({age(found.date, today)} old)")
    return "\n".join(lines) + "\n\n"


def files(releases: Sequence[Wheels], today: dt.date) -> str:
    """The release files of a package that no index lists."""
    lines = [f"{releases[0].package}  [release files that no index lists]"]
    for one in releases:
        count = f"{len(one.files)} file{'s' * (len(one.files) != 1)}"
        lines += wrapped(f"{one.version}: {count} at {one.url}", "  ", "      ")
        lines += _sources(one, today)
    return "\n".join(lines) + "\n\n"


def metadata(supplied: Sequence[Supplied], today: dt.date) -> str:
    """The metadata of releases that have none which can be read."""
    lines = [f"{supplied[0].package}  [metadata for releases that publish none]"]
    for one in supplied:
        python = f"; Python {one.requires_python}" if one.requires_python else ""
        requires = f"needs {', '.join(one.requires)}" if one.requires else "needs nothing"
        lines += wrapped(f"{one.versions or 'every release'} {requires}{python}", "  ", "      ")
        lines += _sources(one, today)
    return "\n".join(lines) + "\n\n"


def _sources(entry: Wheels | Supplied, today: dt.date) -> list[str]:
    lines = [line for source in entry.source for line in wrapped(source, "    source: ", "        ")]
    return [*lines, f"    date: {entry.date} ({age(entry.date, today)} old)"]


def stats(value: Mapping[str, Any], today: dt.date) -> str:
    """The figures of the matrix."""
    counts = {
        name: ", ".join(f"{count} {key}" for key, count in value[name].items()) for name in ("severity", "evidence")
    }
    old = f" ({age(value['oldest'], today)} old)" if value["oldest"] else ""
    lines = [
        f"matrix of {value['version']} ({value['digest'][:19]}…)",
        f"  {value['rules']} rules about {value['packages']} packages: {counts['severity']}",
        f"  evidence: {counts['evidence']}",
        f"  sources by year: {', '.join(f'{year}: {count}' for year, count in value['sources_of'].items())}",
        f"  oldest source: {value['oldest']}{old}",
        f"  {value['build_lines']} build lines, {value['gpus']} names of GPUs, {value['release_files']} release files",
    ]
    for name, reason in value["switched_off"].items():
        lines += wrapped(f"switched off: {name} ({reason})", "  ", "      ")
    return "\n".join(lines) + "\n"
