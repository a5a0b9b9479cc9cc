"""`mlpin.toml`: the tables of [tool.mlpin] at the top, beside `dependencies` as [project] has them."""

from __future__ import annotations

from pathlib import Path

from mlpin.errors import InputError
from mlpin.manifest import pep508, project_tables
from mlpin.manifest.model import Context, Manifest, Note
from mlpin.manifest.pyproject import own_settings
from mlpin.manifest.toml_lines import TomlFile
from mlpin.requirement import normalise


def read(path: Path, context: Context) -> Manifest:
    """The `mlpin.toml` at `path`; `InputError` where it cannot be read or has no `dependencies`."""
    file = TomlFile.read(path, context)
    with file.located():
        return _read(file, context)


def _read(file: TomlFile, context: Context) -> Manifest:
    root, bases = file.fields, (file.path.parent,)
    lists = {"dependencies", "optional-dependencies", "dependency-groups"} & file.data.keys()
    if not (lists or project_tables.declares_conda(file.data)):
        raise InputError(
            "declares no dependencies", where=file.shown, hint='write `dependencies = ["…"]`, or name another file'
        )
    notes: list[Note] = []
    project = normalise(root.string("name") or "")
    requirements, extras, groups = project_tables.without_self_references(
        project,
        file.requirements(root, "dependencies", ("dependencies",), bases),
        project_tables.extras(file, root.table("optional-dependencies"), bases),
        project_tables.groups(file, root.table("dependency-groups"), bases),
        notes,
    )
    text = root.string("requires-python")
    origin = file.origin(("requires-python",), text) if text is not None else None
    stated = pep508.specifier(text or "", origin, what="range of Python versions") if origin else ""
    conda = project_tables.conda(file, root, stated, origin)
    groups = project_tables.joined(groups, conda.groups)
    return Manifest(
        path=file.path,
        kind="mlpin",
        project=project,
        version=root.string("version") or "",
        requires_python=conda.requires_python,
        requires_python_origin=conda.requires_python_origin,
        requirements=(*requirements, *conda.requirements),
        extras=extras,
        groups=groups,
        default_groups=("dev",) if "dev" in groups else (),
        layers=(own_settings(file, root, context),),
        notes=tuple(notes),
        inputs=(file.path,),
    )
