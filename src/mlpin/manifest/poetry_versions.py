"""Version constraints in Poetry's language (`^1.2`, `~1.2`, `1.*`, `>=1 <2 || 3.*`) as PEP 440 and PEP 508 text.

What cannot be said there is a `ValueError` with the reason.
"""

from __future__ import annotations

import re

_CLAUSE = re.compile(r"(\^|~=|~|===|==|=|!=|<>|>=|<=|>|<)?\s*(\*|v?[0-9][^\s,|]*)")
_RELEASE = re.compile(r"v?([0-9]+(?:\.[0-9]+)*)(.*)")
_OR = re.compile(r"\s*\|\|?\s*")

Clause = tuple[str, str]
"""An operator of PEP 440 and a version."""


def specifier(text: str) -> str:
    """The constraint as a PEP 440 specifier; `ValueError` where it has arms that leave a gap."""
    arms = _merged([_arm(arm) for arm in _OR.split(text.strip())])
    if len(arms) > 1:
        raise ValueError("`||` with a gap between its arms cannot be written as a version specifier (PEP 440)")
    return _written(arms[0])


def requires_python(text: str) -> str:
    """The constraint on Python. Arms that hold only for Python 2 are left out; `3.10` means any patch of it."""
    arms = []
    for raw in _OR.split(text.strip()):
        arm = [_any_patch(*clause) for clause in _arm(raw)]
        old = any(operator in ("==", "<", "<=", "~=") and _numbers(version)[0] < 3 for operator, version in arm)
        if not old and ("<", "3") not in arm:
            arms.append(arm)
    merged = _merged(arms) if arms else []
    if len(merged) != 1:
        raise ValueError("`||` with a gap between its arms cannot be written as a range of Python versions")
    return _written(merged[0])


def _any_patch(operator: str, version: str) -> Clause:
    minor = operator == "==" and re.fullmatch(r"[0-9]+\.[0-9]+", version)
    return (operator, f"{version}.*" if minor else version)


def python_marker(text: str) -> str:
    """The constraint on Python as an environment marker; empty where it says nothing."""
    arms = [" and ".join(_marker(*clause) for clause in _arm(arm)) for arm in _OR.split(text.strip())]
    return "" if "" in arms else " or ".join(dict.fromkeys(arms))


def platform_marker(text: str) -> str:
    """Poetry's `platform` (`linux`, `!=win32`, `darwin || linux`) as a marker on `sys_platform`."""
    arms = []
    for arm in _OR.split(text.strip()):
        items = []
        for part in filter(None, re.split(r"\s*,\s*|\s+(?=[=!])", arm)):
            found = re.fullmatch(r"(==|!=|=)?\s*['\"]?([A-Za-z0-9_]+)['\"]?", part)
            if found is None:
                raise ValueError(f"`{part}` is not a platform")
            items.append(f'sys_platform {"!=" if found[1] == "!=" else "=="} "{found[2]}"')
        arms.append(" and ".join(items))
    return "" if "" in arms else " or ".join(arms)


def _arm(text: str) -> list[Clause]:
    """The clauses of one arm, which all hold."""
    if _CLAUSE.sub("", text).strip(" ,\t"):
        raise ValueError(f"`{text}` is not a version constraint that Poetry has")
    return [clause for operator, version in _CLAUSE.findall(text) for clause in _clauses(operator, version)]


def _clauses(operator: str, version: str) -> list[Clause]:
    if version == "*":
        return []
    wildcard = re.fullmatch(r"v?([0-9]+(?:\.[0-9]+)*)(?:\.[xX*])+", version)
    if wildcard:
        if operator in ("", "=", "=="):
            return [("==", f"{wildcard[1]}.*")]
        if operator in ("!=", "<>"):
            return [("!=", f"{wildcard[1]}.*")]
        version = wildcard[1]
    version = version.removeprefix("v")
    if operator in ("^", "~"):
        numbers = _numbers(version)
        if operator == "^":
            at = next((position for position, number in enumerate(numbers) if number), len(numbers) - 1)
        else:
            at = min(1, len(numbers) - 1)
        upper = [*numbers[:at], numbers[at] + 1]
        return [(">=", version), ("<", ".".join(map(str, upper)))]
    return [({"": "==", "=": "==", "<>": "!="}.get(operator, operator), version)]


def _numbers(version: str) -> list[int]:
    found = _RELEASE.match(version)
    if found is None:
        raise ValueError(f"`{version}` is not a version")
    return [int(part[:18]) for part in found[1].split(".")]


def _written(arm: list[Clause]) -> str:
    return ",".join(operator + version for operator, version in arm)


def _merged(arms: list[list[Clause]]) -> list[list[Clause]]:
    """Arms of the form `>=a,<b` that touch or overlap as one; other arms as they are."""
    if len(arms) == 1 or any(not arm for arm in arms):
        return [arms[0]] if len(arms) == 1 else [[]]
    ranges: list[tuple[list[int], str, list[int] | None, str]] = []
    for arm in arms:
        bounds = dict(arm)
        if len(arm) == 1 and arm[0][0] == "==" and arm[0][1].endswith(".*"):
            numbers = _numbers(arm[0][1])
            bounds = {">=": arm[0][1][:-2], "<": ".".join(map(str, [*numbers[:-1], numbers[-1] + 1]))}
        if not {">="} <= bounds.keys() <= {">=", "<"} or len(bounds) != max(len(arm), len(bounds)):
            return arms
        upper = bounds.get("<")
        ranges.append((_numbers(bounds[">="]), bounds[">="], _numbers(upper) if upper else None, upper or ""))
    ranges.sort(key=lambda entry: _padded(entry[0]))
    merged = [ranges[0]]
    for entry in ranges[1:]:
        last = merged[-1]
        if last[2] is None:
            continue
        if _padded(entry[0]) > _padded(last[2]):
            merged.append(entry)
        elif entry[2] is None or _padded(entry[2]) > _padded(last[2]):
            merged[-1] = (last[0], last[1], entry[2], entry[3])
    return [[(">=", low), *([("<", high)] if high else [])] for _, low, _, high in merged]


def _padded(numbers: list[int]) -> tuple[int, ...]:
    return (*numbers, *[0] * (8 - len(numbers)))


def _marker(operator: str, version: str) -> str:
    if version.endswith(".*"):
        numbers = _numbers(version)
        if len(numbers) == 2:
            return f'python_version {operator} "{version[:-2]}"'
        upper = ".".join(map(str, [*numbers[:-1], numbers[-1] + 1]))
        variable = "python_version" if len(numbers) < 2 else "python_full_version"
        if operator == "!=":
            return f'({variable} < "{version[:-2]}" or {variable} >= "{upper}")'
        return f'{variable} >= "{version[:-2]}" and {variable} < "{upper}"'
    variable = "python_version" if re.fullmatch(r"[0-9]+(\.[0-9]+)?", version) else "python_full_version"
    return f'{variable} {operator} "{version}"'
