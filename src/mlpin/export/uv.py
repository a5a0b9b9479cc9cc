"""A lock as `[tool.uv]` tables with which `uv lock` chooses the same versions from the same indexes.

Knows uv's settings (https://docs.astral.sh/uv/reference/settings/). What uv has no source for is left to the project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlpin.export.model import Exported, index_of, public
from mlpin.export.requirements import direct, repository
from mlpin.lock.locked import LockedPackage
from mlpin.report.wrap import wrapped


def uv(found: Exported) -> str:
    """The tables, to be put into pyproject.toml in the lock's folder: paths in them are relative to that.

    The index of most packages is asked for all that have no source, the others only for theirs. Sources hold for what
    the project does not name itself too, since uv reads them together with constraints.
    """
    import tomli_w

    names = _names(found)
    sources: dict[str, list[dict[str, Any]]] = {}
    homeless = []
    for package in found.packages:
        if source := _source(package, found, names):
            one = {"marker": package.marker} if package.marker else {}
            sources.setdefault(package.name, []).append(source | one)
        elif package.tree is not None:
            homeless.append(package.name)
    overridden = found.overridden
    pinned = [package for package in found.packages if package.name not in homeless]
    table: dict[str, Any] = {
        "environments": list(found.lock.environments),
        "constraint-dependencies": [_pin(package) for package in pinned],
        "override-dependencies": [_pin(package) for package in pinned if package.name in overridden],
        "exclude-dependencies": list(found.excluded),
        "index": [
            {"name": names[url], "url": url, "explicit" if position else "default": True}
            for position, url in enumerate(found.indexes)
            if position or url != found.default_index
        ],
        "sources": sources,
    }
    purpose = f", for {found.made_for}" if found.made_for else ""
    head = wrapped(
        f"Made by `mlpin export` from {found.lock.path.name}{purpose}. With these tables in pyproject.toml, `uv lock` "
        "chooses what is locked there.",
        "# ",
        "# ",
    )
    if homeless:
        text = (
            f"The project has to say where these come from, as the lock has no address for uv: {', '.join(homeless)}."
        )
        head += wrapped(text, "# ", "# ")
    stated = {key: value for key, value in table.items() if value}
    return "\n".join(head) + "\n\n" + tomli_w.dumps({"tool": {"uv": stated}})


def _pin(package: LockedPackage) -> str:
    version = f"=={package.version}" if package.version else ""
    return package.name + version + (f" ; {package.marker}" if package.marker else "")


def _source(package: LockedPackage, found: Exported, names: Mapping[str, str]) -> dict[str, Any]:
    """Where uv gets a package: empty where that is the index of most, or where uv has no word for it."""
    tree = package.tree
    if tree is not None and tree.kind == "directory":
        place = "/".join(part for part in (tree.place, tree.subdirectory) if part)
        return {"path": place} | ({"editable": True} if tree.editable else {})
    if tree is not None:
        if tree.vcs != "git" or repository(tree).startswith("file:"):
            return {}
        return {"git": repository(tree), "rev": tree.commit} | _part(tree.subdirectory)
    file = direct(package, found)
    if file is None:
        index = index_of(package)
        return {"index": names[index]} if index and index != found.indexes[0] else {}
    return ({"url": public(file.url.partition("#")[0])} if file.url else {"path": file.path}) | _part(file.subdirectory)


def _part(subdirectory: str) -> dict[str, str]:
    return {"subdirectory": subdirectory} if subdirectory else {}


def _names(found: Exported) -> Mapping[str, str]:
    """A name for each index, after its address, that is short and the only one of its kind."""
    names: dict[str, str] = {}
    for url in found.indexes:
        words = [word for word in re.split(r"[^a-z0-9]+", url.partition("://")[2].lower()) if word]
        name = "-".join(word for word in words if word not in {"simple", "www", "com", "org"}) or "index"
        names[url] = name if name not in names.values() else f"{name}-{len(names) + 1}"
    return names
