"""The five methods by which resolvelib asks about candidates and requirements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from resolvelib import AbstractProvider

from mlpin.candidate import Candidate, Key
from mlpin.errors import BadDistribution
from mlpin.resolver.requirements import Matched, SameVersion, Sourced, Specified, StandsIn
from mlpin.resolver.rules import SHADOWS
from mlpin.resolver.view import View

if TYPE_CHECKING:
    from packaging.version import Version

    from mlpin.requirement import Requirement

Progress = Callable[[int, int], None]
"""Told of (names decided, names known) from time to time."""


class Provider(AbstractProvider["Requirement", Candidate, Key]):
    """Answers from a view. One object serves one resolution."""

    def __init__(self, view: View, roots: Sequence[Requirement], progress: Progress | None = None) -> None:
        self.view = view
        self._progress = progress
        self._order: dict[str, int] = {}
        for requirement in roots:
            self._order.setdefault(requirement.key.name, len(self._order))

    def identify(self, requirement_or_candidate: Requirement | Candidate) -> Key:
        return requirement_or_candidate.key

    def get_preference(
        self,
        identifier: Key,
        resolutions: Mapping[Key, Candidate],  # noqa: ARG002
        candidates: Mapping[Key, Iterator[Candidate]],  # noqa: ARG002
        information: Mapping[Key, Iterator[Any]],
        backtrack_causes: Sequence[Any],  # noqa: ARG002
    ) -> tuple[bool, bool, int, int, str, str]:
        """Facts of the target and sources first, then exact pins, then the user's own names in their order."""
        fixed = pinned = False
        for entry in information[identifier]:
            requirement = entry.requirement
            if isinstance(requirement, Specified):
                pinned = pinned or requirement.specifier.exact
            elif isinstance(requirement, Matched):
                pinned = pinned or (entry.parent is None and requirement.spec.exact)
            else:
                fixed = True
                break
        return (
            not fixed,
            not pinned,
            self._turn(identifier),
            self._order.get(identifier.name, 1 << 30),
            identifier.name,
            identifier.extra,
        )

    def _turn(self, key: Key) -> int:
        """What no conda package carries first, then conda's packages, then what one may stand in for.

        A distribution that is decided late falls back to releases from before it said what it needs; a conda package
        goes to another build.
        """
        if key.kind == "conda":
            return 1
        conda = self.view.conda
        if conda is None or key.kind != "pypi" or not conda.carries(key.name):
            return 0
        return 1 if self.view.policy.preference(key.name) == "conda" else 2

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[Key],
        resolutions: Mapping[Key, Candidate],
        candidates: Mapping[Key, Iterator[Candidate]],  # noqa: ARG002
        information: Mapping[Key, Iterator[Any]],  # noqa: ARG002
        backtrack_causes: Sequence[Any],
    ) -> Iterable[Key]:
        """The names that took part in the last conflict, if any is undecided: a dead end shows sooner there."""
        if self._progress:
            self._progress(len(resolutions), len(resolutions) + 1)
        if not backtrack_causes:
            return identifiers
        blamed = set()
        for cause in backtrack_causes:
            blamed.add(cause.requirement.key)
            if cause.parent is not None:
                blamed.add(cause.parent.key)
        names = list(identifiers)
        return [key for key in names if key in blamed] or names

    def find_matches(
        self,
        identifier: Key,
        requirements: Mapping[Key, Iterator[Requirement]],
        incompatibilities: Mapping[Key, Iterator[Candidate]],
    ) -> Iterable[Candidate] | Callable[[], Iterable[Candidate]]:
        asked = list(requirements[identifier])
        dropped = {id(candidate) for candidate in incompatibilities[identifier]}
        if not dropped:
            return matches(self.view, identifier, asked)
        found = matches(self.view, identifier, asked)
        if isinstance(found, Live):
            return Live(lambda: (candidate for candidate in found if id(candidate) not in dropped))
        if callable(found):
            return lambda: (candidate for candidate in found() if id(candidate) not in dropped)
        return [candidate for candidate in found if id(candidate) not in dropped]

    def is_satisfied_by(self, requirement: Requirement, candidate: Candidate) -> bool:
        return requirement.admits(candidate)

    def get_dependencies(self, candidate: Candidate) -> Iterable[Requirement]:
        return self.view.requires(candidate)


class Live(Sequence[Candidate]):
    """Candidates that are looked for each time that they are asked for: what is decided meanwhile counts.

    resolvelib keeps what a function has given it, and looks at a sequence anew.
    """

    def __init__(self, search: Callable[[], Iterator[Candidate]]) -> None:
        self._search = search

    def __iter__(self) -> Iterator[Candidate]:
        return self._search()

    def __bool__(self) -> bool:
        return next(self._search(), None) is not None

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, place: Any) -> Any:
        return list(self)[place]


def matches(
    view: View,
    key: Key,
    asked: Sequence[Requirement],
    *,
    everything: bool = False,
    liberal: bool = False,
    held_back: dict[Candidate, None] | None = None,
) -> Sequence[Candidate] | Callable[[], Iterator[Candidate]]:
    """The candidates of `key` that satisfy all that is asked and the user's constraints, in the order to try them.

    Final versions come before pre-releases, as with uv, unless the policy is `allow`. With `everything` pre-releases
    follow wherever they may, so that the answer only shrinks as requirements are added: what a proof of
    impossibility needs. A requirement still to come can admit what none has so far: a yanked version by pinning it,
    a pre-release by naming it where the policy is `explicit`. `liberal` offers these last (`allowed` then judges the
    whole); else they are put into `held_back`.
    """
    if key.kind in SHADOWS and view.rules is not None:
        return view.rules.shadow(key, list(asked))
    conda = view.conda
    if key.kind == "conda":
        assert conda is not None
        return Live(lambda: conda.candidates(key, asked))
    if key.kind != "pypi":
        return [view.python] if key == view.python.key and all(one.admits(view.python) for one in asked) else []
    restricting: Sequence[Requirement] = asked
    if key.name in view.constraints:
        restricting = [*asked, *view.constraints[key.name]]
    for requirement in restricting:
        if isinstance(requirement, SameVersion):
            return _if_admitted(view.seen_as(requirement.candidate, key), restricting)
        if isinstance(requirement, StandsIn):
            return _if_admitted(view.seen_as(requirement.candidate, key), restricting)
        if isinstance(requirement, Sourced):
            try:
                return _if_admitted(view.seen_as(view.sourced(requirement), key), restricting)
            except BadDistribution:
                return []
    ranges = {one.specifier.text: one.specifier for one in restricting if isinstance(one, Specified)}
    specifiers = [one for text, one in ranges.items() if text]
    exact = any(one.exact for one in specifiers)
    mode = view.policy.prerelease
    mixed = mode == "allow"
    necessary = mode in {"if-necessary", "if-necessary-or-explicit"}
    named = mode in {"explicit", "if-necessary-or-explicit"} and any(one.names_prerelease for one in specifiers)

    def admitted(version: Version) -> bool:
        return all(one.contains(version) for one in specifiers)

    back: dict[Candidate, None] = {} if held_back is None else held_back

    def unyanked(found: Iterator[Candidate]) -> Iterator[Candidate]:
        for candidate in found:
            if exact or candidate.yanked is None:
                yield candidate
            else:
                back[candidate] = None

    def final(version: Version) -> bool:
        return not version.is_prerelease and admitted(version)

    def unfinished(version: Version) -> bool:
        return version.is_prerelease and admitted(version)

    def search() -> Iterator[Candidate]:
        offered = admitted if mixed else final
        first = view.preferred(key)
        # A pre-release that is locked stays, if the policy admits any that is not pinned outright.
        kept = admitted if necessary or named else offered
        if first is not None and kept(first.version) and (exact or first.yanked is None):
            yield first
        else:
            first = None
        none = first is None or first.version.is_prerelease
        for candidate in unyanked(view.candidates(key, offered)):
            none = False
            if candidate is not first:
                yield candidate
        if named or (necessary and (none or everything) and not any(map(final, view.taken_away(key.name)))):
            for candidate in unyanked(view.candidates(key, unfinished)):
                if candidate is not first:
                    yield candidate
        elif mode == "explicit":
            if liberal:
                yield from unyanked(view.candidates(key, unfinished))
            else:
                back.update(dict.fromkeys(view.candidates(key, unfinished)))
        if liberal:
            yield from list(back)

    if conda is None or not conda.joint:
        return search

    def in_both_worlds() -> Iterator[Candidate]:
        standing, must = conda.standing_in(key.name)
        fitting = [view.seen_as(one, key) for one in standing if all(other.admits(one) for other in restricting)]
        if must:
            yield from fitting
        elif view.policy.preference(key.name) == "conda":
            yield from fitting
            yield from search()
        else:
            yield from search()
            yield from fitting

    return Live(in_both_worlds)


def allowed(view: View, name: str, pins: Sequence[Candidate], asked: Sequence[Requirement]) -> bool:
    """Whether the pins of a name may stand: a yanked version is pinned, a pre-release named where it must be.

    `asked` is everything that is asked of the distribution and its extras.
    """
    mode = view.policy.prerelease
    said = [one.specifier for one in (*asked, *view.constraints.get(name, ())) if isinstance(one, Specified)]
    for pin in pins:
        if pin.source is not None or pin.carrier:
            continue
        if pin.yanked is not None and not any(one.exact for one in said):
            return False
        if mode == "explicit" and pin.version.is_prerelease and not any(one.names_prerelease for one in said):
            return False
    return True


def _if_admitted(candidate: Candidate, asked: Sequence[Requirement]) -> list[Candidate]:
    return [candidate] if all(one.admits(candidate) for one in asked) else []
