"""What conda wrote down of a package when it installed it: a file of `conda-meta`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mlpin.errors import InputError
from mlpin.stack import document
from mlpin.stack.folders import beginning

_LARGEST = 64 * 1024 * 1024
"""Bytes. It lists every file of the package; the longest that are known have a quarter of it."""


class Origin(NamedTuple):
    """Which file a package was installed from; all is empty where nobody says."""

    filename: str = ""
    hashes: Mapping[str, str] = {}
    """`sha256`, `md5`, in lower case, as far as they are stated."""


def read(path: Path) -> Origin:
    """Where the package of a record came from."""
    try:
        data = document.json(beginning(path, _LARGEST), str(path))
    except (InputError, OSError):
        return Origin()
    if not isinstance(data, dict):
        return Origin()
    stated = {key: data.get(key) for key in ("fn", "sha256", "md5")}
    texts = {key: value for key, value in stated.items() if isinstance(value, str) and value}
    return Origin(texts.pop("fn", ""), {key: value.lower() for key, value in texts.items()})
