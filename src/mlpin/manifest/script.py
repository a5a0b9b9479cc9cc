"""Python scripts with inline metadata (PEP 723)."""

from __future__ import annotations

import re
from pathlib import Path

from mlpin.errors import InputError
from mlpin.manifest import pep508, project_tables
from mlpin.manifest.model import Context, Manifest
from mlpin.manifest.source_text import bytes_of, decoded
from mlpin.manifest.toml_lines import TomlFile
from mlpin.manifest.uv_sources import Sources

# the reference expression of PEP 723
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
_OPENING = re.compile(r"(?m)^#\s*///\s*script\s*$")


def read(path: Path, context: Context) -> Manifest:
    """The `script` block of the file at `path`; `InputError` where there is none, or more than one."""
    shown = context.shown(path)
    text = decoded(bytes_of(path, context), shown, declared_coding=True).replace("\r\n", "\n")
    blocks = [found for found in _BLOCK.finditer(text) if found["type"] == "script"]
    if not blocks:
        raise _no_block(text, shown)
    if len(blocks) > 1:
        line = text.count("\n", 0, blocks[1].start()) + 1
        raise InputError("has more than one `script` block, where PEP 723 allows one", where=f"{shown}:{line}")
    content = "".join(
        line[2:] if line.startswith("# ") else line[1:] for line in blocks[0]["content"].splitlines(keepends=True)
    )
    first = text.count("\n", 0, blocks[0].start("content")) + 1
    file = TomlFile(content, path, shown, first=first)
    with file.located():
        return _read(file, context)


def _no_block(text: str, shown: str) -> InputError:
    opening = _OPENING.search(text)
    example = '# /// script\n# dependencies = ["torch"]\n# ///'
    if opening:
        line = text.count("\n", 0, opening.start()) + 1
        return InputError(
            "the `script` block that begins here is not one of PEP 723",
            where=f"{shown}:{line}",
            hint=f"each of its lines begins with `#` and a space, and it ends with `# ///`:\n{example}",
        )
    return InputError(
        "this script has no inline metadata (PEP 723), and its imports say no versions",
        where=shown,
        hint=f"write what it needs at its top:\n{example}",
    )


def _read(file: TomlFile, context: Context) -> Manifest:
    from mlpin.manifest.pyproject import own_settings, uv_settings

    root, base = file.fields, file.path.parent
    root.known("dependencies", "requires-python", "tool")
    tool = root.table("tool")
    uv = tool.table("uv")
    sources = Sources(file, uv.table("sources"), "", context)
    listed = file.requirements(root, "dependencies", ("dependencies",), (base,))
    layers = []
    if "mlpin" in tool:
        layers.append(own_settings(file, tool.table("mlpin"), context))
    if "uv" in tool:
        layers.append(uv_settings(file, uv, sources, context))
    text = root.string("requires-python")
    origin = file.origin(("requires-python",), text) if text is not None else None
    stated = pep508.specifier(text or "", origin, what="range of Python versions") if origin else ""
    conda = project_tables.conda(file, tool.table("mlpin"), stated, origin)
    return Manifest(
        path=file.path,
        kind="script",
        requires_python=conda.requires_python,
        requires_python_origin=conda.requires_python_origin,
        requirements=(*(low for one in listed for low in sources.lowered(one)), *conda.requirements),
        groups=conda.groups,
        layers=tuple(layers),
        inputs=(file.path, *sources.inputs),
    )
