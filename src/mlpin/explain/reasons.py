"""A core in words: its premises with their places, and one sentence for each link."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from mlpin.candidate import PYTHON, Key, Rejection, distribution
from mlpin.explain import conda_reasons
from mlpin.explain.clash import Core
from mlpin.explain.model import Clash, Evidence, Link, Premise
from mlpin.explain.premises import Item
from mlpin.explain.spans import needs, which
from mlpin.index.names import version
from mlpin.index.url import redacted
from mlpin.matrix.judge import label_of
from mlpin.matrix.labels import built
from mlpin.matrix.rule import LABEL
from mlpin.outcome import Edge, Group, group_of
from mlpin.resolver.requirements import Matched, PythonRange, Sourced, Specified, Unusable
from mlpin.resolver.rules import OnLine, Ruled

if TYPE_CHECKING:
    from packaging.version import Version

    from mlpin.matrix.rule import Rule
    from mlpin.requirement import Requirement
    from mlpin.resolver.conda import Conda
    from mlpin.target import Target

Place = Callable[[str], tuple[str, str, int]]
"""Where a field of the target or an option was said: in words, the file, the line (empty and 0: in no file)."""
_LABEL = re.compile(r"\+(cpu|cu\d{2,3}|rocm[\d.]+)\b")
_VERB = re.compile("^(is|has|was|needs|fails) ")
_MANY = {"is": "are", "has": "have", "was": "were", "needs": "need", "fails": "fail"}
_SAID = 3
MAPPING = "prefix-dev/parselmouth's mapping of conda's names, 2026-08-19"
_OFFERED = 2
"""So many reasons why versions of one package are not offered are told; more are like them."""


def nowhere(field: str) -> tuple[str, str, int]:  # noqa: ARG001
    """The place of what was said in no file."""
    return "target", "", 0


def clash(core: Core, place: Place = nowhere, indexes: Sequence[str] = ()) -> Clash:
    """The premises and links of a core. `indexes` are those that were asked."""
    told = _Telling(core, indexes)
    return Clash([_premise(item, core, place) for item in _ordered(core.items)], told.links(), core.minimal)


def _ordered(items: Sequence[Item]) -> list[Item]:
    kinds = ("requirement", "constraint", "override", "requires-python", "target", "option", "rule")
    return sorted(items, key=lambda item: kinds.index(item.kind))


def _premise(item: Item, core: Core, place: Place) -> Premise:
    question = core.question
    if item.declared is not None:
        origin = item.declared.origin
        text = origin.text or f"{item.declared.name}{item.declared.specifier}"
        return Premise(item.kind, text, item.name, origin.place, origin.file, origin.line)
    if item.kind == "requires-python":
        assert question.requires_python_origin is not None
        origin = question.requires_python_origin
        text = f"requires-python {question.requires_python}"
        return Premise(item.kind, text, item.name, origin.place, origin.file, origin.line)
    if item.kind == "rule":
        rule = _rule(core, item.name)
        if rule is None:
            text = f"packages that are built together are of one build line ({item.name})"
            return Premise("rule", text, item.name, f"rule {item.name}", evidence="documented")
        said = f"{rule.package} {'fails with' if rule.verb == 'fails' else 'needs'} {rule.other}"
        text = f"{rule.package} has code for {' '.join(rule.kernels)}" if rule.verb == "kernels" else said
        return Premise("rule", text, rule.id, f"rule {rule.id}", source=rule.source, evidence=rule.evidence)
    shown = fact(item.name, question.target) if item.kind == "target" else _option(item.name, core)
    return Premise(item.kind, shown, item.name, *place(item.name))


def fact(name: str, target: Target) -> str:
    """A fact of a target in words."""
    hardware = target.hardware
    if name.startswith("gpu:"):
        return f"GPU {name[4:]}"
    if name.startswith("__"):
        stated = dict(target.virtual).get(name, "")
        return f"{name} {stated}" if stated else f"no {name}"
    return {
        "python": f"Python {target.python}",
        "glibc": f"glibc {target.platform.glibc}",
        "platform": target.platform.name,
        "driver": f"driver {hardware.driver}",
        "cuda": f"CUDA {hardware.cuda}",
        "accelerator": f"accelerator {hardware.accelerator}" if hardware.accelerator else "no accelerator",
    }[name]


def _option(name: str, core: Core) -> str:
    policy = core.question.policy
    if name == "exclude-newer":
        cutoff = policy.cutoff or ", ".join(filter(None, policy.cutoffs.values()))
        return f"exclude-newer: nothing from {cutoff.removesuffix('T00:00:00Z')} on"
    if name in {"prerelease", "channel-priority"}:
        return f"{name} {policy.prerelease if name == 'prerelease' else policy.channel_priority}"
    return f"{name} {', '.join(sorted(policy.only_binary if name == 'only-binary' else policy.no_binary))}"


def _rule(core: Core, name: str) -> Rule | None:
    """The rule of an id, looked up where the core has met it."""
    for edge in core.edges:
        if isinstance(edge.requirement, Ruled) and edge.requirement.rule.id == name:
            return edge.requirement.rule
    names = {group.parent.name for group in map(group_of, core.edges) if group.parent} | {
        key.name for key in (group_of(edge).key for edge in core.edges)
    }
    names |= {item.name for item in core.items}
    matrix = core.question.matrix
    return next((rule for package in sorted(names) for rule in matrix.rules(package) if rule.id == name), None)


class _Telling:
    """The links of one core."""

    def __init__(self, core: Core, indexes: Sequence[str]) -> None:
        self._core = core
        self._indexes = indexes
        self._view = core.view
        self._named = {item.name for item in core.items}
        self._groups: dict[Group, list[Edge]] = {}
        for edge in core.edges:
            self._groups.setdefault(group_of(edge), []).append(edge)
        self._lines: dict[str, list[Requirement]] = {}
        for root in core.view.roots(core.question.requirements):
            self._lines.setdefault(root.key.name, []).append(root)
        for name, limits in core.view.constraints.items():
            self._lines.setdefault(name, []).extend(limits)

    def links(self) -> list[Link]:
        """One after the other as the reason goes on, from the user's lines."""
        found: list[Link] = []
        told: set[Group] = set()
        queue = list(dict.fromkeys(name for name in self._lines))
        queue += [group.parent.name for group in self._groups if group.parent and group.parent.name not in queue]
        seen: set[str] = set()
        while queue:
            name = queue.pop(0)
            if name in seen:
                continue
            seen.add(name)
            following = []
            for group, edges in self._groups.items():
                if group.parent is not None and group.parent.name == name and group not in told:
                    told.add(group)
                    found += self._link(group, edges)
                    following.append(group.key.name)
            queue = [*following, *queue]
        for name in dict.fromkeys([*self._lines, *(group.key.name for group in told if group.key.kind == "pypi")]):
            found += self._offered(name)
        if self._view.conda is not None:
            others = (item.name for item in self._core.items if not item.is_line)
            premises = {*others} - {"python"}
            for name in dict.fromkeys(group.key.name for group in told if group.key.kind == "conda"):
                found += conda_reasons.kept_out(self._view.conda, name, premises)
            found += self._carried(self._view.conda, told)
        return list(dict.fromkeys(found))

    def _carried(self, conda: Conda, told: Collection[Group]) -> Iterator[Link]:
        """Which conda packages of the reason stand in for the distributions of it, under another name."""
        keys = {key for group in told for key in (group.parent, group.key) if key is not None}
        keys |= {one.key for lines in self._lines.values() for one in lines}
        there = {key.name for key in keys if key.kind == "conda"}
        for name in sorted({key.name for key in keys if key.kind == "pypi"}):
            for carrier in conda.carriers(name):
                if carrier in there and carrier != name:
                    text = f"conda's {carrier} is {name} as well, which is there once"
                    yield Link("metadata", text, carrier, (name,), "documented", source=(MAPPING,))

    # -- what releases ask for

    def _link(self, group: Group, edges: Sequence[Edge]) -> Iterator[Link]:
        parent, key = group.parent, group.key
        assert parent is not None
        first = edges[0].requirement
        if parent.kind == "conda" and self._view.conda is not None:
            yield from conda_reasons.asks(self._view.conda, group, self._groups, lambda name: self._lines.get(name, ()))
            return
        asking = [edge.parent.version for edge in edges if edge.parent is not None]
        if isinstance(first, Ruled):
            yield self._ruled(parent, first.rule, edges)
        elif isinstance(first, OnLine):
            labels = dict.fromkeys(
                str(edge.requirement.label) for edge in edges if isinstance(edge.requirement, OnLine)
            )
            text = f"{parent} {which(asking)} is built for {', '.join(labels)}, as all of its family must be"
            yield Link("rule", text, parent.name, (group.rule,), "documented", group.rule)
        elif isinstance(first, Unusable):
            why = dict.fromkeys(str(edge.requirement) for edge in edges)
            text = f"{parent} {which(asking)} cannot be used: {'; '.join(list(why)[:_OFFERED])}"
            yield Link("metadata", text, parent.name, (parent.name,), "index")
        elif isinstance(first, PythonRange):
            said = needs(_asked(edges), "Python ", (), ())
            yield Link("metadata", f"{parent} {said}", parent.name, ("python",), "declared")
        elif isinstance(first, Sourced):
            text = f"{parent} {which(asking)} needs {first}"
            yield Link("metadata", text, parent.name, (key.name,), "declared")
        else:
            said = needs(_asked(edges), str(key), self._there(key.name), self._rivals(group))
            yield Link("metadata", f"{parent} {said}", parent.name, (key.name,), "declared")

    def _ruled(self, parent: Key, rule: Rule, edges: Sequence[Edge]) -> Link:
        by_words: dict[str, list[Version]] = {}
        for edge in edges:
            if isinstance(edge.requirement, Ruled) and edge.parent is not None:
                by_words.setdefault(edge.requirement.said, []).append(edge.parent.version)
        if len(by_words) > 1 and rule.table[0][1] == LABEL:
            text = f"{parent} {_builds([one for versions in by_words.values() for one in versions])}"
            return Link("rule", text, parent.name, (rule.other,), rule.evidence, rule.id, rule.symptom, rule.source)
        parts = []
        for words, versions in list(by_words.items())[:_SAID]:
            parts.append(f"{parent} {which(versions)} {words if len(set(versions)) == 1 else _plural(words)}")
        more = len(by_words) - len(parts)
        text = "; ".join(parts) + (f"; and {more} more of this kind" if more else "")
        return Link("rule", text, parent.name, (rule.other,), rule.evidence, rule.id, rule.symptom, rule.source)

    def _rivals(self, group: Group) -> list[str]:
        """What others ask of the same package."""
        said = [one.specifier.text for one in self._lines.get(group.key.name, ()) if isinstance(one, Specified)]
        for other, edges in self._groups.items():
            if other.key.name == group.key.name and other != group and len(edges) == 1:
                said += [edge.requirement.specifier.text for edge in edges if isinstance(edge.requirement, Specified)]
        return [text for text in said if text]

    def _there(self, name: str) -> list[Version]:
        return [version(text) for text in self._view.listing(name).versions]

    # -- what there is of a package

    def _offered(self, name: str) -> Iterator[Link]:
        """Why what is asked of a package is not to be had, where that is a part of the reason."""
        requirements = [*self._lines.get(name, ())]
        if self._view.conda is not None and any(isinstance(one, Matched) for one in requirements):
            yield from conda_reasons.offered(self._view.conda, name, requirements)
            requirements = [one for one in requirements if not isinstance(one, Matched)]
            if not requirements:
                return
        if any(isinstance(one, Sourced) for one in requirements) or name == PYTHON.name:
            return
        by_group = [
            [edge.requirement for edge in edges] for group, edges in self._groups.items() if group.key.name == name
        ]
        if any(isinstance(one, Sourced) for asked in by_group for one in asked):
            return
        listing = self._view.listing(name)
        if not listing.found:
            asked = f" ({', '.join(self._indexes)})" if self._indexes else ""
            yield Link("unknown", f"{name} is on none of the indexes{asked}; is the name right?", name, (), "index")
            return
        choices = [[one] for one in requirements] + [asked for asked in by_group if asked]
        specified = [[one for one in asked if isinstance(one, Specified)] for asked in choices]
        specified = [asked for asked in specified if asked]
        wanted = [text for text in listing.versions if all(_any(asked, text) for asked in specified)]
        for one in specified:
            if not any(_any(one, text) for text in listing.versions):
                yield self._no_such(name, one)
                return
        rejected = [one for one in self._view.rejections(name) if one.version in set(wanted)]
        relevant = [one for one in rejected if one.fact in self._named or one.rule in self._named or not one.fact]
        if not relevant and wanted:
            yanked = [
                one
                for one in self._view.candidates(distribution(name))
                if str(one.version) in wanted and one.yanked is not None
            ]
            if yanked and len(yanked) == len(wanted):
                reason = f": {yanked[0].yanked}" if yanked[0].yanked else ""
                text = f"{name} {which(one.version for one in yanked)} was yanked from the index{reason}"
                yield Link("offered", text, name, (), "index")
        yield from self._rejected(name, relevant)
        if not relevant and not requirements and sum(any(map(_restricts, asked)) for asked in by_group) == 1:
            offered = [one.version for one in self._view.candidates(distribution(name)) if one.yanked is None]
            if offered:
                yield Link("offered", f"of {name} the target is offered {which(offered)}", name, (), "index")

    def _no_such(self, name: str, asked: Sequence[Specified]) -> Link:
        listing = self._view.listing(name)
        count = len(listing.versions)
        ends = list(dict.fromkeys((list(listing.versions)[-1], next(iter(listing.versions))))) if count else []
        if not count:
            return Link("offered", f"{name} has no release on {redacted(listing.index)}", name, (), "index")
        has = "there is 1 version," if count == 1 else f"there are {count} versions,"
        text = (
            f"no release of {name} is {asked[0].specifier.text}; on {redacted(listing.index)} {has} {' to '.join(ends)}"
        )
        if len(self._indexes) > 1:
            text += "; other indexes are asked only for names that it does not have (--index-strategy)"
        label = _LABEL.search(asked[0].specifier.text)
        if label and not self._core.question.target.hardware.accelerator:
            kind = label[1] if label[1] == "cpu" else "rocm" if label[1].startswith("rocm") else "cuda"
            text += (
                f"; builds labelled +{label[1]} are on the vendor's index, which is asked with `--accelerator {kind}`"
            )
            text += " (or `accelerator` in the target)"
        return Link("offered", text, name, (), "index")

    def _rejected(self, name: str, rejections: Sequence[Rejection]) -> Iterator[Link]:
        drivers = [one for one in rejections if one.fact == "driver" and one.kind == "line"]
        if len(drivers) > 1:
            yield self._driver(name, drivers)
            rejections = [one for one in rejections if one not in drivers]
        groups: dict[tuple[str, str], list[Rejection]] = {}
        for one in rejections:
            groups.setdefault((one.reason, one.rule), []).append(one)
        for (reason, rule), group in list(groups.items())[:_OFFERED]:
            these = which(version(one.version) for one in group)
            told = reason if len(group) == 1 else _VERB.sub(lambda verb: f"{_MANY[verb[1]]} ", reason)
            text = f"{name} {these} {told}" if _VERB.match(reason) else f"{name} {these}: {reason}"
            ends = tuple(dict.fromkeys(filter(None, (group[0].fact, rule))))
            of = self._graded(rule)
            source = of.source if of else tuple(filter(None, (group[0].source,)))
            grade: Evidence = of.evidence if of else "documented" if source else "index"
            yield Link("offered", text, name, ends, grade, rule, of.symptom if of else "", source)
        rest = [one for group in list(groups.values())[_OFFERED:] for one in group]
        if rest:
            count = "1 more version" if len(rest) == 1 else f"{len(rest)} more versions"
            ends = tuple(dict.fromkeys(one.fact for one in rest if one.fact))
            yield Link("offered", f"{name}: {count} not offered for like reasons", name, ends, "index")

    def _graded(self, rule: str) -> Rule | None:
        return _rule(self._core, rule) if rule else None

    def _driver(self, name: str, rejections: Sequence[Rejection]) -> Link:
        """Builds for CUDA versions that the driver does not run, in one sentence."""
        target, matrix = self._core.question.target, self._core.question.matrix
        platform = target.platform.kind
        cudas = {label_of(matrix, name, one.version, platform).cuda for one in rejections}
        ordered = sorted(filter(None, cudas), key=version)
        runs = [
            toolkit.cuda
            for toolkit in matrix.tables.toolkits
            if "." in toolkit.cuda
            and (floor := matrix.driver_floor(toolkit.cuda, platform)[0])
            and version(floor) <= version(target.hardware.driver)
        ]
        most = f" runs CUDA up to {max(runs, key=version)}" if runs else " runs none of them"
        lines = " to ".join(dict.fromkeys((ordered[0], ordered[-1]))) if ordered else ""
        which_ones = which(version(version(one.version).public) for one in rejections)
        text = f"{name} {which_ones}: built for CUDA {lines}; driver {target.hardware.driver}{most}"
        return Link("offered", text, name, ("driver",), "documented", source=(rejections[0].source,))


def _asked(edges: Sequence[Edge]) -> list[tuple[Version, str]]:
    """What each version asks for, all of its requirements together; the oldest first."""
    found: dict[Version, list[str]] = {}
    for edge in edges:
        if edge.parent is not None and isinstance(edge.requirement, Specified | PythonRange):
            found.setdefault(edge.parent.version, []).append(edge.requirement.specifier.text)
    return [(one, ",".join(filter(None, dict.fromkeys(found[one])))) for one in sorted(found)]


def _builds(versions: Sequence[Version]) -> str:
    """What builds whose labels name a torch and a CUDA version are for, after the name of the package."""
    labels = [built(str(one)) for one in versions]
    torches = sorted({of.torch for of in labels if of.torch}, key=version)
    cudas = sorted({of.cuda for of in labels if of.cuda}, key=version)
    releases = which(version(one.public) for one in versions)
    count = f", {len(labels)} builds" if len(labels) > 1 else ""
    each = "each for one torch of " if len(torches) > 1 else "for torch "
    with_cuda = f" and one CUDA of {', '.join(cudas)}" if len(cudas) > 1 else f", with CUDA {' '.join(cudas)}"
    return f"{releases}{count}, {each}{', '.join(torches)}{with_cuda if cudas else ''}"


def _restricts(one: Requirement) -> bool:
    return not isinstance(one, Specified) or bool(one.specifier.text)


def _any(asked: Sequence[Requirement], text: str) -> bool:
    return any(isinstance(one, Specified) and one.specifier.contains(version(text)) for one in asked)


def _plural(said: str) -> str:
    return said.replace("does not work", "do not work", 1).replace("needs ", "need ", 1)
