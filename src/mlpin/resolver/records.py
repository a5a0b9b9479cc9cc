"""Which records of the channels are offered on a target, in which order, and which distributions they carry.

Channel priority, cutoffs and rules refuse a record with its reason. The order is conda's: no track_features, the
newest version, the first channel, the highest build number, a build for the platform before one for any, the newest
dependencies, the latest upload.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from mlpin.candidate import Rejection, RejectionKind
from mlpin.conda.names import may_provide, provides
from mlpin.conda.record import CondaRecord
from mlpin.conda.spec import MatchSpec, match_spec, version
from mlpin.errors import InputError
from mlpin.index.names import version as parsed
from mlpin.resolver.network import Domain, positions
from mlpin.resolver.requirements import PythonRange, Specified, specifier

if TYPE_CHECKING:
    from packaging.version import Version

    from mlpin.resolver.policy import Policy
    from mlpin.resolver.rules import Rulebook


_Rejected = tuple[CondaRecord, Rejection]


class Shelf:
    """The records of one target. Views whose target, channels, rules and policy for them are the same can share one."""

    def __init__(self, policy: Policy, rules: Rulebook | None) -> None:
        self._policy = policy
        self._rules = rules
        self._versions: dict[str, Version | None] = {}
        self._ruled: dict[str, bool] = {}
        self._carried: dict[int, tuple[tuple[str, ...], CondaRecord]] = {}
        self._asks: dict[int, tuple[tuple[tuple[MatchSpec, bool], ...] | None, CondaRecord]] = {}
        self._domains: dict[tuple[str, bool], Domain] = {}
        self._rejected: dict[tuple[str, bool], list[_Rejected]] = {}
        self._unreadable: dict[str, list[_Rejected]] = {}

    def known(self, name: str, *, channel_said: bool) -> Domain | None:
        """The domain of a name, if its records were shelved."""
        return self._domains.get((name, channel_said))

    def shelve(self, name: str, records: Sequence[CondaRecord], *, channel_said: bool) -> Domain:
        """The records of a name that may be taken, best first. Where the user says its channel, priority is nothing."""
        strict = self._policy.channel_priority == "strict" and not channel_said
        first = min((record.position for record in records), default=0)
        offered, rejected = [], []
        for record in records:
            why = _is_later(record) if strict and record.position > first else self._refusal(record)
            if why is None:
                offered.append(record)
            else:
                rejected.append((record, why))
        found = self._domains[name, channel_said] = Domain(name, sorted(offered, key=self._order))
        self._rejected[name, channel_said] = rejected
        return found

    def rejected(self, name: str, *, channel_said: bool) -> list[_Rejected]:
        """Records that exist and are not offered."""
        return [*self._rejected.get((name, channel_said), ()), *self._unreadable.get(name, ())]

    def asks(self, record: CondaRecord) -> tuple[tuple[MatchSpec, bool], ...] | None:
        """What a record asks of others; False: only if they are installed. None: it cannot be read."""
        known = self._asks.get(id(record))
        if known is None:
            found: list[tuple[MatchSpec, bool]] = []
            try:
                found += [(match_spec(text), True) for text in record.depends]
                found += [(match_spec(text), False) for text in record.constrains]
                known = (tuple(found), record)
            except InputError as error:
                why = _why(record, "metadata", error.message)
                self._unreadable.setdefault(record.name, []).append((record, why))
                known = (None, record)
            self._asks[id(record)] = known
        return known[0]

    def _refusal(self, record: CondaRecord) -> Rejection | None:
        try:
            version(record.version)
        except InputError as error:
            return _why(record, "metadata", error.message)
        cutoff = self._policy.cutoffs.get(record.name, self._policy.cutoff)
        if cutoff and _uploaded(record) >= cutoff:
            said = f"uploaded after {cutoff}" if record.timestamp else "its channel does not say when it was uploaded"
            return _why(record, "cutoff", said, "a later exclude-newer", "exclude-newer")
        if self._rules is not None and self.is_ruled(record.name):
            for name in self.carried(record):
                known = self.version(record)
                if known is not None and (found := self._rules.refuses(name, str(known), carried=True)):
                    return found._replace(name=record.name, version=f"{record.version} {record.build}")
        return None

    def _order(self, record: CondaRecord) -> tuple[Any, ...]:
        number = version(record.version)
        lowest = self._policy.resolution == "lowest" or record.name in self._policy.lowest
        newest = number if lowest else _Reversed(number)
        if self._policy.channel_priority == "flexible":
            ranked: tuple[Any, ...] = (record.position, newest)
        else:
            ranked = (newest, record.position)
        anywhere = record.subdir == "noarch"
        return (bool(record.track_features), *ranked, -record.build_number, anywhere, -record.timestamp, record.build)

    # -- what they carry

    def is_ruled(self, name: str) -> bool:
        """Whether a rule speaks of a distribution that packages of this name may carry."""
        known = self._ruled.get(name)
        if known is None:
            rules = self._rules
            known = rules is not None and any(rules.speaks_of(one) for one in may_provide(name))
            self._ruled[name] = known
        return known

    def carried(self, record: CondaRecord) -> tuple[str, ...]:
        """The distributions that a record stands in for, by normalised name."""
        known = self._carried.get(id(record))
        if known is None:
            # By identity, with the record beside the answer, so that no other one can get its id.
            known = self._carried[id(record)] = (provides(record), record)
        return known[0]

    def carrying(self, domain: Domain, name: str) -> int:
        """The records that stand in for a distribution."""
        return domain.where(lambda record: name in self.carried(record) and self.version(record) is not None)

    def within(self, domain: Domain, asked: Sequence[Specified | PythonRange]) -> int:
        """The records that are not in the way of what is asked of a distribution that they may stand in for."""
        key = asked[0].key

        def fits(record: CondaRecord) -> bool:
            if key.kind == "pypi" and key.name not in self.carried(record):
                return True
            known = self.version(record)
            return known is None or all(one.specifier.contains(known) for one in asked)

        return domain.where(fits)

    def in_range(self, domain: Domain, text: str) -> int:
        """The records whose version, as PEP 440 reads it, is in a range."""
        wanted = specifier(text)
        return domain.where(lambda record: (known := self.version(record)) is not None and wanted.contains(known))

    def version(self, record: CondaRecord) -> Version | None:
        """A record's version as PEP 440 reads it; None where it does not."""
        if record.version not in self._versions:
            try:
                self._versions[record.version] = parsed(record.version)
            except ValueError:
                self._versions[record.version] = None
        return self._versions[record.version]


def ranked(
    domain: Domain, mask: int, kept: tuple[str, str] | None, best: Callable[[CondaRecord], dict[str, Any]]
) -> Iterator[int]:
    """The positions of a mask in order, those of the version and build to keep first.

    Of builds that differ in nothing else, the one with the newest dependencies goes first: `best` has, by name, the
    newest version that is left of each.
    """
    if kept is not None:
        for position in positions(mask):
            record = domain.records[position]
            if (record.version, record.build) == kept:
                yield position
                mask &= ~(1 << position)
                break
    equal: list[int] = []
    for position in positions(mask):
        if equal and not _alike(domain.records[equal[0]], domain.records[position]):
            yield from _by_dependencies(domain, equal, best)
            equal = []
        equal.append(position)
    yield from _by_dependencies(domain, equal, best)


def _by_dependencies(domain: Domain, equal: list[int], best: Callable[[CondaRecord], dict[str, Any]]) -> list[int]:
    if len(equal) < 2:
        return equal
    newest = {position: best(domain.records[position]) for position in equal}

    def compared(one: int, other: int) -> int:
        mine, theirs = newest[one], newest[other]
        score = sum((mine[name] > theirs[name]) - (mine[name] < theirs[name]) for name in mine.keys() & theirs.keys())
        return -score or one - other

    return sorted(equal, key=cmp_to_key(compared))


def _is_later(record: CondaRecord) -> Rejection:
    reason = f"is on {record.channel}, after a channel that has {record.name} (strict channel priority)"
    remedy = f"`{record.channel}::{record.name}`, another order of channels, or channel-priority `flexible`"
    return _why(record, "channel", reason, remedy, "channel-priority")


def _why(record: CondaRecord, kind: RejectionKind, reason: str, remedy: str = "", fact: str = "") -> Rejection:
    return Rejection(record.name, f"{record.version} {record.build}", kind, reason, remedy, fact)


def _alike(one: CondaRecord, other: CondaRecord) -> bool:
    def mark(record: CondaRecord) -> tuple[Any, ...]:
        return (
            record.version,
            record.position,
            record.build_number,
            bool(record.track_features),
            record.subdir == "noarch",
        )

    return mark(one) == mark(other)


class _Reversed:
    """Sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and bool(self.value == other.value)

    __hash__ = None  # type: ignore[assignment]


def _uploaded(record: CondaRecord) -> str:
    """When a record was uploaded, as a cutoff is written; after any where that is not known."""
    if not record.timestamp:
        return "9999"
    from datetime import UTC, datetime

    seconds = record.timestamp / 1000 if record.timestamp > 10**11 else record.timestamp
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
