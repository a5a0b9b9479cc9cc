"""The result of `mlpin lock` as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mlpin.errors import MlpinError
from mlpin.explain.model import Explanation
from mlpin.outcome import Conflict, Edge, GaveUp, Resolution
from mlpin.pipeline import LockResult, TargetResult
from mlpin.report import explained_data


def lock(result: LockResult, shown: Sequence[str], explanations: Sequence[Explanation] = ()) -> str:
    """The whole result; `outcome` is `locked`, `unchanged`, `conflict` or `gave-up`."""
    targets = [_target(target, file) for target, file in zip(result.targets, shown, strict=True)]
    outcomes = [target["outcome"] for target in targets]
    worst = next((kind for kind in ("conflict", "gave-up", "locked") if kind in outcomes), "unchanged")
    return _dumps(
        {
            "outcome": worst,
            "manifest": result.project.manifest.path.name,
            "passed_over": list(result.project.passed_over),
            "targets": targets,
            "notes": [{"message": note.message, "place": note.origin.place} for note in result.notes],
            "explanations": [explained_data.explanation(one) for one in explanations],
            "local_only": list(result.local_only),
            "requests": result.requests,
            "seconds": round(result.seconds, 3),
        }
    )


def error(problem: MlpinError) -> str:
    """An error as JSON."""
    return _dumps(
        {
            "outcome": "error",
            "kind": problem.kind,
            "message": problem.message,
            "where": problem.where,
            "notes": list(problem.notes),
            "hint": problem.hint,
        }
    )


def _target(target: TargetResult, file: str) -> dict[str, Any]:
    plan, outcome = target.plan, target.outcome
    machine = explained_data.target(plan.target)
    found: dict[str, Any] = {"target": machine.pop("name"), **machine, "file": file}
    if outcome is None:
        return found | {"outcome": "unchanged", "count": target.packages}
    if isinstance(outcome, Resolution):
        pins = outcome.packages.values()
        return found | {
            "outcome": "locked",
            "count": target.packages,
            "packages": [{"name": pin.name, "version": str(pin.version)} for pin in pins],
            "changes": [
                {"kind": one.kind, "name": one.name, "old": one.old or None, "new": one.new or None, "why": one.why}
                for one in target.changes
            ],
            **_difference(target),
            "notes": [{"package": package, "message": message} for package, message in target.notes],
        }
    if isinstance(outcome, GaveUp):
        return found | {
            "outcome": "gave-up",
            "rounds": outcome.rounds,
            "clash": [_edge(edge) for edge in outcome.clash],
        }
    assert isinstance(outcome, Conflict)
    return found | {
        "outcome": "conflict",
        "clash": [_edge(edge) for edge in outcome.clash],
    }


def _difference(target: TargetResult) -> dict[str, Any]:
    """What else differs from the old lock, as `mlpin diff` has it, and what that means."""
    if target.difference is None:
        return {"other_changes": [], "alarms": [], "meaning": []}
    from mlpin.report import diffed_data

    others = diffed_data.changes(target.other_changes)
    return {"other_changes": others, **diffed_data.meaning(target.difference)}


def _edge(edge: Edge) -> dict[str, Any]:
    origin, rule = edge.requirement.origin, getattr(edge.requirement, "rule", None)
    return {
        "requirement": str(edge.requirement),
        "parent": str(edge.parent) if edge.parent else None,
        "file": origin.file or None,
        "line": origin.line or None,
        "text": origin.text or None,
        "rule": {
            "id": rule.id,
            "severity": rule.severity,
            "symptom": rule.symptom or None,
            "remedy": rule.remedy or None,
            "source": list(rule.source),
            "evidence": rule.evidence,
            "date": rule.date,
        }
        if rule
        else None,
    }


def _dumps(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
