"""Links of a clash that are conda's: what builds ask for, what the channels have, what the target brings along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mlpin.conda.spec import version
from mlpin.explain.model import Link
from mlpin.explain.spans import which
from mlpin.index.url import redacted
from mlpin.resolver.requirements import Matched

if TYPE_CHECKING:
    from mlpin.candidate import Rejection
    from mlpin.conda.record import CondaRecord
    from mlpin.outcome import Edge, Group
    from mlpin.requirement import Requirement
    from mlpin.resolver.conda import Conda

_SPELLED = 4
"""So many different wishes are told one by one."""
_REASONS = 2


def asks(conda: Conda, group: Group, edges: Sequence[Edge], lines: Sequence[Requirement]) -> Link:
    """What the builds of a package ask of another one, as far as the user's lines on it leave any."""
    parent, child = group.parent, group.key
    assert parent is not None
    records = conda.asked_for(parent.name, lines)
    wishes: dict[str, list[CondaRecord]] = {}
    for record in records:
        for text in conda.wishes(record, child.name):
            wishes.setdefault(text, []).append(record)
    if not wishes:
        wishes = {str(edge.requirement): [edge.parent.record] for edge in edges if edge.parent and edge.parent.record}
    asking = list({id(record): record for some in wishes.values() for record in some}.values())
    who = f"{parent.name} {which(version(record.version) for record in asking)}"
    many = len({record.version for record in asking}) > 1
    said = f"{who} {'need' if many else 'needs'} {_wishes(wishes)}"
    if len(asking) < len(records):
        rest = len(records) - len(asking)
        said = f"{said} ({len(asking)} of {len(records)} builds; the other {rest} fall for other reasons)"
    if child.name.startswith("__"):
        there = conda.has(child.name)
        return Link(
            "metadata", f"{said}; the target has {there or 'none'}", parent.name, (conda.fact(child.name),), "declared"
        )
    return Link("metadata", said, parent.name, (child.name,), "declared")


def _wishes(wishes: dict[str, list[CondaRecord]]) -> str:
    texts = list(wishes)
    if len(texts) <= _SPELLED:
        return " or ".join(texts)
    shown = [*texts[: _SPELLED - 1], texts[-1]]
    return f"{', '.join(shown[:-1])} … or {shown[-1]} ({len(texts)} kinds)"


def offered(conda: Conda, name: str, lines: Sequence[Requirement]) -> Iterator[Link]:
    """Why what the user asks of a conda package is not to be had, where that is so."""
    if name.startswith("__"):
        return
    records, rejected = conda.listed(name)
    channels = ", ".join(redacted(channel) for channel in conda.channels) or "no channel"
    where = f"{channels} for {conda.subdir} and noarch"
    if not records and not rejected:
        yield Link("unknown", f"{name} is in none of the channels ({where}); is the name right?", name, (), "index")
        return
    for one in lines:
        if isinstance(one, Matched) and not any(one.spec.admits(record) for record in records):
            yield from _rejected(name, [why for record, why in rejected if one.spec.admits(record)])
            if records:
                versions = which(version(record.version) for record in records)
                text = f"no build of {name} is `{one.spec}`; {channels} has {versions} in {len(records)} builds"
            else:
                text = f"no build of {name} is offered"
            yield Link("offered", text, name, (), "index")
            return


def _rejected(name: str, rejections: Sequence[Rejection]) -> Iterator[Link]:
    groups: dict[str, list[Rejection]] = {}
    for one in rejections:
        groups.setdefault(one.reason, []).append(one)
    for reason, group in list(groups.items())[:_REASONS]:
        more = f" ({len(group)} builds)" if len(group) > 1 else ""
        text = f"{name} {group[0].version}{more} {reason}"
        fact = group[0].fact
        yield Link("offered", text, name, (fact,) if fact else (), "index", group[0].rule)
