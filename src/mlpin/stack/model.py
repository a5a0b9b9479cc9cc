"""An exact set of packages, whatever tool fixed it and whatever file it was written in.

Every reader in this package returns a `Stack`. It knows versions as they are written; it knows nothing of
whether they go together.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from mlpin.settings import TargetSettings

Ecosystem = Literal["pypi", "conda"]
Kind = Literal[
    "freeze",
    "requirements",
    "pylock",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "pixi.lock",
    "conda-lock",
    "conda-list",
    "conda-explicit",
    "environment",
]


class Where(NamedTuple):
    """The machine that a stack is looked at for, as far as it was said; what is empty is the stack's to say."""

    python: str = ""
    """`3.11.4` or `3.11`."""
    platform: str = ""
    """As `target.parse_platform` takes it."""


ANYWHERE = Where()


class Pinned(NamedTuple):
    """One package of a stack. `name` is normalised on PyPI and conda's own on conda."""

    name: str
    version: str
    """With its local part. Always a version of PEP 440 on PyPI; empty where it is not known (VCS, editable)."""
    line: int = 0
    """In the stack's file; 0 where it is not known."""
    ecosystem: Ecosystem = "pypi"
    build: str = ""
    """conda's build string."""
    files: tuple[str, ...] = ()
    """Names of wheels and source archives, where the file gives them."""


class Skipped(NamedTuple):
    """Something that names no exact version, or is left out for another reason."""

    text: str
    line: int
    reason: str


class Stack(NamedTuple):
    """What was read from one file, from standard input or from an environment."""

    source: str
    kind: Kind
    packages: tuple[Pinned, ...]
    """In the order of the file. A name has several entries where the file does not say which one holds."""
    python: str = ""
    """`3.11.4` or `3.11`, where it is stated."""
    platform: str = ""
    """As `target.parse_platform` takes it (`linux-x86_64`, `macos-arm64`), where it is stated."""
    target: TargetSettings | None = None
    """The target of a lock that mlpin made."""
    skipped: tuple[Skipped, ...] = ()
