"""What differs between locks as GitHub's Markdown, for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from mlpin.report.diffed import ADVICE, Compared, changes, heading, told
from mlpin.report.explained_markdown import LIMIT, code, prose
from mlpin.report.words import counted

_OPEN = 10
"""A list of packages that is longer is folded away."""


def markdown(found: Sequence[Compared]) -> str:
    """One comment for all locks. The lists of packages are left out where they would make it too long."""
    text = _comment(found, listed=True)
    return text if len(text) <= LIMIT else _comment(found, listed=False)


def _comment(found: Sequence[Compared], *, listed: bool) -> str:
    parts = []
    for one in found:
        if one.difference is None or not one.difference.any:
            parts.append(prose(heading(one)))
        else:
            parts += [f"### {code(heading(one))}", *_alarms(one), *_meaning(one), *_packages(one, listed=listed)]
    return "\n\n".join([*parts, "<sub>mlpin diff</sub>"]) + "\n"


def _alarms(one: Compared) -> list[str]:
    if not one.alarms:
        return []
    lines = ["> [!CAUTION]", "> **Files that kept their name and have other bytes now.** " + prose(ADVICE), ">"]
    for alarm in one.alarms:
        index = f"; index {code(alarm.indexes[0])} → {code(alarm.indexes[1])}" if alarm.indexes else ""
        hashes = f"{alarm.algorithm} {code(alarm.old)} → {code(alarm.new)}"
        lines.append(f"> - {code(f'{alarm.package} {alarm.version}')}: {code(alarm.file)}, {hashes}{index}")
    return ["\n".join(lines)]


def _meaning(one: Compared) -> list[str]:
    facts = told(one.difference) if one.difference else ()
    rows = [f"| {prose(label)} | {_cell(words)} |" for label, words in facts]
    return ["\n".join(["| it means | before -> after |", "|---|---|", *rows])] if rows else []


def _cell(words: str) -> str:
    """Versions as code, sentences as words; in a table a bar ends the cell even in code."""
    return code(words).replace("|", "\\|") if " -> " in words else prose(words)


def _packages(one: Compared, *, listed: bool) -> list[str]:
    if one.difference is None or not one.difference.changes:
        return []
    kinds = [change.kind for change in one.difference.changes]
    counts = [(kinds.count("added"), "added"), (kinds.count("removed"), "removed")]
    counts.append((len(kinds) - counts[0][0] - counts[1][0], "changed"))
    said = ", ".join(f"{counted(count, 'package')} {words}" for count, words in counts if count)
    if not listed:
        return [f"{said}. They are not listed: that is too long for a comment."]
    lines = "\n".join(f"- {code(line)}" for line in changes(one.difference.changes))
    folded = len(kinds) > _OPEN
    return [f"<details><summary>{said}</summary>", lines, "</details>"] if folded else [f"{said}:", lines]
