"""Extras and groups as tables of lists: `optional-dependencies` and `dependency-groups` (PEP 621, PEP 735).

`[tool.mlpin.conda]` is such a table too.
Knows includes and references of a project to its own extras; knows nothing of which of them are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest import pep508
from mlpin.manifest.model import Note
from mlpin.manifest.toml_lines import Step, TomlFile
from mlpin.requirement import Declared, Origin, normalise

Lowered = Callable[[Declared, str, str], tuple[Declared, ...]]
"""Puts sources on a requirement of an extra or a group (the second and third argument)."""


def unchanged(requirement: Declared, _extra: str, _group: str) -> tuple[Declared, ...]:
    """The `Lowered` of a file that has no table of sources."""
    return (requirement,)


def extras(
    file: TomlFile, table: Fields, bases: Sequence[Path], lowered: Lowered = unchanged
) -> dict[str, tuple[Declared, ...]]:
    """The lists of `optional-dependencies` by normalised name; `InputError` where two names are one."""
    steps = table.path
    found: dict[str, tuple[Declared, ...]] = {}
    for key in table:
        name = normalise(key)
        if name in found:
            raise file.error((*steps, key), f"the extra `{key}` is declared twice under names that are the same")
        listed = file.requirements(table, key, (*steps, key), bases)
        found[name] = tuple(low for one in listed for low in lowered(one, name, ""))
    return found


def groups(
    file: TomlFile, table: Fields, bases: Sequence[Path], lowered: Lowered = unchanged
) -> dict[str, tuple[Declared, ...]]:
    """The groups of PEP 735 by normalised name, includes followed.

    `packaging` judges whether a table with includes is valid; the lists are joined here, since only
    strings that still have their places give origins.
    """
    raw: dict[str, list[Any]] = {}
    keys: dict[str, str] = {}
    for key in table:
        name = normalise(key)
        if name in raw:
            raise file.error((*table.path, key), f"the group `{key}` is declared twice under names that are the same")
        raw[name], keys[name] = table.items(key), key
    if any(not isinstance(item, str) for items in raw.values() for item in items):
        _valid(file, table, keys)
    found: dict[str, tuple[Declared, ...]] = {}

    def flat(name: str) -> tuple[Declared, ...]:
        if name not in found:
            result: list[Declared] = []
            for position, item in enumerate(raw[name]):
                if isinstance(item, str):
                    origin = file.origin((*table.path, keys[name], position), item)
                    result += lowered(pep508.declared(item, origin, bases=bases), "", name)
                else:
                    result += flat(normalise(item["include-group"]))
            found[name] = tuple(dict.fromkeys(result))
        return found[name]

    for name in raw:
        flat(name)
    return found


class Conda(NamedTuple):
    """What `[tool.mlpin.conda]` declares, and the Pythons that are left where `python` is in it."""

    requirements: tuple[Declared, ...] = ()
    groups: Mapping[str, tuple[Declared, ...]] = MappingProxyType({})
    requires_python: str = ""
    requires_python_origin: Origin | None = None


def conda(file: TomlFile, own: Fields, requires_python: str, origin: Origin | None) -> Conda:
    """The conda packages that `own`, a table of mlpin's, declares; `requires_python` is what stands elsewhere."""
    table = own.table("conda")
    if not table.data:
        return Conda((), {}, requires_python, origin)
    from mlpin.manifest import conda_lines

    def listed(fields: Fields, key: str) -> tuple[Declared, ...]:
        return tuple(
            conda_lines.declared(text, file.origin((*fields.path, key, position), text), base=file.path.parent)
            for position, text in enumerate(fields.strings(key) or ())
        )

    named = table.table("groups")
    found: dict[str, tuple[Declared, ...]] = {}
    for key in named:
        name = normalise(key)
        if name in found:
            raise file.error((*named.path, key), f"the group `{key}` is declared twice under names that are the same")
        found[name] = listed(named, key)
    requirements = listed(table, "dependencies")
    return Conda(requirements, found, *conda_lines.requires_python(requires_python, origin, requirements))


def joined(
    first: Mapping[str, tuple[Declared, ...]], second: Mapping[str, tuple[Declared, ...]]
) -> dict[str, tuple[Declared, ...]]:
    """The lists of both tables by name, each requirement once."""
    result = dict(first)
    for name, listed in second.items():
        result[name] = tuple(dict.fromkeys((*result.get(name, ()), *listed)))
    return result


def declares_conda(own: Mapping[str, Any]) -> bool:
    """Whether a table of mlpin's declares conda packages."""
    table = own.get("conda")
    return isinstance(table, dict) and not {"dependencies", "groups"}.isdisjoint(table)


def _valid(file: TomlFile, table: Fields, keys: Mapping[str, str]) -> None:
    from packaging.dependency_groups import DependencyGroupResolver
    from packaging.requirements import InvalidRequirement

    try:
        resolver = DependencyGroupResolver(table.data)
    except ExceptionGroup as error:
        raise file.error(table.path, _first(error)) from None
    for name, key in keys.items():
        try:
            resolver.resolve(name)
        except RecursionError:
            raise file.error((*table.path, key), f"the includes of the group `{key}` are nested too deeply") from None
        except ExceptionGroup as error:
            for position, item in enumerate(table.items(key)):
                place: tuple[Step, ...] = (*table.path, key, position)
                if isinstance(item, dict) and tuple(item) == ("include-group",):
                    wanted = item["include-group"]
                    if isinstance(wanted, str) and normalise(wanted) not in keys:
                        raise file.error(place, f"includes the group `{wanted}`, which there is not") from None
                elif not isinstance(item, str):
                    hint = 'a requirement is a string, an include is {include-group = "name"}'
                    raise file.error(place, f"is neither a requirement nor an include: {item!r}", hint=hint) from None
            if error.subgroup(InvalidRequirement):
                continue  # said again below, with the line of the requirement itself
            raise file.error((*table.path, key), _first(error)) from None


def _first(error: BaseException) -> str:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    text = str(error).partition("\n")[0]
    return text[:1].lower() + text[1:]


def without_self_references(
    project: str,
    requirements: Sequence[Declared],
    named: Mapping[str, tuple[Declared, ...]],
    grouped: Mapping[str, tuple[Declared, ...]],
    notes: list[Note],
) -> tuple[tuple[Declared, ...], dict[str, tuple[Declared, ...]], dict[str, tuple[Declared, ...]]]:
    """Requirements, extras and groups with `project[extra]` replaced by what that extra lists.

    `InputError` at the reference where the extra is unknown or leads back to itself.
    """
    done: dict[str, tuple[Declared, ...]] = {}

    def extra(name: str, reference: Declared | None, open_: tuple[str, ...]) -> tuple[Declared, ...]:
        place = reference.origin.place if reference else None
        if name not in named:
            known = ", ".join(sorted(named)) or "none"
            raise InputError(
                f"asks for the extra `{name}` of this project, which has no such extra",
                where=place,
                hint=f"extras of this project: {known}",
            )
        if name in open_:
            cycle = " → ".join((*open_[open_.index(name) :], name))
            raise InputError(f"the extras of this project go round in a circle: {cycle}", where=place)
        if name not in done:
            done[name] = flat(named[name], (*open_, name))
        return done[name]

    def flat(listed: Sequence[Declared], open_: tuple[str, ...]) -> tuple[Declared, ...]:
        result: list[Declared] = []
        for one in listed:
            if not project or one.conda or one.name != project:
                result.append(one)
                continue
            if not one.extras:
                notes.append(Note("the project asks for itself: the line adds nothing", one.origin))
            for name in one.extras:
                result += (pep508.with_marker(entry, one.marker) for entry in extra(name, one, open_))
        return tuple(dict.fromkeys(result)) if len(result) != len(listed) else tuple(result)

    return (
        flat(requirements, ()),
        {name: extra(name, None, ()) for name in named},
        {name: flat(listed, ()) for name, listed in grouped.items()},
    )
