"""What a container image has in it: read from a Dockerfile, or from an unpacked root file system. Nothing is run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.errors import InputError

if TYPE_CHECKING:
    from mlpin.image.model import Image
    from mlpin.matrix.matrix import Matrix

_MOST = 4 << 20
"""Bytes of a Dockerfile; the largest that people write have some ten thousand."""


def read(path: Path, shown: str, rules: Matrix) -> Image:
    """The image of a Dockerfile (`FILE#stage` for a stage that is not its last), or of an unpacked root file system.

    `shown` is how messages name it. Raises `InputError`.
    """
    stage = ""
    if "#" in path.name and not path.exists():
        name, _, stage = path.name.partition("#")
        path, shown = path.with_name(name), shown.rpartition("#")[0]
    if path.is_dir():
        from mlpin.image import rootfs

        return rootfs.read(path, shown, rules)
    from mlpin.image import dockerfile

    return dockerfile.read(_text(path, shown), shown, stage, rules)


def _text(path: Path, shown: str) -> str:
    try:
        if path.exists() and not path.is_file():
            raise InputError("is neither a file nor a folder", where=shown)
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except FileNotFoundError:
        hint = "name a Dockerfile, or the folder of an unpacked root file system (`docker export` makes one)"
        raise InputError("there is no such file", where=shown, hint=hint) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=shown) from None
    if len(data) > _MOST:
        raise InputError("is too large for a Dockerfile", where=shown)
    if b"\0" in data:
        hint = "unpack an image first: `docker create IMAGE`, `docker export ID | tar -x -C FOLDER`"
        raise InputError("is no text, so it is no Dockerfile", where=shown, hint=hint)
    return data.decode(errors="replace")
