"""Which environment markers hold where a stack is looked at.

`extra`, `extras` and `dependency_groups` are answered from a set of chosen names before `packaging` sees the
rest, since in a lock several of them hold at once.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from mlpin.errors import InputError
from mlpin.requirement import normalise
from mlpin.stack.gathered import printable
from mlpin.stack.model import Where
from mlpin.target import Target, parse_platform

DEFAULT_PLATFORM = "linux-x86_64"
DEFAULT_PYTHON = "3.11"
"""For a text that says nothing of Python."""
_MINORS = range(7, 31)

_CHOICE = re.compile(
    r"""\bextra\s*(?P<equal>==|!=)\s*(?P<q>['"])(?P<extra>[^'"]*)(?P=q)"""
    r"""|(?P<p>['"])(?P<name>[^'"]*)(?P=p)\s+(?P<not>not\s+)?in\s+(?:extras|dependency_groups)\b"""
)
_TRUE, _FALSE = "python_version >= '0'", "python_version < '0'"


def target_for(where: Where, ranges: str = "", place: str = "") -> Target:
    """What is known of the machine; for the rest Linux, and the lowest Python that a lock allows (PEP 440 ranges)."""
    python = where.python or (_lowest(ranges, place) if ranges else DEFAULT_PYTHON)
    return Target("", python, parse_platform(where.platform or DEFAULT_PLATFORM))


def _lowest(ranges: str, where: str) -> str:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    try:
        allowed = SpecifierSet(ranges)
        named = [Version(one.version.removesuffix(".*")) for one in allowed if one.operator != "==="]
        known = [version for version in named if version.major == 3 and not version.is_prerelease]
        for version in sorted({*known, *(Version(f"3.{minor}") for minor in _MINORS)}):
            if version.minor in _MINORS and allowed.contains(version):
                return f"3.{version.minor}.{version.micro}" if version.micro else f"3.{version.minor}"
    except ValueError:
        raise InputError(f"`{printable(ranges)}` is not a range of Python versions", where=where) from None
    return DEFAULT_PYTHON


class Markers:
    """The markers of one text, on one target."""

    def __init__(self, target: Target) -> None:
        self.environment = {**target.markers, "extra": ""}
        self._known: dict[str, bool] = {}

    def hold(self, text: str, where: str, chosen: Collection[str] = ()) -> bool:
        """Whether a marker holds, with `chosen` as the extras and groups. Raises `InputError` where it is none."""

        def choice(found: re.Match[str]) -> str:
            name = found["extra"] if found["equal"] else found["name"]
            wanted = found["equal"] == "==" if found["equal"] else not found["not"]
            return _TRUE if (name in chosen or normalise(name) in chosen) == wanted else _FALSE

        if not text.strip():
            return True
        plain = _CHOICE.sub(choice, text) if "extra" in text or "dependency_groups" in text else text
        known = self._known.get(plain)
        if known is None:
            known = self._known[plain] = self._evaluated(plain, text, where)
        return known

    def _evaluated(self, plain: str, text: str, where: str) -> bool:
        from packaging.markers import Marker

        try:
            return Marker(plain).evaluate(self.environment)
        except (ValueError, RecursionError):
            raise InputError(f"`{printable(text)}` is not an environment marker", where=where) from None
