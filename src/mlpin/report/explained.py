"""An explanation as a person reads it on a terminal: one screen of 80 columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from mlpin.explain.model import Clash, Edit, Explanation, Link, Repair
from mlpin.report.explained_words import certainty, effort, heading, moved, moves, place, standing
from mlpin.report.words import joined, visible
from mlpin.report.wrap import wrapped

_PLACE = 22
"""Places up to this width stand in a column."""
_CITED = 90
_LONG = 60
_MARKS = "\"' ,"
_KEYS = re.compile(r"([\w.-]+)\s*=\s*([{\"'])")
_OPEN = re.compile(r"[\w.-]\s*=\s*[\"'][^\"']*$")
_FIELDS = {"version", "build"}
"""Keys in the table of one requirement: the table has its name."""
_COMMENT = re.compile(r"(.*?)(\s+#.*)?$")


def explained(one: Explanation, apply: str = "") -> str:
    """The explanation. `apply` is how the first repair is made, in words, empty where there is none to name."""
    lines = wrapped(f"{heading(one)}, on {one.target}", "", "  ")
    for number, clash in enumerate(one.clashes):
        if number:
            lines += ["", *wrapped(f"Clash {number + 1} of {len(one.clashes)}", "", "")]
        lines += _clash(clash)
    if one.status == "solvable":
        lines.append("`mlpin explain NAME` says why a package has its version, and why no newer one.")
    lines += _repairs(one)
    if one.clashes:
        said = certainty(one.clashes[0], one)
        if one.more:
            said += " The project has another clash beside this one: `mlpin explain --all` shows that too."
        lines += ["", *wrapped(said, "", "")]
    if one.status == "gave-up" and not one.clashes:
        hint = "pin some of the packages more tightly, so that less has to be tried"
        lines += wrapped(hint, "  hint: ", "        ")
    for note in one.notes:
        lines += wrapped(note, "note: ", "  ")
    if told := standing(one):
        lines += wrapped(told, "", "  ")
    if one.interrupted:
        lines.append("Interrupted: this is the best so far.")
    if one.repairs and apply:
        lines += wrapped(f"{apply} makes the first change and locks.", "", "")
    return "\n".join(lines) + "\n"


def _clash(clash: Clash) -> list[str]:
    lines = []
    shown = [premise for premise in clash.premises if premise.kind != "rule"]
    places = [place(premise) for premise in shown]
    width = max((len(text) for text in places if len(text) <= _PLACE), default=0)
    for premise, where in zip(shown, places, strict=True):
        text = visible(premise.text)
        lines += wrapped(text, f"  {where:<{width}}  ", " " * (width + 4))
    if clash.links:
        lines.append("because")
        cited: set[str] = set()
        for link in clash.links:
            lines += wrapped(visible(link.text) + _symptom(link), "  ", "      ")
            if (source := _source(link)) not in cited:
                cited.add(source)
                lines += wrapped(source, "      ", "      ")
    return lines


def _symptom(link: Link) -> str:
    """What a user would see: the first of the messages."""
    return f": {visible(link.symptom.partition(';')[0])}" if link.symptom else ""


def _source(link: Link) -> str:
    """Where the link is from, in short; empty for what releases declare and indexes have."""
    if not link.rule and not link.source:
        return ""
    rule = f"rule {link.rule}, " if link.rule else ""
    if not link.source:
        return f"{rule}{link.evidence}"
    first = visible(link.source[0])
    first = first if len(first) <= _CITED else f"{first[:_CITED].rstrip()}…"
    more = f" and {len(link.source) - 1} more" if len(link.source) > 1 else ""
    return f"{rule}{link.evidence}: {first}{more}"


def _repairs(one: Explanation) -> list[str]:
    if one.status == "gave-up":
        return []
    if not one.repairs:
        said = effort(one)
        return ["", *wrapped(said, "", "")] if said else []
    targets = "every target" if one.others else "the whole project"
    lines = ["", f"What works (each was solved, for {targets}):"]
    for number, repair in enumerate(one.repairs, 1):
        lines += _repair(number, repair)
    if not one.finished and not one.interrupted:
        lines += wrapped("More may: not every edit was tried within the budget.", "  ", "  ")
    return lines


def _repair(number: int, repair: Repair) -> Iterator[str]:
    mark = f"  {number}  "
    for edit in repair.edits:
        yield from wrapped(f"{place(edit)}  {_edit(edit)}".strip(), mark, " " * len(mark) + "  ")
        mark = "     "
    dropped = [moved(move) for move in moves(repair) if not move.new]
    told = [f"{name} {repair.pins[name]}" for name in repair.shown]
    count = f"{len(repair.pins)} packages" if len(repair.pins) != 1 else "1 package"
    said = "; ".join(filter(None, (joined(dropped), ", ".join(told), f"{count} in all")))
    yield from wrapped(said, "       ", "         ")
    for note in repair.notes:
        yield from wrapped(visible(note), "       ! ", "         ")


def _edit(edit: Edit) -> str:
    old, new = visible(edit.old), visible(edit.new)
    if not old:
        return f"add {new}"
    if not new:
        return f"without {old}"
    old, new = _changed(old, new)
    return f"{old} -> {new}"


def _changed(old: str, new: str) -> tuple[str, str]:
    """Two lines without the comment that both end in, and where they are long, the part of them that differs."""
    (old, old_comment), (new, new_comment) = (_COMMENT.match(one).groups() for one in (old, new))  # type: ignore[union-attr]
    if old_comment != new_comment:
        old, new = old + (old_comment or ""), new + (new_comment or "")
    (old, new) = (one.removeprefix("- ") for one in (old, new))
    (old, new) = (one.rstrip(",").strip("\"'") if one[:1] in "\"'" else one for one in (old, new))
    if len(old) + len(new) <= _LONG:
        return old, new
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    start = max(old.rfind(mark, 0, start) for mark in _MARKS) + 1
    ends = [place for mark in _MARKS if (place := old.find(mark, len(old) - end)) >= 0]
    end = len(old) - min(ends, default=len(old))
    key = _key(old[:start])
    return key + old[start : len(old) - end], new[start : len(new) - end]


def _key(before: str) -> str:
    """What the part of a line of TOML after `before` is the value of, with a blank; empty where it is an item."""
    if not _OPEN.search(before):
        return ""
    last = [*_KEYS.finditer(before)][-1]
    tables = [one[1] for one in _KEYS.finditer(before) if one[2] == "{"]
    return f"{tables[-1] if tables and last[1] in _FIELDS else last[1]} "


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def several(found: Sequence[Explanation], apply: str = "") -> str:
    """The explanations of several targets, one after the other."""
    return "\n".join(explained(one, apply if not number else "") for number, one in enumerate(found))
