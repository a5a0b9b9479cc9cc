"""Links of a clash that are conda's: what builds ask for, what the channels have, what the target brings along."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlpin.conda.spec import MatchSpec, match_spec, version
from mlpin.errors import InputError
from mlpin.explain.model import Link
from mlpin.index.url import redacted
from mlpin.resolver.requirements import Matched

if TYPE_CHECKING:
    from mlpin.candidate import Rejection
    from mlpin.conda.record import CondaRecord
    from mlpin.outcome import Group
    from mlpin.requirement import Requirement
    from mlpin.resolver.conda import Conda

_SPELLED = 4
"""So many different wishes are told one by one."""
_REASONS = 2
_BEFORE_FINAL = re.compile(r"(<[0-9.]*?)(?:\.0)*\.?a0(?=$|[,|])")
_LINE = re.compile(
    r"([0-9]+(?:\.[0-9]+)*)\.?\*|(?P<one>[0-9]+(?:\.[0-9]+)*)\|(?P=one)\.\*|>=([0-9]+(?:\.[0-9]+)*),<(?P<end>[0-9.]+)"
)
"""What asks for one release line."""
_VERB = {"is": "are", "has": "have", "was": "were", "needs": "need"}

_LARGE = {"conda-forge", "defaults", "main"}
"""The last parts of the names of channels that have most of what there is."""

Lines = Callable[[str], Sequence["Requirement"]]
"""What the user's lines say of a package."""


_Wishes = Mapping["_Wish", Sequence["CondaRecord"]]
"""What is wished, with the builds that wish it."""


def asks(conda: Conda, group: Group, groups: Iterable[Group], lines: Lines) -> Iterator[Link]:
    """What the builds of a package ask of another one, as far as the user's lines and the other links leave any."""
    parent, child, groups = group.parent, group.key, list(groups)
    assert parent is not None
    left = _left(conda, parent.name, groups, lines, frozenset())
    onward = any(one.parent is not None and one.parent.name == child.name for one in groups)
    there = () if child.name.startswith("__") else conda.listed(child.name)[0]
    for required in (True, False):
        wishes: dict[_Wish, list[CondaRecord]] = {}
        for record in left:
            specs = [spec for spec, needed in conda.wishes(record, child.name) if needed == required]
            wish = _Wish.of(specs, there)
            # What is open to all that there is matters only where the reason goes on from there.
            if wish.specs or (specs and required and onward):
                wishes.setdefault(wish, []).append(record)
        if not wishes:
            continue
        asking = list({id(record): record for some in wishes.values() for record in some}.values())
        part = f"{len(asking)} of {len(left)} builds" if len(asking) < len(left) else ""
        parts: list[tuple[_Wishes, Sequence[CondaRecord]]] = [(wishes, asking)]
        if not part and sum(one.parent == parent for one in groups) > 1:  # which goes with which matters
            parts = _by_version(wishes, there) or parts
        told = [_asking(child.name, some, records, there, part, required=required) for some, records in parts]
        text = f"{parent.name} {'; '.join(told)}"
        if required and there and not any(wish.admits(record) for wish in wishes for record in there):
            text = f"{text}; {_having(there)}"
        if child.name.startswith("__"):
            text = f"{text}; the target has {conda.has(child.name) or 'none'}"
        ends = (conda.fact(child.name),) if child.name.startswith("__") else (child.name,)
        yield Link("metadata", text, parent.name, ends, "declared")


def _asking(
    name: str,
    wishes: _Wishes,
    asking: Sequence[CondaRecord],
    there: Sequence[CondaRecord],
    part: str,
    *,
    required: bool,
) -> str:
    """What some builds ask, from their versions on."""
    many = len({record.version for record in asking}) > 1
    what = _own(name, wishes, there) or f"{name} {_words(wishes, there)}".strip()
    verb = ("need" if required else "go only with") if many else ("needs" if required else "goes only with")
    return f"{which(asking, part)} {'each ' * what.startswith('the ')}{verb} {what}"


def _by_version(wishes: _Wishes, there: Sequence[CondaRecord]) -> list[tuple[_Wishes, Sequence[CondaRecord]]]:
    """The same wishes apart by what the versions ask, where that is told in few words; empty where it is not."""
    by_version: dict[str, dict[_Wish, list[CondaRecord]]] = {}
    for wish, records in wishes.items():
        for record in records:
            by_version.setdefault(record.version, {}).setdefault(wish, []).append(record)
    alike: dict[str, dict[_Wish, list[CondaRecord]]] = {}
    for _, some in sorted(by_version.items(), key=lambda one: version(one[0])):
        together = alike.setdefault(_words(some, there), {})
        for wish, records in some.items():
            together.setdefault(wish, []).extend(records)
    if len(alike) >= _SPELLED:
        return []
    return [(some, [record for records in some.values() for record in records]) for some in alike.values()]


class _Wish(NamedTuple):
    """What one build asks of a package: all of these."""

    specs: tuple[MatchSpec, ...]

    @classmethod
    def of(cls, specs: Sequence[MatchSpec], there: Sequence[CondaRecord]) -> _Wish:
        """The wish without what says nothing beside the rest: without any where it is open to all that there is."""
        kept = list(dict.fromkeys(specs))
        for spec in list(kept) if there else ():
            others = [one for one in kept if one != spec]
            if all(spec.admits(record) for record in there if all(one.admits(record) for one in others)):
                kept = others
        return cls(tuple(kept))

    def admits(self, record: CondaRecord) -> bool:
        return all(spec.admits(record) for spec in self.specs)

    @property
    def build(self) -> str:
        return " ".join(filter(None, dict.fromkeys(spec.build for spec in self.specs)))


def _left(
    conda: Conda, name: str, groups: Iterable[Group], lines: Lines, above: frozenset[str]
) -> Sequence[CondaRecord]:
    """The builds that the user's lines leave, and what those who need the package among the links ask of it."""
    groups, found = list(groups), conda.asked_for(name, lines(name))
    for group in groups:
        if group.parent is None or group.parent.kind != "conda" or group.key.name != name or group.parent.name in above:
            continue
        specs: dict[MatchSpec, None] = {}
        for parent in _left(conda, group.parent.name, groups, lines, above | {name}):
            asked = [spec for spec, required in conda.wishes(parent, name) if required]
            if not asked:
                break
            specs |= dict.fromkeys(asked)
        else:
            fitting = [record for record in found if any(spec.admits(record) for spec in specs)]
            found = fitting or found
    return found


def which(records: Iterable[CondaRecord], more: str = "") -> str:
    """The versions as the channel writes them: `2.4.0`, `2.3.1 and 2.4.0`, `0.15.1 to 0.20.1 (14 versions)`."""
    found = sorted({record.version for record in records}, key=version)
    if len(found) < 3:
        return " and ".join(found) + (f" ({more})" if more else "")
    return f"{found[0]} to {found[-1]} ({', '.join(filter(None, (f'{len(found)} versions', more)))})"


# -- what is wished


def _own(name: str, wishes: _Wishes, there: Sequence[CondaRecord]) -> str:
    """The words for wishes each of which is for the version of who asks; empty where that is not so."""
    if len(wishes) <= _SPELLED:
        return ""
    for wish, records in wishes.items():
        versions = {record.version for record in there if wish.admits(record)}
        if any(versions - {record.version} for record in records):
            return ""
    return f"the {name} of their own version{_builds(wishes)}"


def _builds(wishes: Iterable[_Wish]) -> str:
    """What the builds that are asked for have in common, if it is more than a letter."""
    builds = [wish.build for wish in wishes]
    words = [re.match("[a-z]*", build)[0] for build in builds]  # type: ignore[index]
    return f", in a build {words[0]}*" if len(words[0]) > 1 and len({*words}) == 1 else ""


def _words(wishes: Iterable[_Wish], there: Sequence[CondaRecord]) -> str:
    """The wishes after the name of what they are for."""
    if any(not wish.specs for wish in wishes):
        return ""
    told = (",".join(filter(None, (_short(spec, there) for spec in wish.specs))) for wish in wishes)
    texts = sorted(dict.fromkeys(told), key=_natural)
    if len(texts) <= _SPELLED:
        return " or ".join(texts)
    admitted = [record for record in there if any(wish.admits(record) for wish in wishes)]
    if admitted:
        return which(admitted) + _builds(wishes)
    return f"{texts[0]} … or {texts[-1]} ({len(texts)} kinds), none of which there is"


def _natural(text: str) -> list[int]:
    return [int(number) for number in re.findall("[0-9]+", text)]


def _short(spec: MatchSpec, there: Sequence[CondaRecord]) -> str:
    """A wish without its name, in the shortest form that means the same for what there is."""
    tail = f" {spec.build}" if spec.build else ""
    text = _BEFORE_FINAL.sub(r"\1", spec.version)
    text = text if _alike(spec, f"{spec.name} {text}{tail}", there) else spec.version
    if found := _LINE.fullmatch(text):
        first, last = next(filter(None, found.groups())), found["end"]
        if not last or last == _after(first):
            line = f"{first}{tail}"
            return line if _alike(spec, f"{spec.name} {first}.*{tail}", there) else f"{text}{tail}"
    return f"{text}{tail}"


def _after(number: str) -> str:
    """The release line after one: `3.10` after `3.9`."""
    head, dot, last = number.rpartition(".")
    return f"{head}{dot}{int(last) + 1}"


def _alike(spec: MatchSpec, other: str, there: Sequence[CondaRecord]) -> bool:
    try:
        read = match_spec(other)
    except InputError:
        return False
    return all(spec.admits(record) == read.admits(record) for record in there)


# -- what there is


def offered(conda: Conda, name: str, lines: Sequence[Requirement]) -> Iterator[Link]:
    """Why what the user asks of a conda package is not to be had, where that is so."""
    if name.startswith("__"):
        yield from _of_target(conda, name, lines)
        return
    records, rejected = conda.listed(name)
    channels = ", ".join(redacted(channel) for channel in conda.channels) or "no channel"
    if not records and not rejected:
        where = f"{channels} for {conda.subdir} and noarch"
        text = f"{name} is in none of the channels ({where}); is the name right?{_maybe(conda.channels)}"
        yield Link("unknown", text, name, (), "index")
        return
    for one in lines:
        if isinstance(one, Matched) and not any(one.spec.admits(record) for record in records):
            yield from _rejected(name, [(record, why) for record, why in rejected if one.spec.admits(record)])
            has = f"{channels} has {which(records)} in {_count(len(records))}" if records else "none is offered"
            yield Link("offered", f"no build of {name} is `{one.spec.text}`; {has}", name, (), "index")
            return


def _maybe(channels: Iterable[str]) -> str:
    """What may be missing among the channels, where none of them is one that most packages are in."""
    if any(channel.rstrip("/").rpartition("/")[2] in _LARGE for channel in channels):
        return ""
    return (
        " conda adds channels of its own configuration and mlpin does not: `conda-forge` may be missing from the list"
    )


def _having(records: Sequence[CondaRecord]) -> str:
    """`nvidia has 11.7.1 and 12.1.0`: what there is of a package, by channel."""
    by_channel: dict[str, list[CondaRecord]] = {}
    for record in records:
        by_channel.setdefault(redacted(record.channel), []).append(record)
    return ", ".join(f"{channel} has {which(some)}" for channel, some in by_channel.items())


def _of_target(conda: Conda, name: str, lines: Sequence[Requirement]) -> Iterator[Link]:
    """What the target has of a virtual package, where a line asks for something else."""
    there = [record for record in conda.virtual if record.name == name]
    if any(isinstance(one, Matched) and not any(map(one.spec.admits, there)) for one in lines):
        has = f"{name} {conda.has(name)}" if there else f"no {name}"
        yield Link("offered", f"the target has {has}", name, (conda.fact(name),), "index")


def kept_out(conda: Conda, name: str, premises: Collection[str]) -> Iterator[Link]:
    """What is not offered of a conda package because of some of the premises: facts, options and rules by name."""
    if not name.startswith("__"):
        rejected = conda.listed(name)[1]
        yield from _rejected(name, [(one, why) for one, why in rejected if {why.fact, why.rule} & {*premises}])


def _rejected(name: str, rejections: Sequence[tuple[CondaRecord, Rejection]]) -> Iterator[Link]:
    groups: dict[str, list[tuple[CondaRecord, Rejection]]] = {}
    for record, one in rejections:
        groups.setdefault(one.reason, []).append((record, one))
    for reason, group in list(groups.items())[:_REASONS]:
        verb, _, rest = reason.partition(" ")
        many = len({record.version for record, _ in group}) > 1
        told = f"{_VERB[verb]} {rest}" if many and verb in _VERB else reason
        records, first = [record for record, _ in group], group[0][1]
        ends = (first.fact,) if first.fact else ()
        yield Link("offered", f"{name} {which(records)} {told}", name, ends, "index", first.rule)


def _count(builds: int) -> str:
    return "1 build" if builds == 1 else f"{builds} builds"
