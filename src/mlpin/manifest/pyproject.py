"""`pyproject.toml`: [project] (PEP 621), [dependency-groups] (PEP 735), and the tables of uv, Poetry and mlpin.

Static data only: where a list is `dynamic` and no table says where it stands, that is an error, since
build backends are never run while locking.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest import pep508, project_tables
from mlpin.manifest.model import Context, Manifest, Note
from mlpin.manifest.source_text import redacted, text_of
from mlpin.manifest.toml_lines import TomlFile
from mlpin.manifest.uv_sources import Sources
from mlpin.requirement import Declared, Origin, normalise
from mlpin.settings import Settings

if TYPE_CHECKING:
    from mlpin.manifest.poetry import PoetryTables

_PIXI = {"workspace", "project", "dependencies", "pypi-dependencies", "feature", "target"}
OWN_KEYS = frozenset(
    {"name", "version", "dependencies", "requires-python", "optional-dependencies", "dependency-groups"}
)
"""What a table of mlpin's may hold beside settings."""


def read_any(path: Path, context: Context) -> Manifest:
    """A TOML file of any name: `pyproject.toml` by its tables, else one of mlpin's own."""
    file = TomlFile.read(path, context)
    declares = "dependencies" in file.data or project_tables.declares_conda(file.data)
    if path.name != "pyproject.toml" and declares and "project" not in file.data:
        from mlpin.manifest.mlpin_toml import read as read_own

        return read_own(path, context)
    return _read(file, context)


def read(path: Path, context: Context) -> Manifest:
    """The `pyproject.toml` at `path`; `InputError` where it declares nothing or cannot be read."""
    return _read(TomlFile.read(path, context), context)


def _read(file: TomlFile, context: Context) -> Manifest:
    with file.located():
        return _Reader(file, context).manifest()


def own_settings(file: TomlFile, fields: Fields, context: Context) -> Settings:
    """The settings in `fields`, a table of mlpin's in `file`, without what the table declares."""
    from mlpin.settings_files import mlpin_table

    data = {key: value for key, value in fields.data.items() if key not in OWN_KEYS}
    rest = Fields(data, fields.file, fields.path)
    return mlpin_table(rest, base=file.path.parent, context=context, lines=file.line)


def uv_settings(file: TomlFile, fields: Fields, sources: Sources, context: Context) -> Settings:
    """The settings in `[tool.uv]` of `file`, with the pins of its `sources`."""
    from mlpin.settings_files import uv_table

    layer = uv_table(fields, base=file.path.parent, context=context, lines=file.line)
    return layer._replace(pins={**(layer.pins or {}), **sources.pins}) if sources.pins else layer


class _Reader:
    def __init__(self, file: TomlFile, context: Context) -> None:
        self.file = file
        self.context = context
        self.base = file.path.parent
        self.bases = (self.base,)
        self.notes: list[Note] = []
        self.inputs: list[Path] = [file.path]
        root = file.fields
        self.root = root
        self.project = root.table("project")
        tool = root.table("tool")
        self.tool = tool
        self.uv, self.own = tool.table("uv"), tool.table("mlpin")
        self.declares_own = "dependencies" in self.own or project_tables.declares_conda(self.own.data)
        self.poetry = self._poetry(tool) if "poetry" in tool else None
        name = self.project.string("name") or (self.poetry.name if self.poetry else "")
        self.name = normalise(name or self.own.string("name") or "")
        self.sources = Sources(file, self.uv.table("sources"), self.name, context)
        self.own_layer = own_settings(file, self.own, context) if "mlpin" in tool else None
        self.pixi = tool.table("pixi")
        self.has_pixi = not _PIXI.isdisjoint(self.pixi.data)

    def _poetry(self, tool: Fields) -> PoetryTables | None:
        from mlpin.manifest.poetry import tables

        return tables(self.file, tool.table("poetry"), self.base)

    def manifest(self) -> Manifest:
        poetry = self.poetry
        if not (
            {"project", "dependency-groups"} & self.root.data.keys() or poetry or self.declares_own or self.has_pixi
        ):
            raise InputError(
                "declares no dependencies",
                where=self.file.shown,
                hint="write a [project] table with `dependencies`, or name another file",
            )
        requirements = self._requirements()
        extras = self._extras()
        groups = self._groups()
        if poetry:
            extras = {**poetry.extras, **extras}
            groups = project_tables.joined(poetry.groups, groups)
            self.notes += poetry.notes
        requirements, extras, groups = project_tables.without_self_references(
            self.name, requirements, extras, groups, self.notes
        )
        conda = project_tables.conda(self.file, self.own, *self._requires_python())
        groups = project_tables.joined(groups, conda.groups)
        found = Manifest(
            path=self.file.path,
            kind="pyproject",
            project=self.name,
            version=self.project.string("version") or (poetry.version if poetry else ""),
            requires_python=conda.requires_python,
            requires_python_origin=conda.requires_python_origin,
            requirements=(*requirements, *conda.requirements),
            extras=extras,
            groups=groups,
            default_groups=self._default_groups(groups),
            layers=self._layers(),
            notes=tuple(self.notes),
            inputs=tuple(dict.fromkeys((*self.inputs, *self.sources.inputs))),
        )
        if not self.has_pixi:
            return found
        from mlpin.manifest.pixi import with_tables

        return with_tables(found, self.file, self.pixi, self.context)

    # Requirements

    def _lowered(self, requirement: Declared, extra: str = "", group: str = "") -> tuple[Declared, ...]:
        found = self.sources.lowered(requirement, extra, group)
        if self.poetry and len(found) == 1:
            return self.poetry.enriched(found[0])
        return found

    def _requirements(self) -> tuple[Declared, ...]:
        listed: list[Declared] = []
        dynamic = self.project.strings("dynamic") or ()
        if "dependencies" in self.project:
            if "dependencies" in dynamic:
                raise self.file.error(("project", "dynamic"), "`dependencies` is both listed and `dynamic`")
            listed += self.file.requirements(self.project, "dependencies", ("project", "dependencies"), self.bases)
        elif "dependencies" in dynamic:
            listed += self._dynamic()
        elif self.poetry:
            listed += self.poetry.requirements
        elif "project" in self.root and not self.declares_own and not self.has_pixi:
            self.notes.append(Note("[project] lists no dependencies", self.file.origin(("project",))))
        steps = self.own.path
        listed += self.file.requirements(self.own, "dependencies", (*steps, "dependencies"), self.bases)
        return tuple(low for one in listed for low in self._lowered(one))

    def _dynamic(self) -> Sequence[Declared]:
        """Dependencies that the build backend would supply, where a table says which file holds them."""
        table = self.tool.table("setuptools").table("dynamic")
        if "dependencies" in table:
            return self._from_files(table.table("dependencies"))
        hook = self._hatch_hook()
        if "files" in hook:
            return self._listed_in(hook.strings("files", or_one=True) or (), hook.path)
        if self.poetry and self.poetry.has_dependencies:
            return self.poetry.requirements
        supplied = self._supplied()
        if supplied is not None:
            return supplied[0]
        backend = self.root.table("build-system").string("build-backend") or "setuptools"
        raise self.file.error(
            ("project", "dynamic"),
            f"`dependencies` is dynamic: the build backend ({backend}) computes it, and is never run while locking",
            hint="list them as `dependencies` in [project], or give them as `requires-dist` in"
            f" [tool.mlpin.metadata.{self.name or 'NAME'}]",
        )

    def _hatch_hook(self) -> Fields:
        hatch = self.tool.table("hatch").table("metadata").table("hooks")
        return hatch.table("requirements_txt")

    def _from_files(self, table: Fields) -> list[Declared]:
        files = table.strings("file", or_one=True)
        if files is None:
            raise self.file.error(
                table.path,
                "is computed by setuptools, which is never run while locking",
                hint='only `{file = ["requirements.txt"]}` is read; or list the dependencies in [project]',
            )
        return self._listed_in(files, table.path)

    def _listed_in(self, files: Sequence[str], steps: Sequence[str]) -> list[Declared]:
        found: list[Declared] = []
        for name in files:
            path = self.base / name
            if not path.is_file():
                raise self.file.error(steps, f"names `{name}`, and there is no such file")
            found += plain_lines(path, self.context)
            self.inputs.append(path)
        return found

    def _supplied(self) -> tuple[list[Declared], dict[str, list[Declared]]] | None:
        """The requirements that `[tool.mlpin.metadata]` gives for this very project, and its extras."""
        entries = (self.own_layer.metadata or ()) if self.own_layer else ()
        mine = next((entry for entry in entries if self.name and entry.name == self.name), None)
        if mine is None:
            return None
        origin = self.file.origin(("tool", "mlpin", "metadata"))
        base: list[Declared] = []
        extras: dict[str, list[Declared]] = {normalise(name): [] for name in mine.provides_extra}
        for text in mine.requires_dist:
            one = pep508.declared(text, origin._replace(text=redacted(text)), bases=self.bases)
            rest, extra = pep508.without_extra(one.marker)
            if rest is None:
                raise InputError(f"`{redacted(text)}`: its extra is not at the end of the marker", where=origin.place)
            one = one._replace(marker=rest)
            if extra:
                extras.setdefault(extra, []).append(one)
            else:
                base.append(one)
        return base, extras

    def _extras(self) -> dict[str, tuple[Declared, ...]]:
        found = project_tables.extras(self.file, self.project.table("optional-dependencies"), self.bases, self._lowered)
        own = project_tables.extras(self.file, self.own.table("optional-dependencies"), self.bases, self._lowered)
        dynamic: dict[str, tuple[Declared, ...]] = {}
        if "optional-dependencies" in (self.project.strings("dynamic") or ()):
            table = self.tool.table("setuptools").table("dynamic").table("optional-dependencies")
            for key in table:
                dynamic[normalise(key)] = tuple(self._from_files(table.table(key)))
            hook = self._hatch_hook().table("optional-dependencies")
            for key in hook:
                listed = self._listed_in(hook.strings(key, or_one=True) or (), (*hook.path, key))
                dynamic[normalise(key)] = tuple(listed)
            supplied = self._supplied()
            if supplied is not None:
                dynamic.update((name, tuple(listed)) for name, listed in supplied[1].items())
            if not dynamic and not (self.poetry and self.poetry.extras):
                self.notes.append(
                    Note(
                        "`optional-dependencies` is dynamic, so the extras of this project are not known",
                        self.file.origin(("project", "dynamic")),
                    )
                )
            dynamic = {
                name: tuple(low for one in listed for low in self._lowered(one, name))
                for name, listed in dynamic.items()
            }
        return project_tables.joined(project_tables.joined(dynamic, found), own)

    def _groups(self) -> dict[str, tuple[Declared, ...]]:
        found = project_tables.groups(self.file, self.root.table("dependency-groups"), self.bases, self._lowered)
        own = project_tables.groups(self.file, self.own.table("dependency-groups"), self.bases, self._lowered)
        legacy = self.file.requirements(self.uv, "dev-dependencies", (*self.uv.path, "dev-dependencies"), self.bases)
        if "dev-dependencies" in self.uv:
            own = project_tables.joined(
                own, {"dev": tuple(low for one in legacy for low in self._lowered(one, "", "dev"))}
            )
        return project_tables.joined(found, own)

    def _default_groups(self, groups: dict[str, tuple[Declared, ...]]) -> tuple[str, ...]:
        """As uv: what `default-groups` says, else `dev` if there is one; of Poetry, all but optional ones."""
        if "default-groups" not in self.uv:
            mine = self.poetry.default_groups if self.poetry else ()
            return tuple(dict.fromkeys((*mine, *(("dev",) if "dev" in groups and not self._optional("dev") else ()))))
        if self.uv.data["default-groups"] == "all":
            return tuple(groups)
        names = tuple(normalise(name) for name in self.uv.strings("default-groups") or ())
        for name in names:
            if name not in groups:
                message = f"names the group `{name}`, which there is not"
                raise self.file.error(("tool", "uv", "default-groups"), message)
        return names

    def _optional(self, group: str) -> bool:
        return self.poetry is not None and group in self.poetry.optional_groups

    # The rest

    def _requires_python(self) -> tuple[str, Origin | None]:
        for table in (self.project, self.own):
            text = table.string("requires-python")
            if text is not None:
                origin = self.file.origin((*table.path, "requires-python"), text)
                return pep508.specifier(text, origin, what="range of Python versions"), origin
        if self.poetry and self.poetry.requires_python:
            return self.poetry.requires_python, self.poetry.requires_python_origin
        if "requires-python" in (self.project.strings("dynamic") or ()):
            where = self.file.origin(("project", "dynamic"))
            self.notes.append(Note("`requires-python` is dynamic, so it is not known", where))
        return "", None

    def _layers(self) -> tuple[Settings, ...]:
        layers = [self.own_layer] if self.own_layer else []
        if self.poetry and self.poetry.settings:
            layers.append(self.poetry.settings)
        if "uv" in self.tool:
            layers.append(uv_settings(self.file, self.uv, self.sources, self.context))
        return tuple(layers)


def plain_lines(path: Path, context: Context) -> list[Declared]:
    """The requirements in a file that setuptools reads (`file:`): one a line, and no options."""
    from mlpin.manifest import pip_lines

    shown = context.shown(path)
    found: list[Declared] = []
    for line in pip_lines.lines(text_of(path, context), {}):
        origin = Origin("manifest", shown, line.number, line.shown)
        if line.text.startswith("-"):
            raise InputError(
                f"`{line.shown}` is an option of pip, and setuptools reads requirements alone from this file",
                where=origin.place,
            )
        found.append(pep508.declared(line.text, origin, bases=(path.parent,)))
    return found
