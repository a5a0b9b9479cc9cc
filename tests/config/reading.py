"""How the tests of settings read tables, and what they look at."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest.model import Context
from mlpin.settings import Settings
from mlpin.settings_files import mlpin_table, uv_table

Reader = Callable[[str, Path], Settings]


def context(root: Path, environ: Mapping[str, str] | None = None, pages: Mapping[str, str] | None = None) -> Context:
    """A context whose web is `pages`."""
    return Context(root, environ or {}, lambda url: (pages or {})[url])


def own(text: str, root: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """`text` as the [tool.mlpin] table of a pyproject.toml in `root`."""
    fields = Fields(tomllib.loads(text), "pyproject.toml", ("tool", "mlpin"))
    return mlpin_table(fields, base=root, context=context(root, environ))


def uv(text: str, root: Path) -> Settings:
    """`text` as the [tool.uv] table of a pyproject.toml in `root`."""
    fields = Fields(tomllib.loads(text), "pyproject.toml", ("tool", "uv"))
    return uv_table(fields, base=root, context=context(root))


def said(settings: Settings) -> dict[str, object]:
    """What a layer says, without the empty lists."""
    fields = Settings._fields
    return {name: value for name in fields if name != "layer" and (value := getattr(settings, name)) not in (None, ())}


def wrong(text: str, root: Path, reader: Reader = own) -> tuple[str, str | None]:
    """Message and hint of the error that `text` is; the password in it is in neither."""
    with pytest.raises(InputError) as caught:
        reader(text, root)
    assert caught.value.where == "pyproject.toml"
    assert "s3cret" not in f"{caught.value}{caught.value.hint}{caught.value.notes}"
    return caught.value.message, caught.value.hint
