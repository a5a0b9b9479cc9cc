"""The snapshots that lie in a directory, one or more for each file system that nodes share.

What a file must be to be a snapshot is `mlpin.snapshot`'s; how snapshots differ is `check.fleet`'s.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mlpin import snapshot
from mlpin.errors import InputError
from mlpin.snapshot import Snapshot


class Gathered(NamedTuple):
    """What lies in a directory."""

    snapshots: tuple[Snapshot, ...]
    unreadable: tuple[InputError, ...]


def gather(folder: Path, named: str) -> Gathered:
    """The snapshots in a directory (`*.json`) and in the directories in it; `named` is how messages name it.

    A file that is no snapshot is kept as the reason, and so is one with the name of another before it. Raises
    `InputError` where there is no such directory or no file in it.
    """
    paths = list(_files(folder, named))
    if not paths:
        raise InputError(
            "holds no snapshots (*.json)", where=named, hint="`mlpin snapshot -o NODE.json` on each node writes them"
        )
    found: dict[str, Snapshot] = {}
    unreadable = []
    for path in paths:
        place = os.path.join(named, path.relative_to(folder))
        try:
            if not path.is_file():
                raise InputError("is not a file", where=place)  # noqa: TRY301
            one = snapshot.read(path, place)
        except InputError as error:
            unreadable.append(error)
            continue
        if one.name not in found:
            found[one.name] = one
            continue
        message = f"has the same name as {found[one.name].file}, `{one.name}`"
        hint = "delete the older one, or name the node with `mlpin snapshot --name NAME`"
        unreadable.append(InputError(message, where=place, hint=hint))
    return Gathered(tuple(found.values()), tuple(unreadable))


def _files(folder: Path, named: str) -> Iterator[Path]:
    try:
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.suffix == ".json":
                yield path
            elif path.is_dir():
                yield from sorted(one for one in path.glob("*.json") if not one.name.startswith("."))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=named) from None
