"""Dependency specifiers (PEP 508) as text: into a `Declared`, and markers combined and negated.

The common form `name[extras]>=1,<2; python_version < "3.9"` is read by one strict expression, since
importing `packaging.requirements` costs more than reading a whole project. Everything else, errors
included, is left to `packaging`; both ways give the same value for the same text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mlpin.errors import InputError
from mlpin.manifest.source_text import redacted
from mlpin.requirement import Declared, Origin, normalise

NAME = r"[A-Za-z0-9]++(?:[._-]++[A-Za-z0-9]++)*+"
# possessive throughout, so that a line of a megabyte costs no more than its length
_RELEASE = r"[0-9]{1,18}(?:\.[0-9]{1,18})"
_SUFFIX = r"(?:(?:a|b|rc|\.post|\.dev)[0-9]{1,18})?"
_CLAUSE = (
    rf"(?:(?:==|!=)[ \t]*+{_RELEASE}*(?:\.\*|{_SUFFIX}\+[a-z0-9]+(?:\.[a-z0-9]+)*)"
    rf"|(?:==|!=|>=|<=|<|>)[ \t]*+{_RELEASE}*{_SUFFIX}"
    rf"|~=[ \t]*+{_RELEASE}+{_SUFFIX})"
)
_CLAUSES = rf"{_CLAUSE}(?:[ \t]*+,[ \t]*+{_CLAUSE})*"
_ITEM = (
    r"(?:python_version|python_full_version|sys_platform|platform_system|platform_machine|os_name"
    r"|platform_python_implementation|implementation_name)"
    r"[ \t]*+(?:==|!=|<=|>=|<|>)[ \t]*+(?:'[A-Za-z0-9._-]+'|\"[A-Za-z0-9._-]+\")"
)
# Compiled when they are first needed: most projects need the first one only.
_SIMPLE = re.compile(
    rf"[ \t]*+(?P<name>{NAME})[ \t]*+(?:\[[ \t]*+(?P<extras>{NAME}(?:[ \t]*+,[ \t]*+{NAME})*)?[ \t]*+\])?"
    rf"[ \t]*+(?P<specifier>{_CLAUSES})?"
    rf"[ \t]*+(?:;[ \t]*+(?P<marker>{_ITEM}(?:[ \t]++(?:and|or)[ \t]++{_ITEM})*))?[ \t]*+"
)
_SPECIFIER = rf"[ \t]*+(?:{_CLAUSES})?[ \t]*+"
_MARKER = rf"[ \t]*+{_ITEM}(?:[ \t]++(?:and|or)[ \t]++{_ITEM})*[ \t]*+"
_MARKER_PARTS = r"""([a-z_]+)[ \t]*(==|!=|<=|>=|<|>)[ \t]*['"]([^'"]+)['"]|\b(and|or)\b"""
_TOO_MANY_DIGITS = r"[0-9]{400}"


def declared(text: str, origin: Origin, *, bases: Sequence[Path]) -> Declared:
    """The requirement that `text` is; `InputError` at `origin` where it is none.

    `bases` are the directories that a relative path in a direct reference is looked for in.
    """
    found = _SIMPLE.fullmatch(text)
    if found is None or _may_repeat(found["specifier"] or ""):
        return _by_packaging(text, origin, bases)
    extras = found["extras"]
    return Declared(
        name=normalise(found["name"]),
        origin=origin,
        extras=_names(extras.split(",")) if extras else (),
        specifier=_joined(found["specifier"] or ""),
        marker=_simple_marker(found["marker"] or ""),
    )


def specifier(text: str, origin: Origin, *, what: str = "version specifier") -> str:
    """`text` as PEP 440 has it; `InputError` at `origin` where it is no specifier."""
    if re.fullmatch(_SPECIFIER, text) and not _may_repeat(text):
        return _joined(text)
    from packaging.specifiers import SpecifierSet

    try:
        found = str(SpecifierSet(text))
    except ValueError as error:
        raise InputError(f"`{text}` is not a {what}: {_reason(error)}", where=origin.place) from None
    _sane(found, origin)
    return found


def marker(text: str, origin: Origin) -> str:
    """`text` as PEP 508 writes markers; `InputError` at `origin` where it is none."""
    if not text.strip():
        return ""
    if re.fullmatch(_MARKER, text):
        return _simple_marker(text)
    from packaging.markers import InvalidMarker, Marker

    try:
        return str(Marker(text))
    except (InvalidMarker, RecursionError) as error:
        raise InputError(f"`{text}` is not an environment marker: {_reason(error)}", where=origin.place) from None


def both(first: str, second: str) -> str:
    """The marker that holds where both hold. An empty one always holds."""
    if not first or not second or first == second:
        return first or second
    return " and ".join(f"({part})" if " or " in part else part for part in (first, second))


def either(markers: Sequence[str]) -> str:
    """The marker that holds where any of `markers` does; empty (always) if one of them is."""
    unique = list(dict.fromkeys(markers))
    if not unique or "" in unique:
        return ""
    return " or ".join(unique)


def with_marker(requirement: Declared, text: str) -> Declared:
    """`requirement`, only where the marker `text` holds too."""
    return requirement._replace(marker=both(text, requirement.marker)) if text else requirement


_EXTRA = r"""(?:(?P<rest>.+) and )?extra == (?P<quote>['"])(?P<name>[^'"]+)(?P=quote)"""


def without_extra(text: str) -> tuple[str | None, str]:
    """A marker of metadata as (what else it says, the normalised extra that it is for).

    The extra is empty where the marker has none; the rest is None where it cannot be told apart.
    """
    if "extra" not in text:
        return text, ""
    found = re.fullmatch(_EXTRA, text, re.DOTALL)
    rest = (found["rest"] or "") if found else ""
    if found is None or "extra" in rest:
        return None, ""
    if rest.startswith("(") and rest.endswith(")") and rest.count("(") == 1:
        rest = rest[1:-1]
    elif " or " in rest and not rest.startswith("("):
        return None, ""  # `a or b and extra`: the extra binds to b alone
    return rest, normalise(found["name"])


_MARKER_WORDS = r"""[ \t]*(\(|\)|'[^']*'|"[^"]*"|~=|===|==|!=|<=|>=|<|>|not[ \t]+in\b|[a-z_.]+)"""
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "in": "not in", "not in": "in"}


def negated(text: str) -> str:
    """The marker that holds exactly where `text`, a valid marker, does not (De Morgan).

    Raises `ValueError` where PEP 508 has no opposite: `~=` and `===`.
    """
    tokens = [re.sub(r"\s+", " ", token) for token in re.findall(_MARKER_WORDS, text)]
    result, rest = _negated_or(tokens, 0)
    if rest != len(tokens):
        raise ValueError(f"`{text}` is not an environment marker")
    return result


def _negated_or(tokens: list[str], at: int) -> tuple[str, int]:
    part, at = _negated_and(tokens, at)
    parts = [part]
    while at < len(tokens) and tokens[at] == "or":
        part, at = _negated_and(tokens, at + 1)
        parts.append(part)
    if len(parts) == 1:
        return part, at
    return " and ".join(f"({part})" if " or " in part else part for part in parts), at


def _negated_and(tokens: list[str], at: int) -> tuple[str, int]:
    part, at = _negated_item(tokens, at)
    parts = [part]
    while at < len(tokens) and tokens[at] == "and":
        part, at = _negated_item(tokens, at + 1)
        parts.append(part)
    # `and` binds more strongly than `or`, so parts need no brackets
    return " or ".join(parts), at


def _negated_item(tokens: list[str], at: int) -> tuple[str, int]:
    if at < len(tokens) and tokens[at] == "(":
        part, at = _negated_or(tokens, at + 1)
        return part, at + 1
    left, operator, right = (*tokens[at : at + 3], "", "", "")[:3]
    if operator not in _OPPOSITE:
        raise ValueError(f"`{operator}` in a marker has no opposite")
    return f"{left} {_OPPOSITE[operator]} {right}", at + 3


def _names(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({normalise(text.strip()) for text in texts}))


def _may_repeat(clauses: str) -> bool:
    """Whether two clauses could be the same in other words (`==1,==1.0`), which `packaging` makes one."""
    operators = re.findall(r"[<>=!~]+", clauses)
    return len(set(operators)) < len(operators)


def _joined(clauses: str) -> str:
    """Clauses as `packaging` writes a set of them."""
    return ",".join(sorted({re.sub(r"[ \t]+", "", clause) for clause in clauses.split(",")}))


def _simple_marker(text: str) -> str:
    return " ".join(
        word or f'{variable} {operator} "{value}"'
        for variable, operator, value, word in re.findall(_MARKER_PARTS, text)
    )


def _by_packaging(text: str, origin: Origin, bases: Sequence[Path]) -> Declared:
    from packaging.requirements import Requirement

    try:
        found = Requirement(text.strip())
    except (ValueError, RecursionError) as error:
        raise _not_a_requirement(text, error, origin) from None
    written = str(found.specifier)
    _sane(written, origin)
    result = Declared(
        name=normalise(found.name),
        origin=origin,
        extras=_names(sorted(found.extras)),
        specifier=written,
        marker=str(found.marker) if found.marker else "",
    )
    if not found.url:
        return result
    from mlpin.manifest.links import link

    try:
        target = link(found.url, bases=bases)
    except ValueError as error:
        raise InputError(f"the URL of `{result.name}` cannot be used: {error}", where=origin.place) from None
    if target.name and target.name != result.name and not target.from_egg:
        raise InputError(f"`{result.name}` points to a file of `{target.name}`", where=origin.place)
    return result._replace(source=target.source, hashes=target.hashes)


def _sane(written: str, origin: Origin) -> None:
    if re.search(_TOO_MANY_DIGITS, written):
        raise InputError("holds a version number that is too long to be one", where=origin.place)


def _reason(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    reason = redacted(str(error).partition("\n")[0])
    return reason[:1].lower() + reason[1:]


def _not_a_requirement(text: str, error: Exception, origin: Origin) -> InputError:
    hint = None
    line = text.strip()
    if re.match(rf"{NAME}[ \t]*+(\[[^\]]*\])?[ \t]*+=[^=]", line):
        hint = "`=` is how conda writes it; in a Python requirement it is `==`"
    elif re.match(rf"{NAME}[ \t]++[0-9]", line):
        hint = "write the version with an operator, such as `name==1.2`"
    elif line.endswith("\\"):
        hint = "there is a space after the backslash, so the line is not continued"
    elif re.search(r"[<>][0-9.]+\.\*|(~=|>=|<=)[ \t]*[0-9.]+\*", line):
        hint = "`.*` is only possible after `==` and `!=`"
    shown = origin.text or redacted(line)
    if len(shown) > 200:
        shown = shown[:197] + "…"
    return InputError(f"`{shown}` is not a requirement: {_reason(error)}", where=origin.place, hint=hint)


def name_of(text: str) -> str:
    """The normalised name that a requirement begins with; empty where it begins with none."""
    found = re.match(rf"\s*({NAME})", text)
    return normalise(found[1]) if found else ""
