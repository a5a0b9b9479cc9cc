"""Drift as GitHub's Markdown, for a comment on a pull request. GitLab reads it as well."""

from __future__ import annotations

from mlpin.check.model import Checked, Drift
from mlpin.report.checked_words import headline, looked_at, worst_first
from mlpin.report.explained_markdown import LIMIT, code, prose
from mlpin.report.words import counted

_ROOM = LIMIT - 5_000
"""For the list of drift, beside what stands around it."""


def text(found: Checked) -> str:
    """One comment, the worst first. Where there is more drift than fits into one, the rest is counted."""
    items: dict[str, list[str]] = {}
    room = _ROOM
    for one in worst_first(found):
        if one.check == "fleet" and found.fleet is not None:
            continue
        item = _item(one)
        room -= len(item) + 1
        if room < 0:
            break
        items.setdefault(one.severity, []).append(item)
    left = sum(found.fleet is None or one.check != "fleet" for one in found.drift) - sum(map(len, items.values()))
    parts = [f"### {prose(headline(found))}"]
    parts += ["\n".join(some) for severity, some in items.items() if severity != "note"]
    if notes := items.get("note"):
        parts += [f"<details><summary>{counted(len(notes), 'note')}</summary>", "\n".join(notes), "</details>"]
    parts += [f"And {left} more; `mlpin check` shows all."] if left else []
    if found.fleet is not None:
        from mlpin.report import fleet

        parts.append(fleet.markdown(found.fleet))
    return "\n\n".join([*parts, f"Compared: {prose(looked_at(found))}.", "<sub>mlpin check</sub>"]) + "\n"


def _item(one: Drift) -> str:
    where = f"{code(one.place)}: " if one.place else ""
    rank = "" if one.severity == "note" else f"**{one.severity}** "
    return f"- {rank}{where}{_sentence(one.message)}" + (f"\\\n  {_sentence(one.hint)}" if one.hint else "")


def _sentence(text: str) -> str:
    """`text` as words, and as code what stands in backticks."""
    words, *pairs = text.split("`")
    if len(pairs) % 2:
        return prose(text)
    said = [_words(words)]
    for quoted, after in zip(pairs[::2], pairs[1::2], strict=True):
        said += [code(quoted), _words(after)]
    return "".join(said)


def _words(text: str) -> str:
    return f"{' ' * text.startswith(' ')}{prose(text)}{' ' * (text.strip() != '' and text.endswith(' '))}"
