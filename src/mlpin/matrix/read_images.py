"""Tables of base images and distributions as people write them → values."""

from __future__ import annotations

from mlpin.matrix.entry import ORIGIN, Entry
from mlpin.matrix.images import FACTS, holes
from mlpin.matrix.tables import BaseImage, Distribution


def read_distribution(entry: Entry) -> list[Distribution]:
    """One [[distribution]]."""
    entry.known("name", "releases", "glibc", "python", *ORIGIN)
    source, _, _ = entry.origin()
    return [
        Distribution(
            entry.required("name"), entry.some("releases"), entry.number("glibc"), entry.number("python"), source
        )
    ]


def read_image(entry: Entry) -> list[BaseImage]:
    """One [[image]]."""
    entry.known("names", "tags", "known", "for-python", "branches", *ORIGIN)
    source, _, date = entry.origin()
    return [
        BaseImage(
            entry.some("names"), _tags(entry), entry.texts("known"), entry.flag("for-python"), _branches(entry),
            source, date,
        )
    ]  # fmt: skip


def _tags(entry: Entry) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    tags = entry.data.get("tags")
    if not isinstance(tags, dict) or not tags:
        entry.wrong("`tags` must be a table of patterns of tags, each with its facts")
        return ()
    found = []
    for pattern, facts in tags.items():
        if holes(pattern) is None:
            entry.wrong(f"`{pattern}` is no pattern of tags: braces hold one name each, and no name twice")
        if not isinstance(facts, dict) or not all(isinstance(value, str) and value for value in facts.values()):
            entry.wrong(f"the facts of `{pattern}` must be a table of strings")
            continue
        for name in facts:
            if name not in FACTS:
                entry.wrong(f"`{name}` is no fact of an image; there are {', '.join(FACTS)}")
        found.append((pattern, tuple(sorted(facts.items()))))
    return tuple(found)


def _branches(entry: Entry) -> tuple[tuple[str, tuple[str, ...]], ...]:
    branches = entry.data.get("branches", {})
    if not isinstance(branches, dict) or not all(
        isinstance(value, list) and all(isinstance(item, str) and item.isdigit() for item in value)
        for value in branches.values()
    ):
        entry.wrong("`branches` must be a table of CUDA versions, each with a list of branches of drivers")
        return ()
    return tuple((cuda, tuple(found)) for cuda, found in sorted(branches.items()))
