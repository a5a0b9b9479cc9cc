"""Explanations of a run: why it made no lock, what would mend that, and why it came out as it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from mlpin.errors import UnknownPackage, UsageError
from mlpin.explain import why as newer
from mlpin.explain.explain import Options, explanation
from mlpin.explain.places import Places
from mlpin.explain.repairs import pins
from mlpin.lock import file as lock_file
from mlpin.manifest.model import Context
from mlpin.opening import RunOptions, no_fetch, open_catalog
from mlpin.outcome import Conflict, GaveUp, Resolution
from mlpin.pipeline import Asked, LockResult, TargetResult, ask

if TYPE_CHECKING:
    from pathlib import Path

    from mlpin.explain.chosen import Why, WhyNot
    from mlpin.explain.explain import Explained
    from mlpin.settings import Settings


class Repairable(NamedTuple):
    """An explanation, and the places where its repairs would be written."""

    explained: Explained
    places: Places


def explained(
    result: LockResult,
    options: RunOptions,
    *,
    every: bool = False,
    tell: Callable[[str], None] | None = None,
) -> list[Repairable]:
    """What is to be said of the targets that have no lock: the first one, or with `every` each of them."""
    found = []
    for target in result.failed if every else result.failed[:1]:
        assert isinstance(target.outcome, Conflict | GaveUp)
        assert target.asked is not None
        places = _places(result, target, options)
        old = lock_file.read(target.plan.lock)
        questions = [target.asked.question]
        questions += [_asked(result, other, options).question for other in result.targets if other is not target]
        locked = old.versions if old else {}
        wanted = Options(
            places.place, places.spell, every, tell=tell, locked=locked, indexes=result.indexes, shared=places.shared
        )
        one = explanation(questions, target.outcome, target.asked.asker, wanted)
        others = {other.plan.target.name: _ends(other) for other in result.targets if other is not target}
        found.append(Repairable(one._replace(explanation=one.explanation._replace(others=others)), places))
    return found


def why(result: LockResult, options: RunOptions, name: str) -> Why:
    """Why a package of the first target has its version. Raises `UnknownPackage` where it has no part in it."""
    target = result.targets[0]
    asked = _asked(result, target, options)
    outcome, view = asked.asker.answer(asked.question)
    assert isinstance(outcome, Resolution)
    found = newer.why(name, asked.question, outcome, view, asked.asker, _places(result, target, options).place)
    if found is None:
        count = len(pins(outcome))
        said = f"`{name}` is not among the {count} packages that are needed on {target.plan.target}"
        near = get_close_matches(name.lower(), pins(outcome), 3)
        raise UnknownPackage(said, hint=f"near to it: {', '.join(near)}" if near else None)
    return found


def why_not(result: LockResult, options: RunOptions, wanted: str, tell: Callable[[str], None] | None = None) -> WhyNot:
    """What holds a requirement back on the first target, or what would move with it."""
    target = result.targets[0]
    asked = _asked(result, target, options)
    places = _places(result, target, options)
    said = Options(places.place, places.spell, tell=tell, indexes=result.indexes)
    old = lock_file.read(target.plan.lock)
    builds = {name: version for name, (version, _) in old.builds.items()} if old else {}
    now: Mapping[str, str] = {**builds, **old.versions} if old else {}
    conda = {*builds, *(one.name for one in asked.question.requirements if one.conda)}
    if not now:
        outcome, _ = asked.asker.answer(asked.question)
        if isinstance(outcome, Resolution):
            now = pins(outcome)
            conda |= outcome.conda.keys() - outcome.packages.keys()
    line = newer.wanted(wanted, conda)
    return newer.why_not(line, asked.question, asked.asker, now, said)


def _places(result: LockResult, target: TargetResult, options: RunOptions) -> Places:
    return Places(result.project, target.plan, options.settings, Context(options.root, options.environ, no_fetch))


def _asked(result: LockResult, target: TargetResult, options: RunOptions) -> Asked:
    if target.asked is not None:
        return target.asked
    project = result.project
    catalog = result.catalog or open_catalog(project.settings, options, None, project.matrix)
    return ask(project, target.plan, catalog, lock_file.read(target.plan.lock), {}, options)


def _ends(target: TargetResult) -> str:
    if isinstance(target.outcome, Conflict):
        return "conflict"
    return "gave up" if isinstance(target.outcome, GaveUp) else "solved"


def apply(one: Repairable, number: int) -> Sequence[tuple[Path, bytes]]:
    """Write repair `number` (from 1) into the files: what they held before. Raises `UsageError`."""
    found = one.explained.found
    if not 1 <= number <= len(found):
        count = {0: "there is no repair", 1: "there is one repair"}.get(len(found), f"there are {len(found)} repairs")
        raise UsageError(f"--apply {number}: {count}", hint="`mlpin explain` lists them")
    texts = one.places.texts(found[number - 1].changes)
    before = [(path, path.read_bytes()) for path in texts]
    lock_file.write_bytes(list(texts.items()))
    return before


def with_changes(options: RunOptions, one: Repairable, number: int) -> RunOptions:
    """The options to lock with after repair `number`: what it changes of the command line."""
    settings = options.settings
    for change in one.explained.found[number - 1].changes:
        if change.declared is None and not one.places.place(change.item.name)[1]:
            settings = _said(settings, change.item.name, change.value)
    return options._replace(settings=settings, dry=False)


def _said(settings: Settings, field: str, value: str) -> Settings:
    """The settings with what an option says now."""
    match field:
        case "python":
            return settings._replace(python=(value,))
        case "glibc":
            return settings._replace(glibc=value)
        case "driver":
            return settings._replace(driver=value)
        case "channel-priority":
            return settings._replace(channel_priority=value)
        case "accelerator":
            return settings._replace(accelerator=value)
        case "cuda":
            return settings._replace(cuda=f"=={value}" if value else None)
        case _:
            return settings._replace(exclude_newer=value)
