"""Why a package of a solution has its version and its build, and why each newer version was not taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from mlpin.candidate import Candidate, Key, Rejection, distribution
from mlpin.explain.chosen import Bound, Build, Chain, Newer, Reason, Why, chain_of, moved
from mlpin.explain.clash import Budget, core
from mlpin.explain.reasons import Place, clash
from mlpin.explain.repairs import pins
from mlpin.explain.trials import Trials
from mlpin.index.names import version
from mlpin.index.url import redacted
from mlpin.matrix.judge import label_of
from mlpin.matrix.ranges import within
from mlpin.outcome import Conflict, Edge, Resolution
from mlpin.requirement import Declared, Origin, Source
from mlpin.resolver.requirements import Sourced, Specified, Specifier, Unusable, specifier
from mlpin.resolver.rules import OnLine, Ruled

if TYPE_CHECKING:
    from packaging.version import Version

    from mlpin.requirement import Requirement
    from mlpin.resolver.view import View
    from mlpin.resolving import Asker, Question

_SHRINKING = 60


_Asked = tuple[Specifier, Bound]
Builds = Sequence[Candidate | Rejection]
Versions = Sequence[tuple["Version", Builds]]
"""Versions, the newest first, each with its builds."""


def _asked(name: str, resolution: Resolution, view: View) -> list[_Asked]:
    """What is asked of a package, each bound once."""
    found: dict[tuple[str, Chain], tuple[Specifier, list[str]]] = {}
    edges = [edge for key, some in resolution.edges.items() if (key.kind, key.name) == ("pypi", name) for edge in some]
    for edge in (*edges, *(Edge(limit, None) for limit in view.constraints.get(name, ()))):
        one = edge.requirement
        if isinstance(one, Specified | Sourced):
            limit = one.specifier if isinstance(one, Specified) else specifier("")
            said = f" @ {_address(one.source)}" if isinstance(one, Sourced) else limit.text
            found.setdefault((said, chain_of(edge, resolution)), (limit, []))[1].append(one.key.extra)
    alike: dict[tuple[str, Origin | None], list[_Asked]] = {}
    for (said, chain), (limit, extras) in found.items():
        inside = ",".join(filter(None, extras))
        text = f"{name}[{inside}]{said}" if inside else f"{name}{said}"
        alike.setdefault((text, None if chain.parents else chain.line), []).append((limit, Bound(text, chain)))
    nearest = [(*min(some, key=_near), len(some) - 1) for some in alike.values()]
    return sorted(((limit, bound._replace(others=others)) for limit, bound, others in nearest), key=_near)


def _address(source: Source | None) -> str:
    return redacted(getattr(source, "url", "") or getattr(source, "path", ""))


def _near(asked: _Asked) -> tuple[int, tuple[str, ...], int, str]:
    bound = asked[1]
    return len(bound.chain.parents), bound.chain.parents, bound.chain.line.line, bound.text


class Telling:
    """The telling of one package of a resolution."""

    def __init__(
        self, pin: Candidate, question: Question, resolution: Resolution, view: View, asker: Asker, place: Place
    ) -> None:
        self._pin, self._name, self._key = pin, pin.name, distribution(pin.name)
        self._resolution, self._view = resolution, view
        self._question = question._replace(policy=view.policy)  # with the files that turned out not to be had
        self._asker, self._place, self._trials = asker, place, Trials(asker)
        assert view.rules is not None
        self._asked, self._rules = _asked(pin.name, resolution, view), view.rules
        self._beside = self._restricting(resolution)
        self._finals = view.policy.prerelease != "allow" and not pin.version.is_prerelease

    def why(self) -> Why:
        newer, ahead = self._later() if self._pin.source is None else ([], [])
        groups = list(self._groups(newer))
        asked = [b._replace(excludes=not all(_admits(one, some) for _, some in newer)) for one, b in self._asked]
        extras = sorted(key.extra for key in self._resolution.pins if key.name == self._name and key.extra)
        return Why(self._name, str(self._pin.version), self._build(ahead), asked, extras, groups)

    def _build(self, ahead: Versions) -> Build:
        pin, text = self._pin, str(self._pin.version)
        file = pin.wheels[0] if pin.wheels else pin.sdist
        of = label_of(self._question.matrix, self._name, text, self._question.target.platform.kind)
        line, cuda = (of.line, of.cuda) if "+" in text or self._rules.family(self._name) else ("", "")
        shown = _address(pin.source) or (file.filename if file else "")
        return Build(shown, redacted(pin.index), not pin.wheels, line, cuda, list(self._groups(ahead)), pin.notes)

    def _later(self) -> tuple[Versions, Versions]:
        """What is newer; and the builds of the same version that go before the one that was taken."""
        least, listing = version(self._pin.version.public), self._view.listing(self._name)
        later = [(text, version(text)) for text in listing.versions if version(version(text).public) >= least]
        newer: dict[Version, list[Candidate | Rejection]] = {}
        for text, one in later:
            newer.setdefault(version(one.public), []).append(self._view._candidate(listing, text))  # noqa: SLF001
        same = [one for _, one in later if version(one.public) == least]
        ahead = [(one, [build]) for one, build in zip(same, newer.pop(least), strict=True)]
        before = ahead[: same.index(self._pin.version)]
        return sorted(newer.items(), reverse=True), [*self._lines(), *before]

    def _lines(self) -> Iterator[tuple[Version, Builds]]:
        """The builds for a newer CUDA of what heads a family, where the target cannot run them: no index was asked."""
        family, hardware = self._rules.family(self._name), self._question.target.hardware
        lines = self._question.matrix.tables.lines if family and family.packages[0] == self._name else ()
        for line in reversed(lines):
            one = version(f"{self._pin.version.public}+{line.label}")
            if line.cuda and line.accelerator == hardware.accelerator and within(line.versions, self._pin.version):
                no = self._rules.refuses(self._name, str(one))
                if no and str(one) not in self._view.listing(self._name).versions and one > self._pin.version:
                    yield one, [no]

    def _groups(self, versions: Versions) -> Iterator[Newer]:
        """The reasons of all of them, each once, with the versions in the order given."""
        found = {mark: self._direct(some) or self._preferred(some) for mark, some in versions}
        rest = [(mark, some) for mark, some in versions if found[mark] is None]
        # No range tells builds of one version apart.
        for part in [[one] for one in rest] if rest and rest[0][0].public == self._pin.version.public else [rest]:
            for again, reason in self._again(part):
                found |= dict.fromkeys([mark for mark, _ in again], reason)
        alike: dict[tuple[object, ...], list[tuple[Reason, Builds, str]]] = {}
        for mark, some in versions:
            one = found[mark]
            assert one is not None
            key = (one.kind, one.bound, one.fact, one.rule, one.fact or one.rule or one.text)
            alike.setdefault(key, []).append((one, some, str(mark)))
        for group in alike.values():
            first, _, newest = group[0]
            more = [(one, bound) for one, bound in self._asked if first.bound and bound != first.bound]
            also = [bound for one, bound in more if not any(_admits(one, some) for _, some, _ in group)]
            if any(one.text != first.text for one, _, _ in group):
                first = first._replace(text=f"{newest} {first.text.removeprefix(f'{newest} ')}; the others alike")
            yield Newer([mark for _, _, mark in group], first, also)

    def _direct(self, some: Builds) -> Reason | None:
        """What keeps a version out beside the versions that were taken."""
        for one, bound in self._asked:
            if not bound.chain.passes(self._name) and not _admits(one, some):
                return Reason("bound", f"{bound.text} excludes it", bound)
        usable = [one for one in some if isinstance(one, Candidate)]
        if not usable:
            # The last build asks the least of the hardware; those for another kind of it say little.
            refused = sorted(
                (one for one in some if isinstance(one, Rejection)), key=lambda no: no.fact != "accelerator"
            )
            return self._rejected(refused[-1])
        named = any(limit.exact and _admits(limit, some) for limit, _ in self._asked)
        if not named and all(one.yanked is not None for one in usable):
            return Reason("yanked", f"yanked from the index: {usable[0].yanked or 'no reason given'}")
        if usable[0].version.is_prerelease and self._finals:
            return Reason("prerelease", "pre-release, and final versions go first", remedy='prerelease = "allow"')
        barred = [[no for no in self._barred(one) if no.chain and not no.chain.passes(self._name)] for one in usable]
        if all(barred):
            return barred[-1][0]
        came_to = {one.version for one in self._resolution.refused if one.name == self._name}
        met = [one for one in usable if str(one.version) in came_to]
        unread = [no for one in met for no in self._view.requires(one) if isinstance(no, Unusable)]
        if len(unread) == len(usable):
            return Reason("metadata", unread[-1].reason, remedy=unread[-1].remedy)
        return None

    def _rejected(self, one: Rejection) -> Reason:
        rule = next((rule for rule in self._question.matrix.rules(one.name) if rule.id == one.rule), None)
        told = Reason(one.kind, one.reason, fact=one.fact, source=tuple(filter(None, (one.source,))))
        return (told.by(rule) if rule else told)._replace(remedy=one.remedy)

    def _restricting(self, resolution: Resolution) -> Mapping[Key, Sequence[tuple[Requirement, Candidate]]]:
        """What the rules ask because of the other packages that were taken."""
        found: dict[Key, list[tuple[Requirement, Candidate]]] = {}
        for other in resolution.pins.values():
            if other.key.kind == "pypi" and other.base is None and other.name != self._name:
                for one in self._rules.restricts(other):
                    found.setdefault(one.key, []).append((one, other))
        return found

    def _barred(self, candidate: Candidate, other_than_now: Resolution | None = None) -> Iterator[Reason]:
        """The rules by which a candidate cannot stand beside others; with a chain: that of the one whose rule it is."""
        resolution = other_than_now or self._resolution
        beside = self._restricting(other_than_now) if other_than_now else self._beside
        family = self._rules.family(self._name)
        for mine in self._rules.restricts(candidate):
            for theirs, other in beside.get(mine.key, ()):
                asks = theirs if isinstance(theirs, Ruled) else mine
                if self._rules.shadow(mine.key, [mine, theirs]):
                    continue
                if isinstance(asks, Ruled):
                    text = f"{other} {asks.said}" if asks is theirs else f"it {asks.said}, and there is {other}"
                    # Which build there is of a package of the same family follows from this one.
                    firm = asks is theirs and not (family and other.name in family.packages)
                    chain = chain_of(resolution.edges[other.key][0], resolution) if firm else None
                    yield Reason("rule", text, chain=chain).by(asks.rule)
                elif isinstance(mine, OnLine) and isinstance(theirs, OnLine):
                    text = f"it is built for {mine.label}, and {other} for {theirs.label}"
                    yield Reason("rule", text, rule=mine.origin.file, evidence="documented")

    def _preferred(self, some: Builds) -> Reason | None:
        """Why the search comes to the version that was taken first, where its order says so."""
        if self._view.lowest_first(self._name):
            return Reason("lowest", f"the oldest that fits is wanted (resolution = {self._view.policy.resolution})")
        archives = {one.version for one in some if isinstance(one, Candidate) and not one.wheels}
        if self._pin.wheels and len(archives) == len(some) and not archives & self._first:
            return Reason("source", "a source archive only; a version with a wheel that is not far behind goes first")
        return None

    @cached_property
    def _first(self) -> set[Version]:
        """What comes before the version that was taken in the order of the search."""

        def admitted(one: Version) -> bool:
            return not (self._finals and one.is_prerelease) and all(limit.contains(one) for limit, _ in self._asked)

        order = [one.version for one in self._view.candidates(self._key, admitted)]
        return {*order[: order.index(self._pin.version)]}

    def _again(self, rest: Versions) -> Iterator[tuple[Versions, Reason]]:
        """The reasons of what nothing above keeps out."""
        policy, mine = self._question.policy, str(self._pin.version)
        others = {name: text for name, text in policy.preferred.items() if name != self._name}
        locked = policy.preferred.get(self._name) == mine
        while rest:
            asked = self._limited([mark for mark, _ in rest])
            if locked:
                asked = self._question._replace(policy=policy._replace(preferred=others))
            outcome = self._trials.ask(asked)
            then = str(outcome.pins[self._key].version) if isinstance(outcome, Resolution) else ""
            at = next((at for at, (_, some) in enumerate(rest) if then in {str(one.version) for one in some}), None)
            if isinstance(outcome, Resolution) and at is not None:
                text = f"{mine} is locked; `-P {self._name}` takes it to {then}"
                yield rest[at:], Reason("locked", text) if locked else self._moved(outcome, str(rest[at][0]))
                rest = rest[:at]
            elif isinstance(outcome, Conflict):
                told = clash(core(asked, outcome, self._asker, Budget(_SHRINKING)), self._place)
                told = told._replace(premises=[one for one in told.premises if one.about != self._name])
                yield rest, Reason("clash", "it clashes with the rest", clash=told)
                return
            elif not locked:
                alone = rest[:1] if self._trials.left and len(rest) > 1 else []  # by itself it is settled sooner
                yield rest[len(alone) :], Reason("untried", outcome if isinstance(outcome, str) else "was not found")
                rest = alone
            locked = False

    def _limited(self, only: Sequence[Version]) -> Question:
        """The question with nothing but these versions of the package."""
        low, high = version(only[-1].public), version(only[0].public)
        text = f"==={only[0]}"
        if low > self._pin.version:  # else it is one build of the version that was taken
            there = {version(version(one).public) for one in self._view.listing(self._name).versions}
            others = sorted(one for one in there if low < one < high and one not in only)
            text = ",".join((f">={low}", f"<={high}", *(f"!={one}" for one in others)))
        # As a constraint: the search goes its usual way. The bare line is there lest it does without the package.
        policy, mine = self._question.policy, Declared(self._name, Origin("option", text=f"another {self._name}"))
        limited = policy._replace(constraints=(*policy.constraints, mine._replace(specifier=text)))
        return self._question._replace(policy=limited, requirements=(*self._question.requirements, mine))

    def _moved(self, outcome: Resolution, got: str) -> Reason:
        """What another version would change, and the rule that speaks of it, if one does."""
        moves = [move for move in moved(pins(self._resolution), pins(outcome)) if move.name != self._name]
        back = [one for one in moves if one.old and one.new and version(one.new) < version(one.old)]
        moves.sort(key=lambda one: (one not in back, not (one.old and one.new), one.name not in self._view.direct))
        text = f"with {got} other packages change" if moves else f"nothing speaks against {got}: ask for it in a line"
        if moves and moves[0].old and moves[0].new:
            text = f"with {got} there is {moves[0].name} {moves[0].new} instead of {moves[0].old}"
            text += ", which was preferred" * bool(back)
        barred = next((no for where in (outcome, None) for no in self._barred(outcome.pins[self._key], where)), None)
        told = barred._replace(text=f"{text}; {barred.text}") if barred else Reason("moves", text)
        return told._replace(kind="moves", chain=None, moves=moves)


def _admits(limit: Specifier, some: Builds) -> bool:
    return any(limit.contains(version(str(one.version))) for one in some)
