"""Why a package is what it is, and what holds another version back: as text of one screen, and as values for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mlpin.explain.chosen import Bound, Chain, Newer, Reason, Why, WhyNot
from mlpin.explain.model import Clash, Move
from mlpin.report import explained_data
from mlpin.report.explained import explained
from mlpin.report.explained_words import moved
from mlpin.report.words import joined, visible
from mlpin.report.wrap import wrapped
from mlpin.requirement import Origin

_BOUNDS = 6
_GROUPS = 8
_MOVES = 4
_LINKS = 3
_CHANGED = 12
_NAMED = 10
_SOURCES = 2
_PLAIN = {"python", "prerelease", "line"}
"""Kinds whose reason says what would help."""


def why_text(why: Why) -> str:
    """The package: its build, who asks for it, and why nothing newer was taken."""
    build = why.build
    extras = f"[{','.join(why.extras)}]" if why.extras else ""
    lines = [f"{why.package}{extras} {why.version}"]
    made = "a source archive, to be built on the target: " if build.archive and build.index_url else ""
    at = f" from {build.index_url}" if build.index_url else ""
    lines += wrapped(f"{made}{visible(build.file)}{at}", "  ", "      ")
    if build.line:
        cuda = f", CUDA {build.cuda}" if build.cuda else ""
        lines += wrapped(f"built for {build.line}{cuda}", "  ", "      ")
    if build.stands_for:
        lines += wrapped(f"stands in for PyPI's {joined(build.stands_for)}: pip does not install it", "  ", "      ")
    for group in build.ahead:
        lines += _group(group, f"not {joined(group.versions)}: ")
    lines.append("asked for by")
    lines += _asked(why)
    if not why.newer:
        lines.append("it is the newest version" if build.index_url else "it comes from there whatever is newer")
    else:
        lines.append("no newer version was taken")
        for group in why.newer[:_GROUPS]:
            lines += _group(group, f"{_span(group.versions)}: ")
        if rest := why.newer[_GROUPS:]:
            count = sum(len(group.versions) for group in rest)
            lines += wrapped(f"{count} more {'versions' if count > 1 else 'version'}, for other reasons", "  ", "  ")
    return "\n".join(lines) + "\n"


def _span(newest_first: Sequence[str]) -> str:
    found = list(dict.fromkeys(reversed(newest_first)))
    return " and ".join(found) if len(found) < 3 else f"{found[0]} to {found[-1]} ({len(found)} versions)"


def _asked(why: Why) -> Iterator[str]:
    """The user's own lines, what excludes a newer version, and at least one; the rest is counted."""
    shown = [bound for bound in why.asked if bound.excludes or not bound.chain.parents] or list(why.asked[:1])
    for bound in shown[:_BOUNDS]:
        if bound.chain.parents:
            others = f" and {bound.others} more" if bound.others else ""
            yield from wrapped(f"{bound.text}  by {_chain(bound.chain)}{others}", "  ", "      ")
        else:
            yield from wrapped(_line(bound.chain.line), "  ", "      ")
    rest = [bound for bound in why.asked if bound not in shown[:_BOUNDS]]
    if rest:
        count = sum(1 + bound.others for bound in rest)
        packages = _count(count).replace(" ", " more ", 1)
        all_open = not any(bound.excludes for bound in rest)
        yield from wrapped(f"and {packages}{', none of which excludes a newer version' * all_open}", "  ", "      ")


def _group(group: Newer, start: str) -> Iterator[str]:
    reason = group.reason
    yield from wrapped(f"{start}{_said(group)}", "  ", "      ")
    if reason.clash:
        for premise in reason.clash.premises:
            if premise.kind != "rule":
                yield from wrapped(f"{premise.place}  {visible(premise.text)}", "      against ", "          ")
    if reason.chain:
        yield from wrapped(f"it is there because of {_chain(reason.chain)}", "      ", "          ")
    if reason.rule or reason.source:
        yield from wrapped(_cited(reason), "      ", "          ")
    if reason.symptom:
        yield from wrapped(f"else: {visible(reason.symptom)}", "      ", "          ")
    if reason.remedy and reason.kind not in _PLAIN:
        yield from wrapped(f"what would help: {visible(reason.remedy)}", "      ", "          ")
    rest = [move for move in reason.moves if f" {move.name} {move.new} " not in reason.text]
    if rest:
        yield from wrapped(f"with it: {_moves(rest)}", "      ", "          ")


def _said(group: Newer) -> str:
    reason = group.reason
    if reason.clash and reason.clash.links:
        texts = [visible(link.text) for link in reason.clash.links]
        return "; ".join(texts[:_LINKS]) + (f"; and {len(texts) - _LINKS} more" if len(texts) > _LINKS else "")
    if reason.bound is None:
        return visible(reason.text)
    bound, also = reason.bound, group.also
    by = f"{bound.text}  by {bound.chain.parents[0]}" if bound.chain.parents else _line(bound.chain.line)
    return by + (f"; and {len(also)} more of the bounds above" if also else "")


def _cited(reason: Reason) -> str:
    more = len(reason.source) - _SOURCES
    told = "; ".join(map(visible, reason.source[:_SOURCES])) + (f"; {more} more" if more > 0 else "")
    start = f"rule {reason.rule}, {reason.evidence}" if reason.rule else ""
    return ": ".join(filter(None, (start, told)))


def _line(line: Origin) -> str:
    return f"{line.place}  {visible(line.text)}".strip()


def _chain(chain: Chain) -> str:
    return " ← ".join((*chain.parents, _line(chain.line)))


def _moves(moves: Sequence[Move]) -> str:
    more = len(moves) - _MOVES
    return joined([*map(moved, moves[:_MOVES]), *([f"{more} more"] if more > 0 else [])])


def why_not_text(found: WhyNot) -> str:
    """What holds a wanted requirement back, or what would move."""
    wish = visible(found.wanted)
    if found.status == "aside":
        return "\n".join(wrapped(f"{wish} would change nothing: {visible(found.aside)}", "", "  ")) + "\n"
    if found.status == "here" and not found.moves:
        has = f"{found.package} {found.then}" if found.then else "what there is"
        return "\n".join(wrapped(f"{wish}: nothing holds it back, {has} does already", "", "  ")) + "\n"
    if found.explanation is None:
        return "\n".join(_with(found)) + "\n"
    start = f"{wish} cannot be had"
    if found.apart:
        start = f"the project cannot be solved, without {wish} as well"
    return "\n".join(wrapped(start, "", "  ")) + "\n" + explained(found.explanation)


def _with(found: WhyNot) -> Iterator[str]:
    count = len(found.moves)
    yield from wrapped(f"{visible(found.wanted)} can be had: {_count(count)} would change", "", "  ")
    moves = sorted(found.moves, key=lambda move: move.name != found.package)
    changed = [move for move in moves if move.old and move.new]
    for move in changed[:_CHANGED]:
        yield from wrapped(moved(move), "  ", "      ")
    if len(changed) > _CHANGED:
        yield f"  and {_count(len(changed) - _CHANGED)} more"
    for word, some in (
        ("added", [f"{move.name} {move.new}" for move in moves if not move.old]),
        ("dropped", [move.name for move in moves if not move.new]),
    ):
        more = len(some) - _NAMED
        if some:
            told = [*some[:_NAMED], *([f"{more} more"] if more > 0 else [])]
            yield from wrapped(f"{word}: {joined(told)}", "  ", "      ")


def _count(packages: int) -> str:
    return "1 package" if packages == 1 else f"{packages} packages"


# -- JSON


def why_data(why: Why) -> dict[str, Any]:
    """The same, with nothing left out."""
    build = why.build
    return {
        "package": why.package,
        "version": why.version,
        "extras": list(why.extras),
        "build": {
            "file": build.file,
            "index": build.index_url or None,
            "archive": build.archive,
            "line": build.line or None,
            "cuda": build.cuda or None,
            "ahead": [_newer_data(group) for group in build.ahead],
            "notes": [note for note in build.notes if note],
            "stands_for": list(build.stands_for),
        },
        "asked": [_bound_data(bound) for bound in why.asked],
        "newer": [_newer_data(group) for group in why.newer],
    }


def _bound_data(bound: Bound) -> dict[str, Any]:
    chain = _chain_data(bound.chain)
    return {"text": bound.text, "chain": chain, "others": bound.others, "excludes": bound.excludes}


def _chain_data(chain: Chain) -> dict[str, Any]:
    line = chain.line
    return {
        "parents": list(chain.parents),
        "place": line.place,
        "file": line.file or None,
        "line": line.line or None,
        "text": line.text,
    }


def _newer_data(group: Newer) -> dict[str, Any]:
    also = [_bound_data(bound) for bound in group.also]
    return {"versions": list(group.versions), "reason": _reason_data(group.reason), "also": also}


def _reason_data(reason: Reason) -> dict[str, Any]:
    return {
        "kind": reason.kind,
        "text": reason.text,
        "bound": _bound_data(reason.bound) if reason.bound else None,
        "chain": _chain_data(reason.chain) if reason.chain else None,
        "fact": reason.fact or None,
        "rule": reason.rule or None,
        "evidence": reason.evidence or None,
        "source": list(reason.source),
        "symptom": reason.symptom or None,
        "remedy": reason.remedy or None,
        "moves": [_move_data(move) for move in reason.moves],
        "clash": _clash_data(reason.clash) if reason.clash else None,
    }


def _move_data(move: Move) -> dict[str, Any]:
    return {"name": move.name, "old": move.old or None, "new": move.new or None}


def _clash_data(clash: Clash) -> dict[str, Any]:
    premises = [{"kind": one.kind, "text": one.text, "place": one.place} for one in clash.premises]
    links = [{"text": one.text, "rule": one.rule or None, "evidence": one.evidence} for one in clash.links]
    return {"premises": premises, "links": links, "minimal": clash.minimal}


def why_not_data(found: WhyNot) -> dict[str, Any]:
    """The same as values; the clash and the repairs as `mlpin explain` has them."""
    said = found.explanation
    return {
        "wanted": found.wanted,
        "status": found.status,
        "package": found.package,
        "now": found.now or None,
        "then": found.then or None,
        "moves": [_move_data(move) for move in found.moves],
        "aside": found.aside or None,
        "apart": found.apart,
        "clash": _clash_data(said.clashes[0]) if said and said.clashes else None,
        "repairs": [explained_data.repair(option) for option in said.repairs] if said else [],
    }
