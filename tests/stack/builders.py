"""What the tests of readers share."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin import stack
from mlpin.errors import InputError
from mlpin.stack import Stack, Where

ANYWHERE = Where()


def reading(directory: Path, content: str | bytes, name: str, on: Where = ANYWHERE) -> Stack:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return stack.read(path, name, on)


def refused(directory: Path, content: str | bytes, name: str, on: Where = ANYWHERE) -> InputError:
    with pytest.raises(InputError) as caught:
        reading(directory, content, name, on)
    assert caught.value.where is not None
    assert caught.value.where.startswith(name)
    return caught.value


def pins(found: Stack) -> list[str]:
    """Name and version, as conda writes them where they are conda's."""
    return [
        f"{one.name}=={one.version}" if one.ecosystem == "pypi" else f"{one.name}={one.version}={one.build}"
        for one in found.packages
    ]


def skipped(found: Stack) -> list[str]:
    return [f"{one.line}: {one.text}" for one in found.skipped]
