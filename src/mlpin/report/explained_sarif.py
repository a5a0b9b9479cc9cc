"""An explanation as SARIF 2.1.0, for code scanning.

One result a clash. Its location is the first line of the clash and the others are related to it: a change of any one
of them may mend it. A fix would need the column that a line starts in, which nobody knows here; the repairs stand in
the message and under `properties`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from mlpin.explain.model import Clash, Explanation, Premise, Repair
from mlpin.report import explained_data, explained_markdown
from mlpin.report.explained_words import ADDRESS, certainty, clashing, heading, moved, moves, place, web
from mlpin.report.sarif import document, kind, location, plain, uri
from mlpin.report.words import visible

_KINDS = {
    "unsatisfiable": ("UnsatisfiableRequirements", "error", "Requirements that cannot be solved together on a target."),
    "gave-up": (
        "NoSolutionFound",
        "warning",
        "Requirements for which neither a solution nor a proof of a conflict was found.",
    ),
}
_SHOWN = 3
_BRACKET = re.compile(r"[][\\]")
_ESCAPED = r"\\\g<0>"


def explained(found: Sequence[Explanation], *, manifest: str = "", folder: str = "") -> str:
    """One run with a result for each clash of each target; none where all can be solved.

    `manifest` is where a clash is shown that has no line in any file: code scanning refuses a whole report for one
    result without a place. `folder` is the project's own one, as the root of the sources sees it.
    """
    results, told = [], []
    for one in found:
        results += [_result(clash, one, manifest, folder) for clash in one.clashes]
        told += [*([] if one.clashes else [heading(one)]), *one.notes]
    return document("explain", _rules(found), results, told)


def _rules(found: Sequence[Explanation]) -> list[dict[str, Any]]:
    """The kinds of clash, then the rules of the matrix that any clash names."""
    advice = "mlpin explain shows the reason and the repairs that were re-solved."
    kinds = [kind(rule, name, text, advice, level) for rule, (name, level, text) in _KINDS.items()]
    return [*kinds, *(_rule(name, told) for name, told in sorted(_told(found).items()) if name not in _KINDS)]


class _Told(NamedTuple):
    """What the clashes say of a rule of the matrix."""

    text: str
    sources: list[str]
    symptoms: list[str]


def _told(found: Sequence[Explanation]) -> dict[str, _Told]:
    rules: dict[str, _Told] = {}
    clashes = [clash for one in found for clash in one.clashes]
    for premise in (premise for clash in clashes for premise in clash.premises if premise.kind == "rule"):
        rules.setdefault(premise.about, _Told(premise.text, [], [])).sources.extend(premise.source)
    for link in (link for clash in clashes for link in clash.links if link.rule):
        told = rules.setdefault(link.rule, _Told(link.text, [], []))
        told.sources.extend(link.source)
        told.symptoms.extend([link.symptom] if link.symptom else [])
    return rules


def _rule(name: str, told: _Told) -> dict[str, Any]:
    about = [f"Symptom: {one}." for one in dict.fromkeys(told.symptoms)]
    about += [f"Source: {one}" for one in dict.fromkeys(told.sources)]
    addresses, _ = web(told.sources)
    return {
        "id": visible(name),
        "shortDescription": {"text": plain(f"Rule {name} of the compatibility matrix.")},
        "fullDescription": {"text": f"{plain(told.text)}."},
        "help": {"text": "\n".join(map(plain, about)) or "A rule of the compatibility matrix."},
        "defaultConfiguration": {"level": "error"},
        **({"helpUri": quote(addresses[0], safe=ADDRESS)} if addresses else {}),
    }


def _result(clash: Clash, one: Explanation, manifest: str, folder: str) -> dict[str, Any]:
    spots = [(premise, file) for premise in clash.premises if (file := uri(premise.file, folder))]
    places = [location(file, premise.line, f"{premise.kind}: {premise.text}") for premise, file in spots]
    if not places and (file := uri(manifest, folder)):
        places = [location(file, 0, "No line of a file is part of the clash.")]
    numbers = {premise: number for number, (premise, _) in enumerate(spots[1:], 1)}
    markdown = [*explained_markdown.section(clash, one), *explained_markdown.repairs(one, pinned=False)]
    rule = "gave-up" if one.status == "gave-up" else "unsatisfiable"
    told = json.dumps([one.target.name, *([p.kind, p.about, p.text] for p in clash.premises)])
    return {
        "ruleId": rule,
        "ruleIndex": list(_KINDS).index(rule),
        "level": _KINDS[rule][1],
        "message": {"text": "\n".join(_message(clash, one, numbers)), "markdown": "\n\n".join(markdown)},
        "locations": places[:1],
        "relatedLocations": [{"id": number, **place} for number, place in enumerate(places[1:], 1)],
        "partialFingerprints": {"mlpinClash/v1": hashlib.sha256(told.encode()).hexdigest()},
        "properties": {
            "target": one.target.name,
            "minimal": clash.minimal,
            "rules": sorted({link.rule for link in clash.links if link.rule}),
            "repairs": [_without_pins(option) for option in one.repairs],
        },
    }


def _message(clash: Clash, one: Explanation, numbers: dict[Premise, int]) -> list[str]:
    whose = f" for {one.target.name}" if one.target.name else ""
    stuck = "not solved" if one.status == "gave-up" else clashing(clash)
    lines = [f"{plain(f'{stuck[0].upper()}{stuck[1:]}{whose} ({one.target})')}."]
    for premise in clash.premises:
        where = plain(place(premise) or premise.kind)
        if premise in numbers:
            where = f"[{_BRACKET.sub(_ESCAPED, where)}]({numbers[premise]})"
        lines.append(f"- {where}: {plain(premise.text)}")
    lines += [f"{step}. {plain(link.text)}." for step, link in enumerate(clash.links, 1)]
    lines.append(plain(certainty(clash, one)))
    for number, option in enumerate(one.repairs[:_SHOWN], 1):
        edits = "; ".join(
            f"{place(edit)}: {edit.old or '(nothing)'} → {edit.new or '(nothing)'}" for edit in option.edits
        )
        cost = ", ".join(map(moved, moves(option)))
        lines.append(plain(f"Repair {number}: {edits}" + (f" ({cost})" if cost else "")))
    return lines


def _without_pins(option: Repair) -> dict[str, Any]:
    return {key: value for key, value in explained_data.repair(option).items() if key != "pins"}
