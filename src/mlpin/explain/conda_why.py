"""Why a conda package of a solution has its version and its build, and why nothing newer was taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mlpin.candidate import Candidate, Key, distribution
from mlpin.conda.spec import version
from mlpin.errors import InputError
from mlpin.explain.chosen import Bound, Build, Newer, Reason, Why, chain_of, moved
from mlpin.explain.clash import Budget, core
from mlpin.explain.reasons import Place, clash
from mlpin.explain.repairs import pins
from mlpin.explain.trials import Trials
from mlpin.index.url import redacted
from mlpin.outcome import Conflict, Resolution
from mlpin.requirement import Declared, Origin
from mlpin.resolver.requirements import Matched, Specified

if TYPE_CHECKING:
    from mlpin.candidate import Rejection
    from mlpin.conda.record import CondaRecord
    from mlpin.requirement import Requirement
    from mlpin.resolver.conda import Conda
    from mlpin.resolver.view import View
    from mlpin.resolving import Asker, Question

_SHRINKING = 60

Group = tuple[str, Sequence["CondaRecord"]]
"""Builds under the name that they are told by: their version, or of one version their own."""


class Telling:
    """The telling of one conda package of a resolution."""

    def __init__(
        self, pin: Candidate, question: Question, resolution: Resolution, view: View, asker: Asker, place: Place
    ) -> None:
        assert pin.record is not None
        assert view.conda is not None
        self._record: CondaRecord = pin.record
        self._conda: Conda = view.conda
        self._name, self._key = pin.name, pin.key
        self._question = question._replace(policy=view.policy)
        self._resolution, self._asker, self._place, self._trials = resolution, asker, place, Trials(asker)
        self._stands_for = tuple(
            sorted(key.name for key, one in resolution.pins.items() if one.carrier == pin.name and not key.extra)
        )
        self._asked = list(self._bounds())
        offered, rejected = self._conda.listed(pin.name)
        self._offered = list(offered)
        self._rejected: Mapping[int, Rejection] = {id(record): why for record, why in rejected}
        self._there = [*offered, *(record for record, _ in rejected)]

    def why(self) -> Why:
        mine, record = version(self._record.version), self._record
        later = [one for one in self._there if _newer(one, mine)]
        groups = _by_version(later)
        newer = list(self._groups(groups, "version"))
        same = self._offered[: self._offered.index(record)] if record in self._offered else []
        same = [one for one in same if one.version == record.version]
        ahead = list(self._groups([(one.build, [one]) for one in same], "build"))
        asked = [
            bound._replace(excludes=any(not any(map(admits, some)) for _, some in groups))
            for admits, bound in self._asked
        ]
        where = f"{record.channel}/{record.subdir}"
        build = Build(record.filename, redacted(where), archive=False, ahead=ahead, stands_for=self._stands_for)
        return Why(self._name, record.version, build, asked, (), newer)

    def _bounds(self) -> Iterator[tuple[Callable[[CondaRecord], bool], Bound]]:
        """What is asked of it, each bound once, the user's own lines first."""
        found: dict[str, list[tuple[Requirement, Bound]]] = {}
        keys = [self._key, *(key for key in self._resolution.edges if self._stood_for(key))]
        for edge in (edge for key in keys for edge in self._resolution.edges.get(key, ())):
            one = edge.requirement
            if isinstance(one, Matched | Specified):
                text = one.spec.text if isinstance(one, Matched) else str(one)
                bound = Bound(text, chain_of(edge, self._resolution))
                alike = text if bound.chain.parents else f"{text} {bound.chain.line.place}"
                found.setdefault(alike, []).append((one, bound))
        nearest = [(*min(some, key=_near), len(some) - 1) for some in found.values()]
        for one, bound, others in sorted(nearest, key=_near):
            yield self._admitting(one), bound._replace(others=others)

    def _stood_for(self, key: Key) -> bool:
        return key.kind == "pypi" and key.name in self._stands_for and not key.extra

    def _admitting(self, one: Requirement) -> Callable[[CondaRecord], bool]:
        if isinstance(one, Matched):
            return one.spec.admits
        assert isinstance(one, Specified)
        limit = one.specifier

        def admits(record: CondaRecord) -> bool:
            from mlpin.index.names import version as parsed

            try:
                return not limit.text or limit.contains(parsed(record.version))
            except ValueError:
                return True

        return admits

    # -- what was not taken

    def _groups(self, groups: Sequence[Group], what: str) -> Iterator[Newer]:
        """The reasons of all of them, each once, with the versions (or builds) in the order given."""
        found = {text: self._direct(some) for text, some in groups}
        rest = [(text, some) for text, some in groups if found[text] is None]
        for again, reason in self._again(rest, what):
            found |= dict.fromkeys([text for text, _ in again], reason)
        alike: dict[tuple[object, ...], list[str]] = {}
        reasons: dict[tuple[object, ...], Reason] = {}
        for text, _ in groups:
            one = found[text]
            assert one is not None
            key: tuple[object, ...] = (one.kind, one.bound, one.fact, one.text)
            alike.setdefault(key, []).append(text)
            reasons.setdefault(key, one)
        for mark, texts in alike.items():
            first = reasons[mark]
            more = [(admits, bound) for admits, bound in self._asked if first.bound and bound != first.bound]
            some = [record for text, records in groups if text in texts for record in records]
            yield Newer(texts, first, [bound for admits, bound in more if not any(map(admits, some))])

    def _direct(self, some: Sequence[CondaRecord]) -> Reason | None:
        """What keeps builds out beside what else was taken."""
        for admits, bound in self._asked:
            if not any(map(admits, some)) and not bound.chain.passes(self._name):
                return Reason("bound", f"{bound.text} excludes it", bound)
        usable = [one for one in some if id(one) not in self._rejected]
        if not usable:
            why = self._rejected[id(some[0])]
            return Reason(why.kind, why.reason, fact=why.fact, rule=why.rule, remedy=why.remedy)
        if self._question.policy.resolution == "lowest":
            return Reason("lowest", "the oldest that fits is wanted (resolution = lowest)")
        if not self._record.track_features and all(one.track_features for one in usable):
            return Reason("channel", "has track_features, by which its channel lets every other build go first")
        first = min(one.position for one in usable)
        if self._question.policy.channel_priority == "flexible" and first > self._record.position:
            channels = f"{redacted(usable[0].channel)}, after {redacted(self._record.channel)}"
            text = f"is on {channels} (flexible channel priority)"
            return Reason("channel", text, fact="channel-priority")
        return None

    def _again(self, rest: Sequence[Group], what: str) -> Iterator[tuple[Sequence[Group], Reason]]:
        """The reasons of what nothing above keeps out: by asking for it."""
        locked = self._name in self._question.policy.preferred_builds
        while rest:
            outcome = self._trials.ask(self._limited(rest, locked=locked, what=what))
            then = outcome.conda.get(self._name) if isinstance(outcome, Resolution) else None
            at = next((at for at, (_, some) in enumerate(rest) if then in some), None)
            if isinstance(outcome, Resolution) and at is not None:
                text = f"{self._record.version} is locked; `-P {self._name}` takes it to {rest[at][0]}"
                yield rest[at:], Reason("locked", text) if locked else self._moved(outcome, rest[at][0])
                rest, locked = rest[:at], False
            elif isinstance(outcome, Conflict):
                told = clash(core(self._last, outcome, self._asker, Budget(_SHRINKING)), self._place)
                told = told._replace(premises=[one for one in told.premises if one.about != self._name])
                yield rest, Reason("clash", "it clashes with the rest", clash=told)
                return
            else:
                yield rest, Reason("untried", outcome if isinstance(outcome, str) else "was not found")
                return

    def _limited(self, rest: Sequence[Group], *, locked: bool, what: str) -> Question:
        """The question with nothing but these versions, or builds of the version that was taken."""
        if what == "version":
            text = f"{self._name} {'|'.join(f'=={one}' for one, _ in rest)}"
        else:
            builds = "|".join(re.escape(one) for one, _ in rest)
            text = f"{self._name}[version='=={self._record.version}', build='^({builds})$']"
        line = Declared(self._name, Origin("option", text=f"another {self._name}"), conda=text)
        asked = self._question._replace(requirements=(*self._question.requirements, line))
        if locked:
            policy = asked.policy
            kept = {name: build for name, build in policy.preferred_builds.items() if name != self._name}
            asked = asked._replace(policy=policy._replace(preferred_builds=kept))
        self._last = asked
        return asked

    def _moved(self, outcome: Resolution, got: str) -> Reason:
        """What another version would change."""
        moves = [one for one in moved(pins(self._resolution), pins(outcome)) if one.name != self._name]
        moves.sort(key=lambda one: not (one.old and one.new))
        text = f"with {got} other packages change" if moves else f"nothing speaks against {got}: ask for it in a line"
        if moves and moves[0].old and moves[0].new:
            text = f"with {got} there is {moves[0].name} {moves[0].new} instead of {moves[0].old}"
        return Reason("moves", text, moves=moves)


def _near(asked: tuple[object, ...]) -> tuple[int, tuple[str, ...], int, str]:
    bound = asked[1]
    assert isinstance(bound, Bound)
    return len(bound.chain.parents), bound.chain.parents, bound.chain.line.line, bound.text


def _newer(record: CondaRecord, mine: object) -> bool:
    try:
        return bool(version(record.version) > mine)
    except InputError:
        return False


def _by_version(records: Sequence[CondaRecord]) -> list[Group]:
    """The records by version, the newest first."""
    found: dict[str, list[CondaRecord]] = {}
    for record in records:
        found.setdefault(record.version, []).append(record)
    return sorted(found.items(), key=lambda one: version(one[0]), reverse=True)


def pin_of(name: str, resolution: Resolution) -> Candidate | None:
    """The conda package that `name` means in a resolution: its own name, or a distribution that it stands in for.

    None where PyPI's package of that name is there, or nothing is.
    """
    from mlpin.requirement import normalise

    stood = resolution.pins.get(distribution(normalise(name)))
    if stood is not None and not stood.carrier:
        return None
    own = resolution.pins.get(Key("conda", name.lower()))
    if own is None and stood is not None:
        own = resolution.pins.get(Key("conda", stood.carrier))
    return own if own is not None and own.record is not None else None
