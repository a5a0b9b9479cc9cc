"""The words that every form of an explanation shares: headings, how sure it is, what an edit does.

Sentences are plain text without markup. Each form escapes them its own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlpin.explain.model import Clash, Edit, Explanation, Move, Premise, Repair
from mlpin.report.words import joined

_HEADS = {
    "gave-up": "Gave up{}: neither a solution nor a proof that there is none",
    "solvable": "No conflict{}: the requirements can be solved",
}
_NOUNS = {"target": "target fact", "option": "option", "rule": "rule"}
_BASES = {
    "declared": ("what the releases declare", "what the releases declare"),
    "index": ("what the index offers", "what the index offers"),
    "metadata": ("a rule read from published files", "rules read from published files"),
    "documented": ("a documented rule", "documented rules"),
    "reported": ("a reported rule", "reported rules"),
}
GRADES = {
    "declared": "declared by the release",
    "index": "what the index offers",
    "metadata": "rule read from published files",
    "documented": "documented rule",
    "reported": "reported rule",
}
"""What a link or a rule rests on, by its evidence."""
ADDRESS = "/:?#[]@!$&'()*+,;=%~"
"""What stays as it is where an address is quoted."""
_LONG = 72


def outcome(found: Sequence[Explanation]) -> str:
    """The worst of all: `conflict`, `gave-up` or `solvable`."""
    states = {one.status for one in found}
    return next((status for status in ("conflict", "gave-up") if status in states), "solvable")


def heading(explanation: Explanation) -> str:
    """What is to be said of the target, in one line without a full stop."""
    whose = f" for {explanation.target.name}" if explanation.target.name else ""
    if explanation.status != "conflict":
        return _HEADS[explanation.status].format(whose)
    if not explanation.clashes:
        return f"Conflict{whose}: the requirements cannot be solved"
    return f"Conflict{whose}: {clashing(explanation.clashes[0])}"


def title(found: Sequence[Explanation]) -> str:
    """The heading above all targets."""
    if len(found) == 1:
        return heading(found[0])
    failed = [one.target.name for one in found if one.status != "solvable"]
    if not failed:
        return _HEADS["solvable"].format("")
    return f"No solution found for {joined(failed)}"


def clashing(clash: Clash) -> str:
    """`2 lines and 1 target fact cannot hold together`."""
    counts: dict[str, int] = {}
    for premise in clash.premises:
        noun = _NOUNS.get(premise.kind, "line")
        counts[noun] = counts.get(noun, 0) + 1
    if not counts:
        return "the requirements cannot be solved"
    if len(clash.premises) == 1:
        return f"nothing satisfies this {next(iter(counts))}"
    told = [f"{count} {noun}{'s' * (count > 1)}" for noun, count in counts.items()]
    return f"{joined(told)} cannot hold together"


def sureness(explanation: Explanation) -> str:
    """How sure the first clash is: whether it is minimal, and what it rests on."""
    return certainty(explanation.clashes[0], explanation) if explanation.clashes else ""


def certainty(clash: Clash, explanation: Explanation) -> str:
    """How sure one clash of the explanation is, in one or two sentences."""
    if explanation.status == "gave-up":
        said = "Not proven: this is where the search stood when its budget was used up."
    elif not clash.minimal:
        said = "Not shown to be minimal: less may clash as well, or for another reason."
    elif explanation.more or len(explanation.clashes) > 1:  # the rest of the project cannot be solved either
        one = len(clash.premises) == 1
        said = f"Minimal: {'it is impossible by itself' if one else 'without any one of these the others go together'}."
    elif len(clash.premises) == 1:
        said = "Minimal: without it the rest can be solved."
    else:
        said = "Minimal: without any one of these the rest can be solved."
    bases = joined([f"on {basis}" for basis in _bases(clash)])
    return f"{said} It rests {bases}." if bases else said


def _bases(clash: Clash) -> list[str]:
    rules: dict[str, list[str]] = {}
    for link in clash.links:
        if link.start.startswith("__"):  # what the target has is known
            continue
        rules.setdefault(link.evidence, []).append(link.rule)
    for premise in clash.premises:
        if premise.kind == "rule" and premise.evidence:
            rules.setdefault(premise.evidence, []).append(premise.about)
    told = []
    for grade, (one, many) in _BASES.items():
        if grade in rules:
            ids = list(dict.fromkeys(name for name in rules[grade] if name))
            told.append((many if len(ids) > 1 else one) + (f" ({', '.join(ids)})" if ids else ""))
    return told


def effort(explanation: Explanation) -> str:
    """What was tried for the repairs, in one sentence; empty where nothing was."""
    tried = f"{explanation.tried} re-solve{'s' * (explanation.tried != 1)}"
    each = "Each was re-solved for every target" if explanation.repairs else ""
    if not explanation.finished:
        return f"{f'{each}; stopped' if each else 'Stopped'} after {tried}, before every edit was tried."
    return f"{each or 'None of the edits that were tried mends it'} ({tried} in all)." if explanation.tried else ""


def standing(explanation: Explanation) -> str:
    """How the project's other targets end, in one sentence; empty where there are none."""
    told = ", ".join(f"{name}: {ending}" for name, ending in sorted(explanation.others.items()))
    return f"Other targets: {told}." if told else ""


def place(item: Premise | Edit) -> str:
    """Where it stands: `requirements.txt:3`, `--driver`; empty where that is not known."""
    return item.place or (f"{item.file}:{item.line}" if item.file and item.line else item.file)


def summary(repair: Repair) -> str:
    """`Change requirements.txt:3 and remove requirements.txt:7`."""
    told = []
    for edit in repair.edits:
        verb = "add to" if not edit.old else "remove" if not edit.new else "change"
        told.append(f"{verb} {place(edit) or 'it'}")
    text = joined(told) or "nothing to change"
    return text[0].upper() + text[1:]


def moved(move: Move) -> str:
    """`torch 2.5.1 → 2.4.1`, `xformers 0.0.28 dropped`."""
    if not move.new:
        return f"{move.name} {move.old} dropped".replace("  ", " ")
    return f"{move.name} {move.old} → {move.new}" if move.old else f"{move.name} {move.new} added"


def moves(repair: Repair) -> list[Move]:
    """What the repair moves or drops. A line that stays, for a package of another target, is neither."""
    stays = all(edit.new for edit in repair.edits)
    return [move for move in repair.cost if move.new or not (move.old and stays)]


def versions(repair: Repair) -> list[str]:
    """What the repair changes, then the other packages to show, with their versions."""
    told = {move.name: moved(move) for move in moves(repair)}
    shown = {name: f"{name} {repair.pins[name]}" for name in repair.shown if name in repair.pins}
    return list((told | {name: text for name, text in shown.items() if name not in told}).values())


def every(repair: Repair) -> str:
    """`All 42 versions`: what the list of all pins is called."""
    return f"All {len(repair.pins)} versions" if len(repair.pins) != 1 else "The one version"


def web(sources: Iterable[str]) -> tuple[list[str], list[str]]:
    """The sources that are addresses on the web, and the others."""
    told = list(dict.fromkeys(source.strip() for source in sources))
    found = [
        one for one in told if one.lower().startswith(("https://", "http://")) and one.isprintable() and " " not in one
    ]
    return found, [one for one in told if one not in found]


def short(address: str) -> str:
    """An address as it is shown: without its scheme, cut where it is long."""
    text = address.partition("://")[2].rstrip("/") or address
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"
