"""`pixi.toml`, and `[tool.pixi]` of a `pyproject.toml`: conda and PyPI requirements, features and environments.

A feature becomes a group, an environment on a platform becomes a target. What pixi runs or builds (tasks,
activation, packages) says nothing of requirements and is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest import conda_lines, pep508, pixi_lines, pixi_platforms
from mlpin.manifest.model import Context, Manifest, Note
from mlpin.manifest.pixi_environments import Targets, environments
from mlpin.manifest.pixi_features import CONDA, DEFAULT, Features, special_group
from mlpin.manifest.project_tables import joined
from mlpin.manifest.source_text import redacted
from mlpin.manifest.toml_lines import TomlFile
from mlpin.requirement import Declared, normalise
from mlpin.settings import Settings, merged

_KNOWN = {
    *(*CONDA, "pypi-dependencies", "feature", "target", "constraints", "environments"),
    *("workspace", "project", "system-requirements", "pypi-options"),
    *("tasks", "activation", "package", "build", "tool", "$schema"),
}
_UV_WORDS = {"index-url": "index-url", "index-strategy": "index-strategy", "prerelease-mode": "prerelease"}
_UV_LISTS = {"extra-index-urls": "extra-index-url", "find-links": "find-links"}


def read(path: Path, context: Context) -> Manifest:
    """The `pixi.toml` at `path`; `InputError` where it cannot be read or declares nothing."""
    file = TomlFile.read(path, context)
    with file.located():
        found = with_tables(Manifest(path, "pixi", inputs=(path,)), file, file.fields, context)
    if not found.requirements and not any(found.groups.values()):
        notes = tuple(f"{note.origin.place}: {note.message}" for note in found.notes)
        raise InputError("declares no dependencies", where=file.shown, notes=notes, hint="`pixi add numpy` adds one")
    return found


def with_tables(manifest: Manifest, file: TomlFile, root: Fields, context: Context) -> Manifest:
    """`manifest` with what `root`, the tables of pixi in its `file`, adds to it. Raises `InputError`.

    Where an environment leaves the default feature out, that feature and the requirements of `manifest`
    become the group `default`. Extras and groups of `manifest` can be named as features.
    """
    notes: list[Note] = []
    workspace = root.table("workspace" if "workspace" in root else "project")
    notes += [
        Note(f"`{key}` is not a table of pixi's that mlpin reads", file.origin((*root.path, key)))
        for key in root
        if key not in _KNOWN
    ]
    declared = pixi_platforms.platforms(file, workspace, notes)
    platforms = tuple(one for one in declared if one.is_locked)
    features = Features(file, root, platforms, manifest.project, context, notes)
    if manifest.kind == "pyproject":
        features.add_python(manifest.requires_python, manifest.requires_python_origin or file.origin(workspace.path))
    every = environments(file, root, features, manifest, notes)
    requirements = (*manifest.requirements, *_flat(features.requirements(features.all[DEFAULT]), manifest))
    own: dict[str, tuple[Declared, ...]] = {}
    if any(one.alone for one in every):
        own[DEFAULT], requirements = requirements, ()
    for feature in features.all.values():
        if feature.group != DEFAULT:
            own[feature.group] = _flat(features.requirements(feature), manifest)
        for platform in platforms:
            special = _flat(features.special(feature, platform), manifest)
            if special:
                own[special_group(feature, platform)] = special
    groups = joined(dict(manifest.groups), own)
    channels = {one.name: _channels(file, one.fields, workspace, context) for one in features.all.values()}
    made = Targets(file, features, declared, manifest, groups, channels)
    wanted = every
    if len(every) > 1 and not requirements and not own.get(DEFAULT) and every[0].steps == root.path:
        wanted = every[1:]  # nobody wrote of the default environment, and nothing is in it
    targets = made.of(wanted, notes)
    settings = _Options(file, root, workspace, context, notes).settings(features)
    settings = settings._replace(channels=channels[DEFAULT] or None)
    if set(targets) == {""}:
        only = targets.pop("")
        settings = settings._replace(
            python=only.python,
            platform=only.platform,
            glibc=only.glibc,
            extras=only.extras,
            channels=only.channels or settings.channels,
            virtual_packages=only.virtual_packages,
        )
    python, origin = conda_lines.requires_python(
        manifest.requires_python, manifest.requires_python_origin, requirements
    )
    return manifest._replace(
        project=manifest.project or normalise(workspace.string("name") or ""),
        version=manifest.version or workspace.string("version") or "",
        requires_python=python,
        requires_python_origin=origin,
        requirements=requirements,
        groups=groups,
        default_groups=made.groups_of(every[0], platforms[0] if len(platforms) == 1 else None),
        constraints=(*manifest.constraints, *_constraints(file, features, notes)),
        layers=(*manifest.layers, settings),
        targets=targets,
        notes=(*manifest.notes, *notes),
    )


def _flat(listed: Sequence[Declared], manifest: Manifest) -> tuple[Declared, ...]:
    """`listed` with the extras of the project itself in place of a requirement on it."""
    found: list[Declared] = []
    for one in listed:
        if one.conda or not one.extras or one.name != manifest.project:
            found.append(one)
            continue
        for name in one.extras:
            if name not in manifest.extras:
                known = ", ".join(sorted(manifest.extras)) or "none"
                message = f"asks for the extra `{name}` of this project, which has no such extra"
                raise InputError(message, where=one.origin.place, hint=f"extras of this project: {known}")
            found += [pep508.with_marker(entry, one.marker) for entry in manifest.extras[name]]
    return tuple(dict.fromkeys(found))


def _constraints(file: TomlFile, features: Features, notes: list[Note]) -> tuple[Declared, ...]:
    found: list[Declared] = []
    for feature in features.all.values():
        table = feature.fields.table("constraints")
        if feature.group == DEFAULT:
            found += [pixi_lines.conda(file, table, key).declared for key in table]
        elif table.data:
            message = f"constraints of the feature `{feature.name}` alone are not taken over"
            notes.append(Note(message, file.origin(table.path)))
    return tuple(found)


def _channels(file: TomlFile, fields: Fields, workspace: Fields, context: Context) -> tuple[str, ...]:
    """The channels of a feature, else those of the workspace, the highest priority first."""
    from mlpin.config.channels import channel, listed
    from mlpin.config.source import Table

    table = fields if "channels" in fields else workspace
    source = Table(table, file.path.parent, context, file.line)
    found: list[tuple[int, str]] = []
    for position, item in enumerate(table.items("channels")):
        name, priority = (item.get("channel"), item.get("priority", 0)) if isinstance(item, dict) else (item, 0)
        if not isinstance(name, str) or not isinstance(priority, int):
            steps: tuple[str | int, ...] = (*table.path, "channels", position)
            raise file.error(steps, "a channel must be a name, a URL or { channel = …, priority = … }")
        found.append((-priority, channel(name, source, "channels")))
    return listed([name for _, name in sorted(found, key=lambda one: one[0])])


class _Options:
    """What the workspace and `pypi-options` set."""

    def __init__(self, file: TomlFile, root: Fields, workspace: Fields, context: Context, notes: list[Note]) -> None:
        self.file, self.root, self.workspace, self.context, self.notes = file, root, workspace, context, notes

    def _note(self, message: str, steps: Sequence[str | int]) -> None:
        self.notes.append(Note(message, self.file.origin(steps)))

    def settings(self, features: Features) -> Settings:
        """The layer of the file, without what is of its environments."""
        layers = [self._pypi(self.root), self._pypi(self.workspace)]
        for feature in features.all.values():
            if feature.group == DEFAULT:
                continue
            for key in ("channel-priority", "solve-strategy"):
                if key in feature.fields:
                    self._note(f"`{key}` of a feature alone is not taken over", (*feature.fields.path, key))
            options = self._pypi(feature.fields, whole=False)
            if options != Settings(options.layer):
                message = f"`pypi-options` of the feature `{feature.name}` hold for every environment here"
                self._note(message, (*feature.fields.path, "pypi-options"))
                layers.append(options)
        if "conda-pypi-map" in self.workspace:
            message = "`conda-pypi-map` is not read: mlpin has its own list of names in both worlds"
            self._note(message, (*self.workspace.path, "conda-pypi-map"))
        found = merged(layers)
        return found._replace(
            layer=f"[tool.pixi] in {self.file.shown}" if self.root.path else self.file.shown,
            channel_priority=self._choice("channel-priority", ("strict", "disabled")),
            resolution=self._choice("solve-strategy", ("highest", "lowest", "lowest-direct")),
            exclude_newer=self._exclude_newer(),
            extra_indexes=(*(found.extra_indexes or ()), *features.indexes.values()) or None,
            pins=features.pins or None,
        )

    def _choice(self, key: str, allowed: Sequence[str]) -> str | None:
        text = self.workspace.string(key)
        if text is not None and text not in allowed:
            raise self.workspace.error(key, f"cannot be `{redacted(text)}`", hint=f"one of: {', '.join(allowed)}")
        return text

    def _exclude_newer(self) -> str | None:
        from mlpin.cutoff import exclude_newer_value

        text = self.workspace.string("exclude-newer")
        try:
            return exclude_newer_value(text) if text else None
        except InputError as error:
            self._note(f"`exclude-newer` is not taken over: {error.message}", (*self.workspace.path, "exclude-newer"))
            return None

    def _pypi(self, fields: Fields, *, whole: bool = True) -> Settings:
        """`pypi-options` in `fields`, read as the settings of uv that they are."""
        from mlpin.settings_files import uv_table

        table = fields.table("pypi-options")
        data: dict[str, Any] = {word: table.data[key] for key, word in _UV_WORDS.items() if key in table}
        for key, word in _UV_LISTS.items():
            if key in table:
                data[word] = [
                    item.get("url", item.get("path")) if isinstance(item, dict) else item for item in table.items(key)
                ]
        for key in ("no-build", "no-binary"):
            if key in table:
                data[f"{key}-package" if isinstance(table.data[key], list) else key] = table.data[key]
        named = Fields(data, table.file, table.path)
        found = uv_table(named, base=self.file.path.parent, context=self.context, lines=self.file.line)
        overrides = table.table("dependency-overrides")
        if overrides.data and whole:
            lines = [pixi_lines.pypi(self.file, overrides, key, "") for key in overrides]
            return found._replace(overrides=tuple(line.declared for line in lines if line))
        if overrides.data:
            self._note("`dependency-overrides` of a feature alone are not taken over", overrides.path)
        return found
