"""What could be changed of a conda package's line, of a virtual package and of how channels count: as probes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mlpin.conda.spec import match_spec, version
from mlpin.errors import InputError
from mlpin.explain.probing import Change, Probe, apart, with_line, with_value
from mlpin.manifest.conda_edits import any_build, moved, parts

if TYPE_CHECKING:
    from mlpin.conda.record import CondaRecord
    from mlpin.explain.premises import Item
    from mlpin.outcome import Resolution
    from mlpin.requirement import Declared
    from mlpin.resolving import Question

_BUILD, _VIRTUAL, _ACCELERATOR, _PRIORITY = 60, 300, 250, 200
"""How far these changes go, to compare with others."""
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)*")


def of_line(item: Item, line: Declared, question: Question, records: Sequence[CondaRecord]) -> Iterator[Probe]:
    """Another version of a conda package, or any build of it. `records` are those that are offered."""
    if line.name == "python":
        yield from _of_python(item, line, question, records)
        return
    found = parts(line.conda)
    if found is None:
        return
    if (bare := any_build(line.conda)) is not None:
        yield _to_line(item, line._replace(conda=bare), _BUILD, "any build")
    if not found.version or not records:
        return
    asked = match_spec(str(found._replace(build="")))
    inside = [one.version for one in records if asked.admits(one)] or _NUMBER.findall(found.version)[:1]
    low, high = min(inside, key=version), max(inside, key=version)
    build = found.wanted_build if "*" in found.wanted_build else ""
    for sign, end in (("<", low), (">", high)):
        if any(_compares(sign, one.version, end) for one in records):
            yield _moved(item, line, f"{found.head} {{}} {build}".rstrip(), f"{sign}{end}", pinned=found.pinned)


def _compares(sign: str, one: str, other: str) -> bool:
    return bool(version(one) < version(other) if sign == "<" else version(one) > version(other))


def _moved(item: Item, line: Declared, spec: str, bound: str, *, pinned: bool) -> Probe:
    """A line whose version goes to what `bound` admits; `spec` has a place for it."""
    old = bound[1:]

    def asking(question: Question, said: str, *, lowest: bool = False) -> Question:
        asked = with_line(question, item, line._replace(conda=spec.format(said)))
        if lowest:
            asked = asked._replace(policy=asked.policy._replace(lowest=asked.policy.lowest | {line.name}))
        return asked

    def then(found: Resolution) -> Change | None:
        record = found.conda.get(line.name)
        new = moved(line.conda, record.version) if record else None
        if record is None or new is None or not match_spec(new).admits(record):
            return None
        far = apart(_release(old), _release(record.version))
        return Change(item, line._replace(conda=new), record.version, far)

    def closer(question: Question, change: Change) -> Question:
        return asking(question, f"{bound},{'<' if bound[0] == '>' else '>'}{change.value}")

    easier = (lambda question: asking(question, bound)) if pinned and bound[0] == ">" else None
    return Probe(
        item,
        lambda question: asking(question, bound, lowest=easier is not None),
        then,
        bound[0],
        easier,
        closer if pinned else None,
    )


def _release(text: str) -> tuple[int, ...]:
    return tuple(map(int, _NUMBER.match(text)[0].split("."))) if _NUMBER.match(text) else ()  # type: ignore[index]


def _of_python(item: Item, line: Declared, question: Question, records: Sequence[CondaRecord]) -> Iterator[Probe]:
    """Another Python: the nearest that the channels have, one after the other."""
    asked, mine = match_spec(line.conda), question.target.minor[1]
    newest: dict[int, CondaRecord] = {}
    for record in records:
        if re.match(r"3\.[0-9]+\.[0-9]+$", record.version):
            newest.setdefault(int(record.version.split(".")[1]), record)
    for minor in sorted(newest, key=lambda one: (abs(one - mine), one)):
        new = moved(line.conda, newest[minor].version)
        if minor != mine and new is not None and not asked.admits(newest[minor]):
            far, direction = 150 + 10 * abs(minor - mine), "newer" if minor > mine else "older"
            yield _to_line(item, line._replace(conda=new), far, direction, newest[minor].version)


def _to_line(item: Item, new: Declared, distance: int, direction: str, value: str = "") -> Probe:
    change = Change(item, new, value, distance)
    return Probe(item, lambda asked: with_line(asked, item, new, value), lambda _: change, direction)


def fact_of(name: str, question: Question) -> str | None:
    """The fact of the target that says a virtual package; None for any other package, and where none can change it."""
    target = question.target
    if any(name == stated for stated, _ in target.virtual):
        return name
    if name in {"__cuda", "__cuda_arch"}:
        return "driver" if target.hardware.driver else "accelerator"
    return "glibc" if name == "__glibc" else None


def of_fact(item: Item, question: Question, wished: Callable[[str], Sequence[str]]) -> Iterator[Probe]:
    """A virtual package that is set outright, as something asks for it; a GPU; channels that all count."""
    if item.name.startswith("__"):
        stated = dict(question.target.virtual).get(item.name, "").partition("=")[0]
        for far, value in enumerate(_values(stated, wished(item.name))):
            yield _to_value(item, value, _VIRTUAL + far, "newer")
    elif item.name == "accelerator" and not question.target.hardware.accelerator:
        yield _to_value(item, "cuda", _ACCELERATOR, "cuda")
    elif item.name == "channel-priority":
        yield _to_value(item, "flexible", _PRIORITY, "flexible")


def _values(stated: str, wishes: Sequence[str]) -> list[str]:
    """The versions that wishes speak of, as far as they are newer than the one that is stated; the oldest first."""
    found: dict[Any, str] = {}
    for text in wishes:
        for number in _NUMBER.findall(match_spec(text).version):
            try:
                if not stated or version(number) > version(stated):
                    found.setdefault(version(number), number)
            except InputError:
                continue
    return [number if "." in number else f"{number}.0" for _, number in sorted(found.items())]


def _to_value(item: Item, value: str, distance: int, direction: str) -> Probe:
    change = Change(item, value=value, distance=distance)
    return Probe(item, lambda asked: with_value(asked, item.name, value), lambda _: change, direction)
