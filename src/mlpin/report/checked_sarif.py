"""Drift as SARIF 2.1.0, for code scanning. A rule is a kind of drift, a result one difference."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import Any

from mlpin.check.model import Checked, Drift
from mlpin.report import sarif
from mlpin.report.checked_words import described, headline, looked_at
from mlpin.report.words import visible

_ADVICE = "mlpin check --help says what is compared with what. mlpin lock makes a lock that fits the manifest."


def text(found: Checked) -> str:
    """One run: the kinds of drift that were found as rules, and a result for each drift.

    A drift that has no place below the root of the sources is shown at the first line of the lock: code scanning
    refuses a whole report for one result without a place.
    """
    rules = {_id(one): _rule(one) for one in sorted(found.drift)}
    numbers = {name: number for number, name in enumerate(rules)}
    lock = next((place for name in found.locks if (place := sarif.uri(name))), "")
    seen: Counter[str] = Counter()
    results = [_result(one, numbers, lock, seen) for one in found.drift]
    return sarif.document("check", [*rules.values()], results, [headline(found), f"Compared: {looked_at(found)}"])


def _id(one: Drift) -> str:
    return visible(f"{one.check}/{one.kind}")


def _rule(one: Drift) -> dict[str, Any]:
    title = "".join(word.capitalize() for word in re.findall("[A-Za-z]{2,}", f"{one.check} {one.kind}"))
    return sarif.kind(_id(one), title, f"{sarif.plain(described(one.check, one.kind))}.", _ADVICE, "error")


def _result(one: Drift, numbers: dict[str, int], lock: str, seen: Counter[str]) -> dict[str, Any]:
    place = sarif.uri(one.file)
    lines = [f"{sarif.plain(one.message)}."]
    lines += [f"At {sarif.plain(one.place)}."] if one.place and not place else []
    lines += [f"Hint: {sarif.plain(one.hint)}"] if one.hint else []
    spot = [sarif.location(place, one.line)] if place else [sarif.location(lock, 0)] if lock else []
    rule = _id(one)
    facts = {"package": one.package, "expected": one.expected, "found": one.found}
    return {
        "ruleId": rule,
        "ruleIndex": numbers[rule],
        "level": one.severity,
        "message": {"text": "\n".join(lines)},
        "locations": spot,
        "partialFingerprints": {"mlpinDrift/v1": _fingerprint(one, seen)},
        "properties": {name: visible(value) for name, value in facts.items() if value},
    }


def _fingerprint(one: Drift, seen: Counter[str]) -> str:
    """The same for as long as the same is wrong, wherever its line moves and however it is worded."""
    said = json.dumps([one.check, one.kind, one.package, one.expected, one.found, one.file])
    seen[said] += 1
    return hashlib.sha256(f"{said} {seen[said]}".encode()).hexdigest()
