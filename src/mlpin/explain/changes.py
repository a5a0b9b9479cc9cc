"""What could be changed to get out of a clash: for each premise the nearest values in each direction, as questions.

Distributions and the target stand here, conda packages in `conda_changes`. A probe lets one premise go in one
direction; what the answer then takes says what the line would become.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from mlpin.candidate import distribution
from mlpin.explain import conda_changes
from mlpin.explain.premises import Elsewhere, Item
from mlpin.explain.probing import Change, Probe, apart, changed, with_line, with_value
from mlpin.index.names import version
from mlpin.resolver.requirements import specifier

if TYPE_CHECKING:
    from packaging.specifiers import Specifier
    from packaging.version import Version

    from mlpin.conda.record import CondaRecord
    from mlpin.outcome import Resolution
    from mlpin.requirement import Declared
    from mlpin.resolving import Question

_PYTHONS = range(8, 15)
_GLIBCS = (17, 24, 27, 28, 31, 34, 35, 36, 38, 39)
"""glibc 2.x of widespread distributions and of the manylinux images: CentOS 7 to Ubuntu 24.04."""


def written(line: Declared) -> str:
    """A requirement in PEP 508's form, without its marker; a MatchSpec for a conda package."""
    if line.conda:
        return line.conda
    extras = f"[{','.join(line.extras)}]" if line.extras else ""
    return f"{line.name}{extras}{line.specifier}"


class Stock(Protocol):
    """What there is to change to."""

    def versions(self, name: str) -> Sequence[Version]:
        """Those of a distribution, newest first."""
        ...

    def records(self, name: str) -> Sequence[CondaRecord]:
        """The builds of a conda package that are offered, best first."""
        ...

    def wished(self, name: str) -> Sequence[str]:
        """What conda packages ask of another one, as MatchSpecs."""
        ...


def probes(item: Item, question: Question, stock: Stock, names: Collection[str]) -> Iterator[Probe]:
    """The directions in which a premise can go, the nearest first.

    `names` are the packages whose lines take part.
    """
    if item.declared is not None and item.declared.conda:
        yield from conda_changes.of_line(item, item.declared, question, stock.records(item.name))
        if (fact := conda_changes.fact_of(item.name, question)) is not None:
            yield from _of_virtual(item.declared.conda, Item("target", fact), question, stock)
    elif item.declared is not None:
        yield from _of_line(item, item.declared, stock.versions)
    elif item.kind == "target" and item.name == "python":
        yield from _of_python(item, question)
    elif item.kind == "target" and item.name == "glibc":
        mine = question.target.platform.release
        newer = [f"2.{minor}" for minor in _GLIBCS if (2, minor) > mine]
        yield from (_to(item, value, 140 + far, "newer") for far, value in enumerate(newer))
    elif item.kind == "target" and item.name == "driver":
        yield from (_to(item, value, 300 + far, "newer") for far, value in enumerate(_drivers(question)))
    elif item.kind == "target" and item.name == "cuda":
        yield _to(item, "", 120, "any")
    elif item.name == "exclude-newer":
        yield Probe(
            item,
            lambda asked: with_value(asked, "exclude-newer", ""),
            lambda found: _until(item, found, names),
            "later",
        )
    elif question.policy.channels:
        yield from conda_changes.of_fact(item, question, stock.wished)


def _of_virtual(line: str, fact: Item, question: Question, stock: Stock) -> Iterator[Probe]:
    """What a line on a virtual package wants is said by a fact of the target: its probes."""
    if fact.name.startswith("__"):
        yield from conda_changes.of_fact(fact, question, lambda name: [line, *stock.wished(name)])
    else:
        yield from probes(fact, question, stock, ())


# -- lines


def _of_line(item: Item, line: Declared, there: Callable[[str], Sequence[Version]]) -> Iterator[Probe]:
    wanted = specifier(line.specifier)
    if line.specifier and not isinstance(line.source, Elsewhere):
        known = list(there(line.name))
        clauses = list(_clauses(line.specifier))
        inside = [one for one in known if wanted.contains(one)] or [
            version(one.version.removesuffix(".*")) for one in clauses
        ]
        low, high = version(min(inside).public), version(max(inside).public)
        if wanted.exact and any("+" in one.version for one in clauses):
            yield _moved(item, line, f"=={low}", low)
        if any(one < low for one in known):
            yield _moved(item, line, f"<{low}", low)
        if any(one > high for one in known):
            yield _moved(item, line, f">{high}", high, lowest=wanted.exact)
    for extra in line.extras:
        less = line._replace(extras=tuple(one for one in line.extras if one != extra))
        yield _without_extra(item, less, extra)


def _without_extra(item: Item, line: Declared, extra: str) -> Probe:
    change = Change(item, line, distance=180)
    return Probe(item, lambda asked: changed(asked, [change]), lambda _: change, f"without {extra}")


def _moved(item: Item, line: Declared, probe: str, old: Version, *, lowest: bool = False) -> Probe:
    """A line whose version goes to what `probe` admits; `old` is the nearest version that it admits now."""

    def ask(question: Question) -> Question:
        asked = with_line(question, item, line._replace(specifier=probe))
        if lowest:
            asked = asked._replace(policy=asked.policy._replace(lowest=asked.policy.lowest | {line.name}))
        return asked

    def then(found: Resolution) -> Change | None:
        pin = found.pins.get(distribution(line.name))
        if pin is None or (pin.version.is_prerelease and not specifier(line.specifier).names_prerelease):
            return None
        new = line._replace(specifier=respecified(line.specifier, pin.version))
        return Change(item, new, distance=apart(old.release, pin.version.release))

    def closer(question: Question, change: Change) -> Question:
        assert change.declared is not None
        there = version(next(iter(_clauses(change.declared.specifier))).version).public
        bound = f"<{there}" if probe.startswith(">") else f">{there}"
        return with_line(question, item, line._replace(specifier=f"{probe},{bound}"))

    easier = (lambda question: with_line(question, item, line._replace(specifier=probe))) if lowest else None
    pinned = specifier(line.specifier).exact and probe[:1] in "<>"
    return Probe(item, ask, then, probe[:1], easier, closer if pinned else None)


def _clauses(text: str) -> Iterable[Specifier]:
    from packaging.specifiers import SpecifierSet

    return sorted(SpecifierSet(text), key=lambda one: text.find(str(one.version)))


def respecified(text: str, new: Version) -> str:
    """The specifier as its author would write it to admit a version: a pin moves, a bound that is in the way goes.

    A lower bound above the version comes down to it; an upper bound below it is dropped, and so is an exclusion.
    """
    kept = []
    for clause in _clauses(text):
        old = str(clause.version)
        parts = len(version(old.removesuffix(".*")).release)
        if clause.contains(new, prereleases=True):
            kept.append(str(clause))
        elif old.endswith(".*") and clause.operator == "==":
            kept.append(f"=={'.'.join(map(str, new.release[:parts]))}.*")
        elif clause.operator in {"==", "==="}:
            kept.append(f"{clause.operator}{new if '+' in old else new.public}")
        elif clause.operator == "~=":
            kept.append(f"~={'.'.join(map(str, (*new.release, 0, 0)[: max(2, parts)]))}")
        elif clause.operator in {">=", ">"} and new <= version(old):
            kept.append(f">={new.public}")
    return ",".join(kept)


# -- facts and options


def _to(item: Item, value: str, distance: int, direction: str) -> Probe:
    return Probe(
        item,
        lambda asked: with_value(asked, item.name, value),
        lambda _: Change(item, value=value, distance=distance),
        direction,
    )


def _of_python(item: Item, question: Question) -> Iterator[Probe]:
    minor = question.target.minor[1]
    for other in sorted(_PYTHONS, key=lambda one: (abs(one - minor), one)):
        if other != minor:
            yield _to(item, f"3.{other}", 150 + 10 * abs(other - minor), "newer" if other > minor else "older")


def _drivers(question: Question) -> list[str]:
    """The drivers newer than the target's that some CUDA version asks for, the oldest first."""
    kind = question.target.platform.kind
    floors = {question.matrix.driver_floor(one.cuda, kind)[0] for one in question.matrix.tables.toolkits}
    mine = version(question.target.hardware.driver)
    return sorted((floor for floor in floors if floor and version(floor) > mine), key=version)


def _until(item: Item, found: Resolution, names: Collection[str]) -> Change | None:
    """The cutoff just late enough for what was taken of some packages without one."""
    from datetime import datetime, timedelta

    times = [
        min(file.upload_time for file in files)
        for pin in found.pins.values()
        if pin.name in names
        if (files := [file for file in (*pin.wheels, *filter(None, [pin.sdist])) if file.upload_time])
    ]
    if not times:
        return None
    day = (datetime.fromisoformat(max(times)) + timedelta(days=1)).date()
    return Change(item, value=f"{day}T00:00:00Z", distance=130)
