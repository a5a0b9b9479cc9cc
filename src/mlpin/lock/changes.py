"""What a new lock changes against the old one, and why."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple

from mlpin.candidate import Candidate, Key, Rejection, distribution
from mlpin.lock.file import OldLock
from mlpin.outcome import Resolution
from mlpin.resolver.view import View


class Change(NamedTuple):
    """One package that was added, removed or moved; `why` in a few words."""

    kind: Literal["added", "removed", "changed"]
    name: str
    old: str = ""
    new: str = ""
    why: str = ""


def changes(
    old: OldLock | None,
    resolution: Resolution,
    view: View,
    upgraded: AbstractSet[str],
    commits: Mapping[str, str],
) -> list[Change]:
    """The differences by name; empty where there was no lock.

    `upgraded` names, or `:all:`, were free to move. `commits` are those of the new lock by name.
    """
    if old is None:
        return []
    found = []
    new = resolution.packages
    for name in sorted(old.names | new.keys()):
        pin = new.get(name)
        before = old.versions.get(name, "")
        if pin is None:
            found.append(Change("removed", name, before, "", "nothing asks for it any more"))
        elif name not in old.names:
            found.append(Change("added", name, "", str(pin.version), _asker(resolution, name)))
        elif before and before != str(pin.version):
            why = _why_moved(resolution, view, pin, before, upgraded)
            found.append(Change("changed", name, before, str(pin.version), why))
    locked = dict(old.commits.values())
    for name, commit in sorted(commits.items()):
        if name in locked and locked[name] != commit:
            found.append(Change("changed", name, locked[name][:12], commit[:12], "its branch or tag has moved"))
    return found


def _asker(resolution: Resolution, name: str) -> str:
    edge = resolution.edges[distribution(name)][0]
    return f"needed by {edge.parent.name}" if edge.parent else edge.requirement.origin.place


def _why_moved(resolution: Resolution, view: View, pin: Candidate, before: str, upgraded: AbstractSet[str]) -> str:
    listing = view.listing(pin.name) if pin.source is None else None
    if listing is None:
        return "from another source"
    if before not in listing.versions:
        return "the old version is gone from the index"
    old = view._candidate(listing, before)  # noqa: SLF001
    if isinstance(old, Rejection):
        return f"the old version {old.reason}"
    for key in (Key("pypi", pin.name), *(key for key in resolution.edges if key.name == pin.name and key.extra)):
        for edge in resolution.edges.get(key, ()):
            requirement = edge.requirement
            if requirement.key.extra == "" and not requirement.admits(old) and requirement.key == old.key:
                who = edge.parent.name if edge.parent else requirement.origin.place
                return f"{who} asks for {requirement}"
    if upgraded & {":all:", pin.name}:
        return "upgraded"
    return "moved with the packages around it"
