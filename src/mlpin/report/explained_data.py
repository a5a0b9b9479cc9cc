"""An explanation as JSON, after the schema in `explain.schema.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mlpin.explain.model import Clash, Explanation, Link, Premise, Repair
from mlpin.report.explained_words import outcome
from mlpin.target import Target

SCHEMA = "mlpin-explain/1"


def explained(found: Sequence[Explanation]) -> str:
    """The explanations of all targets: the first one at the top level, the others under `targets`."""
    value = {"schema": SCHEMA, "outcome": outcome(found)}
    if found:
        value |= explanation(found[0])
    return json.dumps(value | {"targets": [explanation(one) for one in found[1:]]}, indent=2, ensure_ascii=False) + "\n"


def explanation(one: Explanation) -> dict[str, Any]:
    """One explanation as the schema has it."""
    first, *further = one.clashes or (Clash((), (), minimal=False),)
    return {
        "status": one.status,
        "target": target(one.target),
        **_clash(first),
        "further": [_clash(clash) for clash in further],
        "more_clashes": one.more,
        "repairs": [repair(option) for option in one.repairs],
        "finished": one.finished,
        "tried": one.tried,
        "others": dict(sorted(one.others.items())),
        "notes": list(one.notes),
    }


def target(one: Target) -> dict[str, Any]:
    """A target by its fields."""
    hardware = one.hardware
    return {
        "name": one.name,
        "python": one.python,
        "platform": one.platform.name,
        "glibc": one.platform.glibc or None,
        "hardware": {
            "accelerator": hardware.accelerator or None,
            "driver": hardware.driver or None,
            "gpus": [{"name": name, "runs": runs} for name, runs in hardware.gpus],
            "cuda": hardware.cuda or None,
        },
    }


def _clash(clash: Clash) -> dict[str, Any]:
    return {
        "clash": [*(_premise(premise) for premise in clash.premises), *(_link(link) for link in clash.links)],
        "minimal": clash.minimal,
    }


def _premise(premise: Premise) -> dict[str, Any]:
    rule = premise.about if premise.kind == "rule" else None
    return {
        "role": "premise",
        "kind": premise.kind,
        "text": premise.text,
        "file": premise.file or None,
        "line": premise.line or None,
        "place": premise.place,
        "about": premise.about,
        "ends": [],
        "evidence": {"grade": premise.evidence, "rule": rule, "source": list(premise.source), "symptom": None}
        if premise.evidence
        else None,
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "role": "link",
        "kind": link.kind,
        "text": link.text,
        "file": None,
        "line": None,
        "place": "",
        "about": link.start,
        "ends": list(link.ends),
        "evidence": {
            "grade": link.evidence,
            "rule": link.rule or None,
            "source": list(link.source),
            "symptom": link.symptom or None,
        },
    }


def repair(option: Repair) -> dict[str, Any]:
    """One repair as JSON."""
    return {
        "edits": [
            {
                "file": edit.file or None,
                "line": edit.line or None,
                "old": edit.old or None,
                "new": edit.new or None,
                "place": edit.place,
            }
            for edit in option.edits
        ],
        "shown": list(option.shown),
        "pins": dict(sorted(option.pins.items())),
        "cost": [{"name": move.name, "old": move.old or None, "new": move.new or None} for move in option.cost],
        "notes": list(option.notes),
    }
