"""Explanations of a run that made no lock: from its results to what is said of them, and a repair written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlpin.errors import UsageError
from mlpin.explain.explain import Options, explanation
from mlpin.explain.places import Places
from mlpin.lock import file as lock_file
from mlpin.manifest.model import Context
from mlpin.opening import RunOptions, no_fetch
from mlpin.outcome import Conflict, GaveUp
from mlpin.pipeline import Asked, LockResult, TargetResult, ask

if TYPE_CHECKING:
    from pathlib import Path

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
    repairs: bool = True,
    tell: Callable[[str], None] | None = None,
) -> list[Repairable]:
    """What is to be said of the targets that have no lock: the first one, or with `every` each of them."""
    context = Context(options.root, options.environ, no_fetch)
    found = []
    for target in result.failed if every else result.failed[:1]:
        assert isinstance(target.outcome, Conflict | GaveUp)
        assert target.asked is not None
        places = Places(result.project, target.plan, options.settings, context)
        old = lock_file.read(target.plan.lock)
        questions = [target.asked.question]
        questions += [_asked(result, other, options).question for other in result.targets if other is not target]
        locked = old.versions if old else {}
        wanted = Options(places.place, places.spell, every, repairs, tell, locked, result.indexes)
        one = explanation(questions, target.outcome, target.asked.asker, wanted)
        others = {other.plan.target.name: _ends(other) for other in result.targets if other is not target}
        found.append(Repairable(one._replace(explanation=one.explanation._replace(others=others)), places))
    return found


def _asked(result: LockResult, target: TargetResult, options: RunOptions) -> Asked:
    if target.asked is not None:
        return target.asked
    assert result.catalog is not None
    return ask(result.project, target.plan, result.catalog, lock_file.read(target.plan.lock), {}, options)


def _ends(target: TargetResult) -> str:
    if isinstance(target.outcome, Conflict):
        return "conflict"
    return "gave up" if isinstance(target.outcome, GaveUp) else "solved"


def applied(one: Repairable, number: int, options: RunOptions) -> tuple[RunOptions, Sequence[tuple[Path, bytes]]]:
    """Write repair `number` (from 1): the options to lock with, and what the files held before. Raises `UsageError`."""
    found = one.explained.found
    if not 1 <= number <= len(found):
        count = {0: "there is no repair", 1: "there is one repair"}.get(len(found), f"there are {len(found)} repairs")
        raise UsageError(f"--apply {number}: {count}", hint="`mlpin explain` lists them")
    changes = found[number - 1].changes
    texts = one.places.texts(changes)
    before = [(path, path.read_bytes()) for path in texts]
    settings = options.settings
    for change in changes:
        if change.declared is None and not one.places.place(change.item.name)[1]:
            settings = _said(settings, change.item.name, change.value)
    lock_file.write_bytes(list(texts.items()))
    return options._replace(settings=settings, dry=False), before


def _said(settings: Settings, field: str, value: str) -> Settings:
    """The settings with what an option says now."""
    match field:
        case "python":
            return settings._replace(python=(value,))
        case "glibc":
            return settings._replace(glibc=value)
        case "driver":
            return settings._replace(driver=value)
        case "cuda":
            return settings._replace(cuda=f"=={value}" if value else None)
        case _:
            return settings._replace(exclude_newer=value)
