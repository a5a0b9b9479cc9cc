"""Drift as metrics, in the text format that node_exporter's textfile collector reads.

Gauges with few labels, all of them known beforehand: no package, version or file is one, since each new value would be
a new time series. Every kind of drift that a check can find is there with 0 where it did not, so that alerts end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mlpin.check.model import Checked
from mlpin.report.checked_words import SEVERITIES, fails, kinds
from mlpin.report.words import visible

_HELP = {
    "mlpin_check_ok": "Whether this check found nothing that fails (1) or something (0).",
    "mlpin_drift": "Differences between the locks and what they were compared with.",
    "mlpin_locks": "Locks that were looked at.",
    "mlpin_locked_packages": "Packages in these locks.",
}


def text(found: Checked) -> str:
    """All metrics, without a time. `lock` is a label of each: several projects may be checked on one machine."""
    counts: Counter[tuple[str, str, str]] = Counter((one.check, one.kind, one.severity) for one in found.drift)
    failed = {one.check for one in found.drift if fails(one, found)}
    checks = dict.fromkeys([*found.checks, *(check for check, _ in kinds(found))])
    common = {"lock": " ".join(found.locks)} if found.locks else {}
    values: dict[str, list[tuple[dict[str, str], int]]] = {
        "mlpin_check_ok": [({"check": check}, int(check not in failed)) for check in checks],
        "mlpin_drift": [
            ({"check": check, "kind": kind, "severity": severity}, counts[check, kind, severity])
            for check, kind in kinds(found)
            for severity in SEVERITIES
        ],
        "mlpin_locks": [({}, len(found.locks))],
        "mlpin_locked_packages": [({}, found.packages)],
    }
    lines = []
    for name, samples in values.items():
        lines += [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(common | labels)} {value}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    said = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{said}}}" if said else ""


def _escaped(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace('"', '\\"')
