"""Changes of a question and the probes that look for them, as values; and how a change is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlpin.explain.premises import Item
from mlpin.target import parse_glibc

if TYPE_CHECKING:
    from mlpin.outcome import Resolution
    from mlpin.requirement import Declared
    from mlpin.resolving import Question


class Change(NamedTuple):
    """One premise as it would become."""

    item: Item
    declared: Declared | None = None
    """The line, for a line."""
    value: str = ""
    """Of a fact or an option; empty: it is not said any more. Of a conda package's line: the version that it is for."""
    distance: int = 0
    """How far it goes, to compare with others."""


class Probe(NamedTuple):
    """A premise let go in one direction."""

    item: Item
    ask: Callable[[Question], Question]
    then: Callable[[Resolution], Change | None]
    """What the premise becomes, by the answer."""
    direction: str
    """Probes of a premise in the same direction come one after the other."""
    easier: Callable[[Question], Question] | None = None
    """Where the nearest is too hard to find: any that does."""
    closer: Callable[[Question, Change], Question] | None = None
    """What lies between the premise and what it would become."""


def changed(question: Question, changes: Iterable[Change]) -> Question:
    """The question with the changes made. A line that it does not have stays away."""
    for change in changes:
        item = change.item
        if item.declared is not None and change.declared is not None:
            question = with_line(question, item, change.declared, change.value)
        elif item.kind in {"target", "option"}:
            question = with_value(question, item.name, change.value)
    return question


def with_line(question: Question, item: Item, new: Declared, value: str = "") -> Question:
    """The question with another line in place of one. `value` is the version that a line on conda's Python is for."""

    def put(lines: Sequence[Declared]) -> tuple[Declared, ...]:
        return tuple(new if line == item.declared else line for line in lines)

    policy = question.policy
    if item.kind == "requirement":
        there = item.declared in question.requirements
        question = question._replace(requirements=put(question.requirements))
        return (
            _with_python(question, item.declared, new, value) if there and value and new.name == "python" else question
        )
    if item.kind == "constraint":
        return question._replace(policy=policy._replace(constraints=put(policy.constraints)))
    overrides = {name: put(lines) for name, lines in policy.overrides.items()}
    return question._replace(policy=policy._replace(overrides=overrides))


def _with_python(question: Question, old: Declared | None, new: Declared, value: str) -> Question:
    """The question whose line on conda's Python has changed: what a manifest makes of that line changes with it."""
    from mlpin.manifest.conda_lines import python_range
    from mlpin.resolving import names_python

    assert old is not None
    if question.requires_python_origin == old.origin:
        was = python_range(old.conda).split(",")
        rest = [clause for clause in question.requires_python.split(",") if clause not in was]
        question = question._replace(requires_python=",".join([*rest, python_range(new.conda)]))
    if question.python_follows:
        question = question._replace(target=question.target.but(python=".".join(value.split(".")[:2])))
    said = any(names_python(line, question.target.minor[1]) for line in question.requirements)
    return question._replace(policy=question.policy._replace(python_said=said))


def with_value(question: Question, field: str, value: str) -> Question:
    """The question with another value of a fact or an option."""
    target, policy = question.target, question.policy
    if field == "exclude-newer":
        return question._replace(policy=policy._replace(cutoff=value, cutoffs={}))
    if field == "channel-priority":
        return question._replace(policy=policy._replace(channel_priority=value))
    if field.startswith("__"):
        virtual = tuple((name, value if name == field else text) for name, text in target.virtual)
        return question._replace(target=target.but(virtual=virtual))
    if field == "python":
        new = target.but(python=value)
    elif field == "glibc":
        new = target.but(platform=target.platform._replace(release=parse_glibc(value)))
    elif field == "driver":
        new = target.but(hardware=target.hardware._replace(driver=value))
    elif field == "accelerator":
        new = target.but(hardware=target.hardware._replace(accelerator=value))
    else:
        assert field == "cuda", field
        new = target.but(hardware=target.hardware._replace(cuda=f"=={value}" if value else ""))
    return question._replace(target=new)


def apart(old: Sequence[int], new: Sequence[int]) -> int:
    """How far apart two releases are: a patch is near, a major version (or a minor one of 0.x) is far, back farther."""
    first, second = (*old, 0, 0, 0)[:3], (*new, 0, 0, 0)[:3]
    for place, (one, other) in enumerate(zip(first, second, strict=True)):
        if one != other:
            early = first[0] == 0
            weight = (300, 150 if early else 100, 100 if early and first[1] == 0 else 0)[place]
            step = (50, 10, 1)[place]
            return weight + step * min(30, abs(one - other)) + (30 if tuple(new) < tuple(old) else 0)
    return 0
