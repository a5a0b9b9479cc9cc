"""What `mlpin check` found as JSON; `check.schema.json` beside this file describes it."""

from __future__ import annotations

import json
from typing import Any

from mlpin.check.model import Checked, Drift


def text(found: Checked) -> str:
    """The whole report."""
    told = json.dumps(data(found), indent=2, ensure_ascii=False) + "\n"
    # Half of a surrogate pair cannot be written, and comes out as what JSON reads as one.
    return told.encode(errors="backslashreplace").decode()


def data(found: Checked) -> dict[str, Any]:
    """The report as values; what is not known is null."""
    return {
        "ok": found.ok,
        "strict": found.strict,
        "checks": list(found.checks),
        "locks": list(found.locks),
        "packages": found.packages,
        "counts": {
            f"{severity}s": sum(one.severity == severity for one in found.drift)
            for severity in ("error", "warning", "note")
        },
        "drift": [_drift(one) for one in found.drift],
        **_fleet(found),
    }


def _fleet(found: Checked) -> dict[str, Any]:
    if found.fleet is None:
        return {}
    from mlpin.report import fleet

    return {"fleet": fleet.data(found.fleet)}


def _drift(one: Drift) -> dict[str, Any]:
    return {key: value if value not in ("", 0) else None for key, value in one._asdict().items()}
