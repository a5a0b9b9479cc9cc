"""What differs between locks as JSON, for `mlpin diff` and, where it stands in more, for `mlpin lock`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mlpin.lock.difference import Alarm, Difference, PackageChange
from mlpin.report.diffed import Compared
from mlpin.report.words import visible


def data(found: Sequence[Compared]) -> str:
    """The whole comparison. `ok` is false where a file kept its name and not its bytes."""
    value = {"ok": not any(one.alarms for one in found), "locks": [_compared(one) for one in found]}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _compared(one: Compared) -> dict[str, Any]:
    differs = one.difference or Difference()
    status = "changed" if differs.any else "same" if one.difference else "added" if one.new else "removed"
    return {
        "status": status,
        "old": visible(one.shown[0]) if one.old else None,
        "new": visible(one.shown[1]) if one.new else None,
        "packages": {
            "old": len(one.old.packages) + len(one.old.conda) if one.old else None,
            "new": len(one.new.packages) + len(one.new.conda) if one.new else None,
        },
        "changes": changes(differs.changes),
        **meaning(differs),
    }


def meaning(found: Difference) -> dict[str, Any]:
    """`alarms` and `meaning`."""
    told: list[dict[str, Any]] = []
    for one in found.meanings:
        gpus = {"gained": list(one.gained), "lost": list(one.lost)} if one.kind == "gpus" else {}
        told.append({"kind": one.kind, "old": one.old or None, "new": one.new or None, **gpus})
    if size := found.download:
        unknown = {"old": size.unknown[0], "new": size.unknown[1]}
        told.append(
            {
                "kind": "download",
                "old": size.old,
                "new": size.new,
                "delta": size.delta,
                "packages_without_size": unknown,
            }
        )
    return {"alarms": [_alarm(alarm) for alarm in found.alarms], "meaning": told}


def changes(found: Sequence[PackageChange]) -> list[dict[str, Any]]:
    """One object for each package."""
    return [_change(change) for change in found]


def _change(change: PackageChange) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "package": change.name,
        "conda": change.conda,
        "old": change.old or None,
        "new": change.new or None,
        "marker": change.marker or None,
        "details": [{"kind": one.kind, "old": one.old or None, "new": one.new or None} for one in change.details],
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    indexes = {"old": alarm.indexes[0], "new": alarm.indexes[1]} if alarm.indexes else None
    return {
        "kind": "hash-changed",
        "package": alarm.package,
        "version": alarm.version,
        "file": alarm.file,
        "algorithm": alarm.algorithm,
        "old": alarm.old,
        "new": alarm.new,
        "index": indexes,
    }
