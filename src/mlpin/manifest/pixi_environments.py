"""Environments of a pixi manifest as targets: one for each platform that all features of an environment have.

Knows how pixi joins features; the requirements themselves are the groups that a target names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from mlpin.fields import Fields
from mlpin.manifest import pixi_lines, pixi_platforms
from mlpin.manifest.model import Manifest, Note
from mlpin.manifest.pixi_features import DEFAULT, PYTHONS, Feature, Features, special_group
from mlpin.manifest.pixi_platforms import Platform
from mlpin.manifest.source_text import redacted
from mlpin.manifest.toml_lines import TomlFile
from mlpin.requirement import normalise
from mlpin.settings import TargetSettings


class Environment(NamedTuple):
    """`name = { features = […] }`; `alone` is one without the default feature."""

    name: str
    steps: Sequence[str]
    features: tuple[str, ...] = ()
    alone: bool = False


def environments(
    file: TomlFile, root: Fields, features: Features, manifest: Manifest, notes: list[Note]
) -> tuple[Environment, ...]:
    """All environments, the default one first. `InputError` where one names a feature that there is not."""
    table = root.table("environments")
    found = {DEFAULT: Environment(DEFAULT, root.path)}
    grouped = None
    for key in table:
        steps = (*table.path, key)
        if isinstance(table.data[key], list):
            found[key] = Environment(key, steps, table.strings(key) or ())
            continue
        fields = table.table(key)
        alone = fields.boolean("no-default-feature") or False
        found[key] = Environment(key, steps, fields.strings("features") or (), alone)
        grouped = grouped or (steps if "solve-group" in fields else None)
    elsewhere = {*manifest.extras, *manifest.groups}
    for one in found.values():
        for name in one.features:
            if name not in features.all and normalise(name) not in elsewhere:
                known = ", ".join([*(name for name in features.all if name != DEFAULT), *sorted(elsewhere)]) or "none"
                message = f"the environment `{one.name}` names the feature `{redacted(name)}`, which there is not"
                raise file.error(one.steps, message, hint=f"features: {known}")
    if grouped:
        message = "`solve-group`: mlpin locks each environment on its own, so versions may differ between them"
        notes.append(Note(message, file.origin(grouped)))
    return tuple(found.values())


class Targets:
    """The targets of environments. `groups` are those that the manifest has.

    Their names go by the platforms that are `declared`, so that none changes when mlpin can lock for one more.
    """

    def __init__(
        self,
        file: TomlFile,
        features: Features,
        declared: Sequence[Platform],
        manifest: Manifest,
        groups: Collection[str],
        channels: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.file, self.features, self.manifest, self.groups = file, features, manifest, groups
        self.declared = declared
        self.channels = channels
        """By feature."""

    def of(self, every: Sequence[Environment], notes: list[Note]) -> dict[str, TargetSettings]:
        """By name: platforms for the default environment, else `environment` or `environment-platform`.

        An only target is called by the empty name. `InputError` where two come to one name.
        """
        found: list[tuple[Environment, Platform | None]] = []
        several: set[str] = set()
        for one in every:
            declared = self._platforms(one)
            platforms = [platform for platform in declared if platform.is_locked]
            found += [(one, platform) for platform in platforms]
            if platforms and len(declared) > 1:
                several.add(one.name)
            elif not self.features.platforms:
                found.append((one, None))
            elif not platforms:
                message = f"the environment `{one.name}` has no platform that mlpin locks for"
                notes.append(Note(message, self.file.origin(one.steps)))
        taken = {_word(one.name) for one in every}
        result: dict[str, TargetSettings] = {}
        for one, platform in found:
            name = _word(one.name)
            if platform and one.name in several:
                on = _word(platform.name)
                name = on if one.name == DEFAULT and on not in taken else f"{name}-{on}"
            if len(found) == 1 and not several:
                name = ""
            if name in result:
                raise self.file.error(one.steps, f"two environments would both be the target `{name}`")
            result[name] = self._target(one, platform)._replace(name=name)
        return result

    def _platforms(self, environment: Environment) -> tuple[Platform, ...]:
        """Those of the workspace, less those that a feature does not have."""
        every = self.declared
        names = {one.name for one in every}
        for name in environment.features:
            feature = self.features.all.get(name)
            if feature is not None and "platforms" in feature.fields:
                steps = (*feature.fields.path, "platforms")
                listed = feature.fields.strings("platforms") or ()
                names &= frozenset().union(*(self.features.meant(text, every, steps) for text in listed))
        return tuple(one for one in every if one.name in names)

    def of_environment(self, one: Environment) -> list[Feature]:
        """Its features, the default one last."""
        chosen = [*one.features, *([] if one.alone else [DEFAULT])]
        return [self.features.all[name] for name in dict.fromkeys(chosen) if name in self.features.all]

    def groups_of(self, one: Environment, platform: Platform | None = None) -> tuple[str, ...]:
        """The groups that an environment takes."""
        features = self.of_environment(one)
        wanted = [normalise(name) for name in one.features] + [feature.group for feature in features]
        if platform is not None:
            wanted += [special_group(feature, platform) for feature in features]
        return tuple(name for name in dict.fromkeys(wanted) if name in self.groups)

    def _target(self, one: Environment, platform: Platform | None) -> TargetSettings:
        features = self.of_environment(one)
        system = pixi_platforms.joined(
            pixi_platforms.virtual_packages(self.file, table, table.path)
            for table in (feature.fields.table("system-requirements") for feature in features)
        )
        target = pixi_platforms.settings(platform, system) if platform else TargetSettings()
        channels = tuple(dict.fromkeys(name for feature in features for name in self.channels[feature.name]))
        return target._replace(
            python=self._python(features, platform.name if platform else None),
            groups=self.groups_of(one, platform) or None,
            extras=tuple(name for name in map(normalise, one.features) if name in self.manifest.extras) or None,
            channels=None if channels == self.channels[DEFAULT] else channels or None,
        )

    def _python(self, features: Sequence[Feature], platform: str | None) -> tuple[str, ...] | None:
        """The only Python that an environment can have, else the lowest; None where the project says it for all."""
        said = {
            line.version: feature.group
            for feature in features
            for line, platforms in feature.entries
            if line.declared.name in PYTHONS and line.version != "*" and (platform is None or platform in platforms)
        }
        ranges = [*said, *filter(None, [self.manifest.requires_python])]
        found = pixi_lines.pythons(ranges) if said else []
        if len(found) == 1 or (found and any(group != DEFAULT for group in said.values())):
            return (found[0],)
        return None


def _word(name: str) -> str:
    """A name as part of a target's."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-") or "x"
