"""Which packages of a lock without markers of its own are installed on a target.

Older locks of Poetry and PDM list packages for every platform and say only on the edges between them which ones
need which. What the project itself asks for is not in them, so a package that nothing in the lock depends on is
always kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def kept(names: Iterable[str], edges: Mapping[str, Iterable[tuple[str, bool]]]) -> set[str]:
    """The names that are installed, given whom each one depends on and whether the marker of that edge holds.

    A name goes where every edge to it has a marker that fails, or comes from a name that went.
    """
    left = set(names)
    towards: dict[str, list[tuple[str, bool]]] = {}
    for parent, children in edges.items():
        for child, holds in children:
            if child in left and child != parent:
                towards.setdefault(child, []).append((parent, holds))
    while True:
        gone = {
            child
            for child, parents in towards.items()
            if child in left and not any(holds and parent in left for parent, holds in parents)
        }
        if not gone:
            return left
        left -= gone
