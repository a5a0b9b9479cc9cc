"""What a search will probably ask for next, fetched beside it. Nothing here blocks or decides anything."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from mlpin.candidate import Candidate, Key
from mlpin.resolver.requirements import SameVersion, Specified

if TYPE_CHECKING:
    from mlpin.requirement import Requirement
    from mlpin.resolver.ports import Catalog
    from mlpin.resolver.view import View

AHEAD = 8
"""So many releases ahead of a search that goes from one to the next their metadata is fetched."""


class Guesses:
    """The guesses about one view, handed to the catalog."""

    def __init__(self, view: View, catalog: Catalog) -> None:
        self._view = view
        self._catalog = catalog
        self._foreseen: set[tuple[Key, str]] = set()
        self._passed: dict[str, int] = {}
        self.rejected = 0
        """How many candidates the search has gone on from."""

    def foresee(self, requirements: Iterable[Requirement]) -> None:
        """Hear of requirements: the best candidate of each will probably be needed, with all that it requires."""
        for requirement in requirements:
            if isinstance(requirement, Specified):
                mark = (requirement.key, requirement.specifier.text)
                if mark not in self._foreseen:
                    self._foreseen.add(mark)
                    self._catalog.foresee(lambda wanted=requirement: self._guess(wanted))  # type: ignore[misc]
            elif isinstance(requirement, SameVersion) and requirement.key.extra:
                same = (requirement.key, str(requirement.candidate.version))
                if same not in self._foreseen:
                    self._foreseen.add(same)
                    extra = self._view.seen_as(requirement.candidate, requirement.key)
                    self._catalog.foresee(lambda known=extra: self._requirements(known))  # type: ignore[misc]

    def passed(self, candidate: Candidate) -> None:
        """Hear that the search goes on from a candidate: the next ones of its name will probably be asked for."""
        self.rejected += 1
        name = candidate.name
        count = self._passed[name] = self._passed.get(name, 0) + 1
        if candidate.key.kind != "pypi" or candidate.source is not None or count % AHEAD != AHEAD // 2:
            return
        version = candidate.version
        further = version.__lt__ if self._view.lowest_first(name) else version.__gt__
        for one in islice(self._view.candidates(Key("pypi", name), further), AHEAD):
            self._catalog.foresee(lambda ahead=one: self._view.metadata(ahead))  # type: ignore[misc]

    def _guess(self, wanted: Specified) -> None:
        view = self._view
        preferred = view.preferred(wanted.key)
        if preferred is not None and wanted.admits(preferred):
            best: Candidate | None = preferred
        else:
            found = (
                candidate
                for candidate in view.candidates(wanted.key, wanted.specifier.contains)
                if candidate.yanked is None
            )
            finals = view.policy.prerelease != "allow"
            best = next((candidate for candidate in found if not (finals and candidate.version.is_prerelease)), None)
        if best is not None:
            self._requirements(best)

    def _requirements(self, candidate: Candidate) -> None:
        self.foresee(list(self._view.requires(candidate)))
