"""The conda side of a view: channels as domains, kept consistent with what a search has decided in both worlds.

A conda package that carries a distribution stands in for it: where it is installed, the distribution is that one and
comes from no index; what is asked of the distribution is asked of it. Channel priority, the order of candidates and
what is offered at all are settled here. It speaks to no channel: `records` brings what they have.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mlpin.candidate import PYTHON, Candidate, Key, Rejection, distribution
from mlpin.conda.names import conda_names, may_provide
from mlpin.conda.record import CondaRecord
from mlpin.conda.spec import MatchSpec, match_spec, version
from mlpin.conda.virtual import cuda_of, subdir, virtual_packages
from mlpin.outcome import Group
from mlpin.requirement import Origin
from mlpin.resolver.grounds import FROM_METADATA, Fact, Grounds, Move, State, conda_key
from mlpin.resolver.network import Domain, Network, positions
from mlpin.resolver.records import Shelf, ranked
from mlpin.resolver.requirements import Carried, Matched, PythonRange, Specified, StandsIn

if TYPE_CHECKING:
    from packaging.version import Version

    from mlpin.requirement import Requirement
    from mlpin.resolver.policy import Policy
    from mlpin.resolver.ports import Catalog
    from mlpin.resolver.rules import Rulebook
    from mlpin.resolver.view import View
    from mlpin.target import Target

PYTHON_PACKAGE = "python"
_CUDA_PACKAGES = ("cuda-version", "cudatoolkit")
"""The packages whose version is that of CUDA; builds go with one of them."""
Records = Callable[[Sequence[str]], Mapping[str, Sequence[CondaRecord]]]


class Conda:
    """Domains, requirements and reasons of the conda packages of one target."""

    def __init__(
        self,
        target: Target,
        policy: Policy,
        rules: Rulebook | None,
        records: Records,
        virtual: Sequence[CondaRecord],
        shelf: Shelf | None = None,
    ) -> None:
        self._target = target
        self._policy = policy
        self._rules = rules
        self._records = records
        self._shelf = shelf or Shelf(policy, rules)
        self._named: set[str] = set()
        """Names for which the user says the channel: priority does not count there."""
        self.virtual = tuple(virtual)
        self._virtual = {record.name: record for record in virtual}
        self._roots: list[tuple[str, Callable[[Domain], int], Requirement]] = []
        self._asked: dict[str, None] = {}
        self._lines: dict[tuple[str, str, Origin], Matched] = {}
        self._network: Network | None = None
        self._state: State | None = None
        self._seen: tuple[Hashable, int] | None = None
        self._candidates: dict[tuple[str, int], Candidate] = {}
        self._standing: dict[tuple[str, str, Version], Candidate] = {}
        self._required: dict[int, tuple[Requirement, ...]] = {}
        self._carriers: dict[str, list[str]] = {}
        self._waived = target.waived | (rules.waived if rules is not None else frozenset())
        self.joint = False
        """Whether distributions of PyPI are asked for as well."""
        self.grounds = Grounds(self._candidate)
        """What the refusals so far rested on."""
        self.groups: frozenset[Group] | None = None
        """What candidates may ask, where that is restricted."""

    # -- what is asked from outside

    def requirement(self, name: str, text: str, origin: Origin) -> Matched:
        """The requirement that a line on a conda package makes, which counts from then on."""
        known = self._lines.get((name, text, origin))
        if known is not None:
            return known
        asked = self._lines[name, text, origin] = Matched(conda_key(name), match_spec(text), origin)
        if asked.spec.channel:
            self._named.add(name)
        self._roots.append((name, lambda domain: domain.matching(asked.spec), asked))
        self._asked[name] = None
        return asked

    def limit(self, name: str, text: str, origin: Origin) -> None:
        """Let a constraint on a conda package count: only where that is installed."""
        spec = match_spec(text)
        limit = Matched(conda_key(name), spec, origin)
        self._roots.append((name, lambda domain: domain.matching(spec) | domain.absent, limit))

    def restrict(self, requirement: Specified) -> None:
        """Let a requirement of PyPI's count for what may stand in for its distribution."""
        for name in conda_names(requirement.key.name):
            self._roots.append(
                (name, lambda domain: self._shelf.within(domain, [requirement]) | domain.absent, requirement)
            )

    def asking_only(self, groups: Iterable[Group]) -> Conda:
        """The same, with candidates that ask for some groups of edges only."""
        virtual = self.virtual
        found = Conda(self._target, self._policy, self._rules, self._records, virtual, self._shelf)
        found._roots, found._asked, found._named = self._roots, self._asked, self._named
        found.joint, found.groups = self.joint, frozenset(groups)
        return found

    def watch(self, state: State) -> None:
        """Follow a search from now on."""
        self._state = state
        self._seen = None

    # -- the network

    @property
    def network(self) -> Network:
        """The domains as the search stands."""
        if self._network is None:
            self._network = Network(self._load, self._asks)
            self._begin(self._network)
        return self._network

    def _begin(self, network: Network) -> None:
        for name in self._virtual:
            network.root(name, lambda domain: domain.full & ~domain.absent, Fact(self.fact(name)))
        # The user's own lines go first: what two of them exclude counts as excluded by the first.
        for name, allowed, requirement in self._roots:
            network.root(name, allowed, requirement)
        if "python" not in self._waived and not self._policy.python_said:
            mine = match_spec(f"python {self._target.python}.*")
            network.root(PYTHON_PACKAGE, lambda domain: domain.matching(mine) | domain.absent, Fact("python"))
        if (cuda := self._target.hardware.cuda) and "cuda" not in self._waived:
            for name in _CUDA_PACKAGES:
                network.root(name, lambda domain: self._shelf.in_range(domain, cuda) | domain.absent, Fact("cuda"))
        network.add([*self._virtual, *self._asked])
        network.reduce()

    def _grow(self, names: Iterable[str]) -> None:
        """Bring names into the network that nothing in it asks for."""
        network = self.network
        new = [name for name in names if name not in network.domains]
        if not new:
            return
        while network.moves:
            network.pop()
        network.add(new)
        network.reduce()
        self._seen = None

    def _follow(self) -> Network:
        network = self.network
        if self._state is None:
            return network
        seen = (self._state.mark, len(network.domains))
        if seen == self._seen:
            return network
        moves = dict(self._moves(network))
        wrong = next((place for place, move in enumerate(network.moves) if move not in moves), len(network.moves))
        while len(network.moves) > wrong:
            network.pop()
        for move in network.moves:
            del moves[move]
        for move, cuts in moves.items():
            if network.failed:
                break
            network.push(move, cuts())
        self._seen = seen
        return network

    def consider(self, candidate: Candidate) -> bool:
        """Whether a candidate leaves something of every name. If so, it counts as decided until the search goes on."""
        if not self._is_move(candidate.key):
            return True
        self._seen = None  # another one may have been considered before
        network = self._follow()
        if network.failed or network.push(Move(candidate.key, id(candidate)), self._cuts(network, candidate)):
            return True
        network.pop()
        return False

    def _is_move(self, key: Key) -> bool:
        return key.kind == "conda" or (key.kind == "pypi" and not key.extra and key.name in self._carriers)

    def _moves(self, network: Network) -> Iterator[tuple[Move, Callable[[], list[tuple[str, int]]]]]:
        assert self._state is not None
        for key, pin in self._state.pins.items():
            if self._is_move(key):
                yield Move(key, id(pin)), lambda pin=pin: self._cuts(network, pin)  # type: ignore[misc]
        if not self.joint:
            return
        for key, asked in self._state.asked():
            if key == PYTHON or (key.kind == "pypi" and key.name in self._carriers):
                said = [one for one in asked if isinstance(one, Specified | PythonRange) and one.specifier.text]
                if said:
                    texts = frozenset(one.specifier.text for one in said)
                    yield Move(key, texts), lambda key=key, said=said: self._asked_cuts(network, key, said)  # type: ignore[misc]

    def _cuts(self, network: Network, pin: Candidate) -> list[tuple[str, int]]:
        """What a pin leaves of a conda package, or of those that may stand in for a distribution."""
        if pin.record is not None:
            return [(pin.name, 1 << network.domains[pin.name].records.index(pin.record))]
        found = []
        for carrier in self._carriers[pin.name]:
            domain = network.domains[carrier]
            carrying = self._shelf.carrying(domain, pin.name)
            same = domain.where(lambda record: self._shelf.version(record) == pin.version) if pin.carrier else 0
            found.append((carrier, domain.full & ~carrying | carrying & same))
        return found

    def _asked_cuts(
        self, network: Network, key: Key, asked: Sequence[Specified | PythonRange]
    ) -> list[tuple[str, int]]:
        carriers = [PYTHON_PACKAGE] if key == PYTHON else self._carriers[key.name]
        return [
            (carrier, self._shelf.within(domain, asked) | domain.absent)
            for carrier in carriers
            if (domain := network.domains.get(carrier)) is not None
        ]

    # -- domains

    def _load(self, names: Sequence[str]) -> dict[str, Domain]:
        found = {name: Domain(name, [self._virtual[name]]) for name in names if name in self._virtual}
        shelf = self._shelf
        for name in names:
            if name not in found and (known := shelf.known(name, channel_said=name in self._named)) is not None:
                found[name] = known
        missing = [name for name in names if name not in found and not name.startswith("__")]
        fetched = self._records(missing) if missing else {}
        for name in missing:
            found[name] = shelf.shelve(name, fetched.get(name, ()), channel_said=name in self._named)
        for name in names:
            if self.joint or shelf.is_ruled(name):
                for carried in may_provide(name):
                    if name in found and any(carried in shelf.carried(record) for record in found[name].records):
                        self._carriers.setdefault(carried, []).append(name)
        return found

    def _asks(self, record: CondaRecord) -> Sequence[tuple[MatchSpec, bool]] | None:
        """What a record asks of others; False: only if they are installed. None: it cannot be read."""
        found = self._shelf.asks(record)
        if found is None or (self.groups is None and not self._waived):
            return found
        return [(spec, required) for spec, required in found if self._counts(record.name, spec.name)]

    def _counts(self, name: str, other: str) -> bool:
        if other.startswith("__") and self.fact(other) in self._waived:
            return False
        return self.groups is None or Group(conda_key(name), conda_key(other)) in self.groups

    def fact(self, name: str) -> str:
        """The fact of the target that a virtual package says, as `Rejection` names it; its own name if set outright."""
        if any(name == stated for stated, _ in self._target.virtual):
            return name
        if name == "__glibc":
            return "glibc"
        if name in {"__cuda", "__cuda_arch"}:
            return "driver" if self._target.hardware.driver else "accelerator"
        return "platform"

    # -- candidates

    def candidates(self, key: Key, asked: Sequence[Requirement]) -> Iterator[Candidate]:
        """The candidates of a conda package that all that is asked and decided leaves, best first."""
        network = self._follow()
        if network.failed:
            return
        if key.name not in network.domains:
            self._grow([key.name])
            network = self._follow()
        domain = network.domains[key.name]
        mask = network.masks[key.name] & ~domain.absent
        for one in asked:
            mask &= self._mask(domain, one)
        kept = self._policy.preferred_builds.get(key.name)
        for position in ranked(domain, mask, kept, lambda record: self._best_of(network, record)):
            yield self._candidate(domain, position)

    def _mask(self, domain: Domain, requirement: Requirement) -> int:
        if isinstance(requirement, Matched):
            return domain.matching(requirement.spec)
        return domain.where(lambda record: requirement.admits(self._seen_as(record)))

    def _seen_as(self, record: CondaRecord) -> Candidate:
        return Candidate(conda_key(record.name), version(record.version), record=record)

    def _candidate(self, domain: Domain, position: int) -> Candidate:
        known = self._candidates.get((domain.name, position))
        if known is None:
            known = self._candidates[domain.name, position] = self._seen_as(domain.records[position])
        return known

    def _best_of(self, network: Network, record: CondaRecord) -> dict[str, Any]:
        """By dependency of a record, the newest version of it that is left."""
        found: dict[str, Any] = {}
        for spec, required in self._asks(record) or ():
            domain = network.domains.get(spec.name)
            if required and domain is not None and not spec.name.startswith("__"):
                left = network.masks[spec.name] & domain.matching(spec)
                if left:
                    found[spec.name] = version(domain.records[(left & -left).bit_length() - 1].version)
        return found

    # -- both worlds

    def standing_in(self, name: str) -> tuple[list[Candidate], bool]:
        """The conda packages that may stand in for a distribution as candidates of it, and whether one must."""
        if self._policy.preference(name) == "conda":
            self._grow(conda_names(name))
        network = self._follow()
        if network.failed:
            return [], True
        found: list[Candidate] = []
        must = False
        for carrier in self._carriers.get(name, ()):
            domain = network.domains[carrier]
            left = network.masks[carrier] & self._shelf.carrying(domain, name)
            must = must or (network.must(carrier) and bool(left))
            for position in positions(left):
                known = self._shelf.version(domain.records[position])
                if known is not None:
                    found.append(self._stand_in(name, carrier, known))
        return list(dict.fromkeys(found)), must

    def carries(self, name: str) -> bool:
        """Whether a conda package that may be reached carries the distribution."""
        return name in self._carriers

    def carriers(self, name: str) -> Sequence[str]:
        """The conda packages that may be reached and carry the distribution."""
        self._follow()
        return self._carriers.get(name, ())

    def _stand_in(self, name: str, carrier: str, known: Version) -> Candidate:
        mark = (name, carrier, known)
        found = self._standing.get(mark)
        if found is None:
            found = self._standing[mark] = Candidate(distribution(name), known, carrier=carrier)
        return found

    def requires(self, candidate: Candidate) -> tuple[Requirement, ...]:
        """What a conda package asks for, or the candidate of a distribution that one stands in for."""
        if candidate.carrier:
            return (Carried(conda_key(candidate.carrier), candidate.name, candidate.version, FROM_METADATA),)
        known = self._required.get(id(candidate))
        if known is None:
            record = candidate.record
            assert record is not None
            made: list[Requirement] = [
                Matched(conda_key(spec.name), spec, FROM_METADATA)
                for spec, required in self._asks(record) or ()
                if required
            ]
            number = self._shelf.version(record)
            if number is not None:
                made += [
                    StandsIn(self._stand_in(name, record.name, number), FROM_METADATA)
                    for name in self._shelf.carried(record)
                    if self.joint or (self._rules is not None and self._rules.speaks_of(name))
                ]
            known = self._required[id(candidate)] = tuple(made)
        return known

    # -- reasons

    @property
    def channels(self) -> tuple[str, ...]:
        return self._policy.channels

    @property
    def subdir(self) -> str:
        return subdir(self._target.platform)

    def has(self, name: str) -> str:
        """The version of a virtual package of the target, with its build if it has one; empty: it is not there."""
        record = self._virtual.get(name)
        if record is None:
            return ""
        return record.version if record.build in {"", "0"} else f"{record.version}={record.build}"

    def listed(self, name: str) -> tuple[Sequence[CondaRecord], Sequence[tuple[CondaRecord, Rejection]]]:
        """What the channels have of a package: what is offered, best first, and what is not."""
        self._grow([name])
        return self.network.domains[name].records, self._shelf.rejected(name, channel_said=name in self._named)

    def asked_for(self, name: str, lines: Sequence[Requirement]) -> list[CondaRecord]:
        """The records that are offered and that some lines leave, best first."""
        asked = [one for one in lines if isinstance(one, Matched) and one.key.name == name]
        return [record for record in self.listed(name)[0] if all(one.spec.admits(record) for one in asked)]

    def wishes(self, record: CondaRecord, other: str) -> list[tuple[MatchSpec, bool]]:
        """What a record asks of another package; False: only if that is installed."""
        return [(spec, required) for spec, required in self._asks(record) or () if spec.name == other]

    def wished(self, other: str) -> list[str]:
        """What all that was reached asks of another package, each wish once, in its own words."""
        found: dict[str, None] = {}
        for name, domain in self.network.domains.items():
            for asking in self.network.asked(name, other, domain.full):
                found |= dict.fromkeys(spec.text for spec in asking.specs)
        return list(found)

    def blamed(self, name: str) -> set[Key]:
        """The decisions because of which candidates of a conda package are gone, or of what carries a distribution.

        What it rests on beside them is noted among the `grounds`.
        """
        network = self._follow()
        names = [one for one in (name, *self._carriers.get(name, ())) if one in network.domains]
        if network.failed:
            names = [network.failed]
        found: set[Key] = set()
        for one in names:
            gone = None if network.failed else network.domains[one].full & ~network.masks[one]
            for event in network.trace(one, gone):
                if isinstance(event.cause, Move):
                    found.add(event.cause.key)
                else:
                    self.grounds.note(network, event)
        return found


def side(view: View, catalog: Catalog, *, joint: bool) -> Conda:
    """The conda side of a view. `joint`: distributions of PyPI are asked for as well."""
    target, policy, rules = view.target, view.policy, view.rules
    cuda = cuda_of(target, rules.matrix) if rules is not None else ""
    records = partial(catalog.records, policy.channels, subdir(target.platform))
    found = Conda(target, policy, rules, records, virtual_packages(target, cuda, target.virtual), view.shelf)
    found.joint = joint
    for requirements in view.constraints.values():
        for requirement in requirements:
            if isinstance(requirement, Specified):
                found.restrict(requirement)
    for line in policy.constraints:
        if line.conda and view.holds(line.marker):
            found.limit(line.name, line.conda, line.origin)
    return found
