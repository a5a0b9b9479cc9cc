"""A question taken apart into premises, and put together again from some of them.

A premise is what a clash may rest on: a line of the user's, a fact of the target, an option, a rule of the matrix. To
leave one out never makes a question harder; markers are those of the target all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from mlpin.candidate import PYTHON
from mlpin.requirement import PathSource, UrlSource, VcsSource

if TYPE_CHECKING:
    from mlpin.candidate import Key, Rejection
    from mlpin.outcome import Group
    from mlpin.requirement import Declared
    from mlpin.resolver.policy import Policy
    from mlpin.resolver.view import View
    from mlpin.resolving import Question

Elsewhere = UrlSource | VcsSource | PathSource
"""What comes from no index."""
OPTIONS = ("exclude-newer", "only-binary", "no-binary", "prerelease", "channel-priority")
OF_TARGET = ("python", "glibc", "platform", "metadata")


class Item(NamedTuple):
    """One premise by reference: the line itself, or the name of a fact, of an option, of a rule."""

    kind: Literal["requirement", "constraint", "override", "requires-python", "target", "option", "rule"]
    name: str
    """The package of a line; else what it is called in `Rejection`."""
    declared: Declared | None = None

    @property
    def is_line(self) -> bool:
        return self.declared is not None or self.kind == "requires-python"


def lines(question: Question) -> list[Item]:
    """The lines of the user's, in their order."""
    found = [Item("requirement", line.name, line) for line in question.requirements]
    found += [Item("constraint", line.name, line) for line in question.policy.constraints]
    for name, overriding in question.policy.overrides.items():
        found += [Item("override", name, line) for line in overriding]
    if question.requires_python and not any(map(partial(_says_python, question), found)):
        found.append(Item("requires-python", "python"))
    return list(dict.fromkeys(found))


def _is_python(item: Item) -> bool:
    """Whether it is a line on conda's Python."""
    return item.declared is not None and bool(item.declared.conda) and item.name == "python"


def _says_python(question: Question, item: Item) -> bool:
    """Whether it is a line on conda's Python that the project's range of Pythons comes from: one premise with it."""
    line = item.declared
    return line is not None and _is_python(item) and line.origin == question.requires_python_origin


def involved(items: Iterable[Item], groups: Collection[Group]) -> list[Item]:
    """Those of the lines that a refusal resting on `groups` may need."""
    roots = {group.key for group in groups if group.parent is None}
    asked = {key.name for key in roots}
    names = {group.key.name for group in groups} | {group.parent.name for group in groups if group.parent is not None}
    return [
        item
        for item in items
        if (item.kind == "requirement" and item.name in asked)
        or (item.kind in {"constraint", "override"} and item.name in names)
        or (item.kind == "requires-python" and PYTHON in roots)
    ]


def others(question: Question, view: View, groups: Collection[Group]) -> list[Item]:
    """The facts of the target, the options and the rules that may have a part in a refusal."""
    facts: dict[str, None] = {}
    rules = dict.fromkeys(sorted(group.rule for group in groups if group.rule))
    keys = {key for group in groups for key in (group.parent, group.key) if key is not None}
    names = {key.name for key in keys if key.kind not in {"env", "conda"}}
    elsewhere = {line.name for line in question.requirements if isinstance(line.source, Elsewhere)}
    if view.conda is not None:
        facts |= view.conda.grounds.facts
        facts |= {view.conda.fact(key.name): None for key in sorted(keys) if _is_virtual(key)}
    for one in _rejections(view, sorted(names - elsewhere), keys):
        if one.fact:
            facts[one.fact] = None
        if one.rule:
            rules[one.rule] = None
    if any(group.key == PYTHON for group in groups):
        facts["python"] = None
    if question.python_follows and question.policy.python_said:
        facts.pop("python", None)  # a line says it
    if question.policy.prerelease in {"disallow", "explicit"}:
        facts["prerelease"] = None
    if "glibc" in facts and "platform" in facts:
        # To leave the platform out leaves its glibc out.
        facts = {"platform": None, **facts}
    found = [Item("option" if fact in OPTIONS else "target", fact) for fact in facts]
    return [*found, *(Item("rule", rule) for rule in rules)]


def _is_virtual(key: Key) -> bool:
    return key.kind == "conda" and key.name.startswith("__")


def _rejections(view: View, names: Iterable[str], keys: Iterable[Key]) -> Iterator[Rejection]:
    for name in names:
        yield from view.rejections(name)
    if view.conda is not None:
        for name in sorted(key.name for key in keys if key.kind == "conda" and not _is_virtual(key)):
            yield from (why for _, why in view.conda.listed(name)[1])


def only(question: Question, kept: Collection[Item], every: Iterable[Item]) -> Question:
    """The question without those of `every` that are not `kept`."""
    gone = {item for item in every if item not in kept}
    if not gone:
        return question
    waived = question.waived | {item.name for item in gone if not item.is_line}
    if question.python_follows and question.policy.python_said and any(map(_is_python, gone)):
        waived |= {"python"}
    target = question.target
    if of_target := frozenset(name for name in waived if name in OF_TARGET or name.startswith("__")):
        target = target.but(waived=of_target)
    requirements = tuple(line for line in question.requirements if Item("requirement", line.name, line) not in gone)
    without = any(item.kind == "requires-python" or _says_python(question, item) for item in gone)
    return question._replace(
        target=target,
        requirements=requirements,
        policy=_policy(question.policy, gone, waived, {line.name for line in requirements}),
        requires_python="" if without else question.requires_python,
        waived=waived,
    )


def _policy(policy: Policy, gone: Collection[Item], waived: Collection[str], asked: Collection[str]) -> Policy:
    """The user's choices without those that are gone."""
    changed = policy._replace(
        constraints=tuple(line for line in policy.constraints if Item("constraint", line.name, line) not in gone),
        # What is overridden stays so: by any version.
        overrides={
            name: tuple(
                line._replace(specifier="") if Item("override", name, line) in gone else line for line in overriding
            )
            for name, overriding in policy.overrides.items()
        },
        hashes={name: hashes for name, hashes in policy.hashes.items() if name in asked},
    )
    if "channel-priority" in waived:
        changed = changed._replace(channel_priority="disabled")
    if any(map(_is_python, gone)):
        changed = changed._replace(python_said=False)
    if "exclude-newer" in waived:
        changed = changed._replace(cutoff="", cutoffs={})
    if "only-binary" in waived:
        changed = changed._replace(only_binary=frozenset())
    if "no-binary" in waived:
        changed = changed._replace(no_binary=frozenset())
    if "prerelease" in waived:
        changed = changed._replace(prerelease="allow")
    return changed


def trusting(question: Question) -> Question:
    """The question in which releases whose metadata cannot be read ask for nothing."""
    return only(question, (), [Item("target", "metadata")])
