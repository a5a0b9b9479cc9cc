"""Many versions in few words: which releases, and what all of them ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from mlpin.resolver.requirements import specifier

if TYPE_CHECKING:
    from packaging.version import Version

_ORDER = ("===", "==", "~=", ">=", ">", "<=", "<", "!=")
_SPELLED = 3
"""So many different ranges are told one by one."""


def which(versions: Iterable[Version]) -> str:
    """`2.4.0`, `2.3.1 and 2.4.0`, `0.15.1 to 0.20.1 (14 versions)`."""
    found = sorted(set(versions))
    if len(found) == 1:
        return str(found[0])
    if len(found) == 2:
        return f"{found[0]} and {found[1]}"
    return f"{found[0]} to {found[-1]} ({len(found)} versions)"


def needs(asked: Sequence[tuple[Version, str]], name: str, there: Sequence[Version], rivals: Sequence[str]) -> str:
    """What releases of a package ask of `name`, after their own name: `2.4.0 needs torch==2.5.0`.

    `asked` has the specifier of each release, `there` are the versions that exist, `rivals` the specifiers that others
    have for `name`: what is said in short must still exclude them.
    """
    asked = [(version, brief(text, there, rivals)) for version, text in asked]
    texts: dict[str, list[Version]] = {}
    for version, text in asked:
        texts.setdefault(text, []).append(version)
    if len(texts) <= _SPELLED:
        parts = [f"{which(versions)} {_verb(versions)} {name}{text}" for text, versions in texts.items()]
        return "; ".join(parts)
    versions = [version for version, _ in asked]
    joined = _joined(texts)
    if joined is not None and len(joined) < 40:
        return f"{which(versions)} {_verb(versions)} {name}{joined}"
    wanted = sorted(one for one in there if any(specifier(text).contains(one) for text in texts))
    if not wanted:
        return f"{which(versions)} each need a {name} that does not exist"
    ours = [one for one in there if wanted[0] <= one <= wanted[-1]]
    each = "another one each" if not any(_admits(rivals, one) for one in ours) else f"none of them {name}{rivals[0]}"
    return f"{which(versions)} {_verb(versions)} {name} {wanted[0].public} to {wanted[-1].public}, {each}"


def brief(text: str, there: Sequence[Version], rivals: Sequence[str]) -> str:
    """A specifier in its usual order, without exclusions that have no part in a clash with `rivals`."""
    from packaging.specifiers import SpecifierSet

    clauses = list(SpecifierSet(text))
    joined = SpecifierSet(text, prereleases=True).to_range().to_specifier_set()
    if joined is not None and len(joined) < len(clauses):
        clauses = list(joined)
    clauses.sort(key=lambda one: (_ORDER.index(one.operator), str(one.version)))
    short = ",".join(str(one) for one in clauses if one.operator != "!=")
    if short and not any(specifier(short).contains(one) and _admits(rivals, one) for one in there):
        return short
    return ",".join(map(str, clauses))


def _verb(versions: Sequence[Version]) -> str:
    return "needs" if len(set(versions)) == 1 else "need"


def _admits(rivals: Sequence[str], version: Version) -> bool:
    return all(specifier(text).contains(version) for text in rivals)


def _joined(texts: Iterable[str]) -> str | None:
    """The union of specifiers as one, if there is one that says it exactly."""
    from packaging.specifiers import SpecifierSet

    # Pre-releases are judged by their place alone, as everywhere in a solve: one policy for all.
    ranges = [SpecifierSet(text, prereleases=True).to_range() for text in texts]
    found = reduce(lambda one, other: one | other, ranges).to_specifier_set()
    return None if found is None else str(found)
