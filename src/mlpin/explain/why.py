"""The two questions about a project that can be solved: why a package has its version, why not another one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from mlpin.candidate import distribution
from mlpin.explain.chosen import Why, WhyNot, moved
from mlpin.explain.explain import Options, explanation
from mlpin.explain.newer import Telling
from mlpin.explain.reasons import Place, nowhere
from mlpin.explain.repairs import pins
from mlpin.index.names import version
from mlpin.manifest import conda_lines
from mlpin.manifest.pep508 import declared, name_of
from mlpin.outcome import Resolution
from mlpin.requirement import Declared, Origin
from mlpin.resolver.requirements import specifier

if TYPE_CHECKING:
    from mlpin.resolver.view import View
    from mlpin.resolving import Asker, Question

_OF_CONDA = re.compile(r"(?P<channel>\S+::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(?P<sign>=(?!=))?")


def why(
    name: str, question: Question, resolution: Resolution, view: View, asker: Asker, place: Place = nowhere
) -> Why | None:
    """Of a package of a resolution that came out in `view`, however its name is spelled; None: it is not in there."""
    from mlpin.explain import conda_why

    package = conda_why.pin_of(name, resolution)
    if package is not None:
        return conda_why.Telling(package, question, resolution, view, asker, place).why()
    pin = resolution.pins.get(distribution(name_of(name)))
    return None if pin is None else Telling(pin, question, resolution, view, asker, place).why()


def wanted(text: str, conda: Collection[str] = ()) -> Declared:
    """The requirement that was typed. Raises `InputError`.

    Where the project has `conda` packages it is one of conda if its name is among them, or it is written so.
    """
    text = text.strip()
    origin = Origin("option", text=text)
    name = _OF_CONDA.match(text)
    if name and conda and (name["channel"] or name["sign"] or name["name"].lower() in conda):
        return conda_lines.declared(text, origin)
    return declared(text, origin, bases=())


def why_not(
    line: Declared, question: Question, asker: Asker, now: Mapping[str, str], options: Options | None = None
) -> WhyNot:
    """What it takes to have `line` as well. `now` are the versions of the present solution or lock, empty: none."""
    found = WhyNot(line.origin.text, "aside", line.name, now.get(line.name, ""))
    if aside := _aside(line, question, asker):
        return found._replace(aside=aside)
    if found.now and not line.conda and not line.extras and not line.source and _within(line, found.now):
        return found._replace(status="here", then=found.now)
    asked = question._replace(requirements=(*question.requirements, line))
    outcome, _ = asker.answer(asked)
    if isinstance(outcome, Resolution):
        moves = moved(now, pins(outcome))
        then = pins(outcome).get(line.name, "")
        return found._replace(status="moves" if moves else "here", then=then, moves=moves)
    options = options or Options()
    spell = options.spell  # what is wanted stays as it is
    others = options._replace(spell=lambda change: None if change.item.declared == line else spell(change))
    said = explanation([asked], outcome, asker, others).explanation
    named = [(one.text, one.file) for clashing in said.clashes for one in clashing.premises]
    apart = bool(named) and (line.origin.text, "") not in named
    return found._replace(status="conflict" if said.clashes else "gave-up", explanation=said, apart=apart)


def _within(line: Declared, now: str) -> bool:
    return specifier(line.specifier).contains(version(now))


def _aside(line: Declared, question: Question, asker: Asker) -> str:
    """Why a line has no say on the target; empty where it has."""
    if line.conda:
        return "" if question.policy.channels else "the project has no conda packages, and names no channel"
    if line.name in question.policy.exclude:
        return "it is excluded from the project"
    if over := question.policy.overrides.get(line.name):
        return f"an override stands for whatever is asked of it: {over[0].origin.place}  {over[0].origin.text}"
    return "" if asker.least(question)[0].holds(line.marker) else "its marker does not hold on the target"
