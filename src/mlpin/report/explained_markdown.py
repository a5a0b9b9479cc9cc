"""An explanation as GitHub's Markdown, for a comment on a pull request.

Lines of the user's and names of packages stand in code, where nothing is markup; sentences are escaped so that none
of their characters makes a link, a mention or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from mlpin.explain.model import Clash, Explanation, Link, Premise, Repair
from mlpin.report.explained_words import (
    ADDRESS,
    GRADES,
    certainty,
    clashing,
    effort,
    every,
    heading,
    place,
    short,
    standing,
    summary,
    title,
    versions,
    web,
)
from mlpin.report.words import visible

LIMIT = 65_000
"""GitHub refuses a comment that is longer than 65,536 characters."""

_MARKUP = re.compile(r"[\\`*_\[\]~|!$]")
_AUTOMATIC = re.compile(r"(?i)[@#]|:(?=//)|\bwww(?=\.)|\bgh(?=-)")
_BLOCK = re.compile(r"^(\d*)([-+=.)])")


def explained(found: Sequence[Explanation]) -> str:
    """One comment for all targets. The lists of all versions are left out where they would make it too long."""
    text = _comment(found, pinned=True)
    return text if len(text) <= LIMIT else _comment(found, pinned=False)


def _comment(found: Sequence[Explanation], *, pinned: bool) -> str:
    parts = [f"### {prose(title(found))}"]
    for one in found:
        if len(found) > 1:
            parts.append(f"#### {prose(heading(one))}")
        parts.append(f"For {prose(str(one.target))}.")
        for number, clash in enumerate(one.clashes):
            if number:
                parts.append(f"**Another clash: {prose(clashing(clash))}**")
            parts += section(clash, one)
        parts += ["There is at least one more clash."] if one.more else []
        parts += repairs(one, pinned=pinned)
        parts += [prose(text) for text in (*one.notes, standing(one)) if text]
    if not pinned:
        parts.append("The lists of all versions are left out: they are too long for a comment.")
    return "\n\n".join([*parts, "<sub>mlpin explain</sub>"]) + "\n"


def section(clash: Clash, one: Explanation) -> list[str]:
    """A clash of a target: its premises, the reason, how sure it is, as paragraphs."""
    parts = ["\n".join(f"- {_premise(premise)}" for premise in clash.premises)] if clash.premises else []
    if clash.links:
        parts += ["**Why**", "\n".join(f"{step}. {_link(link)}" for step, link in enumerate(clash.links, 1))]
    return [*parts, f"_{prose(certainty(clash, one))}_"]


def _premise(premise: Premise) -> str:
    if premise.kind == "rule":
        grade = f", {GRADES[premise.evidence]}" if premise.evidence else ""
        return f"{prose(premise.text)} ({code(premise.about)}{grade}{_sources(premise.source)})"
    where = place(premise)
    return f"{code(where) if where else premise.kind}: {code(premise.text)}"


def _link(link: Link) -> str:
    rule = f" {code(link.rule)}" if link.rule else ""
    text = f"{prose(link.text)} ({GRADES[link.evidence]}{rule}{_sources(link.source)})"
    return f"{text}\\\n   Symptom: {code(link.symptom)}" if link.symptom else text


def _sources(sources: Iterable[str]) -> str:
    addresses, others = web(sources)
    told = [f"[{prose(short(one))}](<{quote(one, safe=ADDRESS).replace('&', '&amp;')}>)" for one in addresses]
    return "".join(f"; {one}" for one in [*told, *map(prose, others)])


def repairs(one: Explanation, *, pinned: bool) -> list[str]:
    """The repairs of a target as paragraphs; with `pinned`, all that each one pins, folded away."""
    parts = ["**Repairs**"] if one.repairs else []
    parts += [prose(effort(one))] if effort(one) else []
    for number, option in enumerate(one.repairs, 1):
        told = f": {prose(', '.join(versions(option)))}" if versions(option) else ""
        parts += [f"**{number}.** {prose(summary(option))}{told}", _fenced("diff", _diff(option))]
        parts += ["\n".join(f"- {prose(note)}" for note in option.notes)] if option.notes else []
        if pinned and option.pins:
            pins = [f"{visible(name)}=={visible(version)}" for name, version in sorted(option.pins.items())]
            parts += [f"<details><summary>{every(option)}</summary>", _fenced("", pins), "</details>"]
    return parts


def _diff(option: Repair) -> list[str]:
    lines = []
    for edit in option.edits:
        lines += [f"@@ {visible(place(edit))} @@"] if place(edit) else []
        lines += [f"- {visible(edit.old)}"] if edit.old else []
        lines += [f"+ {visible(edit.new)}"] if edit.new else []
    return lines


def _fenced(language: str, lines: Sequence[str]) -> str:
    fence = "`" * max(3, _longest(lines) + 1)
    return "\n".join([fence + language, *lines, fence])


def _longest(lines: Iterable[str]) -> int:
    return max((len(run) for line in lines for run in re.findall("`+", line)), default=0)


def code(text: str) -> str:
    """`text` as a code span, whatever it holds."""
    text = visible(text) or " "
    fence = "`" * (_longest([text]) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def prose(text: str) -> str:
    """`text` as words: no HTML, no markup, no mention, no reference and no link comes of it."""
    text = visible(text).strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _BLOCK.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", text))
    # a space of no width, as an entity: GitHub looks for mentions and addresses after it has read the escapes
    return _AUTOMATIC.sub(r"\g<0>&#8203;", text)
