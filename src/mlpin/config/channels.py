"""Settings of conda's world: channels as they are named, and virtual packages that the user states himself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlpin.config.source import Source

VIRTUAL_HINT = 'written like "12.4", or "1=x86_64_v3" with a build; "" says that it is not there'
_NAME = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_.@+-]*(?:/[A-Za-z0-9_.@+-]+)*")
_PATH = re.compile(r"\.{1,2}(?:[/\\]|$)|~[/\\]|/|[A-Za-z]:[/\\]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_VIRTUAL = re.compile(r"__[a-z0-9_]+")
_VERSION = re.compile(r"(?:[0-9][0-9A-Za-z._+!-]*(?:=[A-Za-z0-9_.-]+)?)?")


def channel(text: str, source: Source, key: str) -> str:
    """A channel as `Settings.channels` has it: a name, a URL, or the absolute path of a local one.

    What begins like a path (`./x`, `~/x`) is one, as with conda. Raises `InputError`.
    """
    from mlpin.config import options
    from mlpin.index.url import redacted

    text = text.strip()
    bare = text.rstrip("/\\") or text
    if _SCHEME.match(text):
        url = options.address(bare, source, key)
        if not url.startswith("file:"):
            return url
        from mlpin.manifest.links import file_path

        return file_path(url)
    if _PATH.match(text) and "\0" not in text:
        return options.path(bare, source).as_posix()
    if not _NAME.fullmatch(bare):
        raise source.error(
            key, f"holds `{redacted(text)}`, which is not a channel", hint="a name, a URL, or a path like ./channel"
        )
    return bare


def listed(found: Sequence[str]) -> tuple[str, ...]:
    """Channels, each once. `nodefaults` is none: it says that nothing is added to them, which mlpin never does."""
    return tuple(dict.fromkeys(name for name in found if name != "nodefaults"))


def channels(source: Source, key: str) -> tuple[str, ...] | None:
    """The list of channels at `key`, or the one."""
    words = source.words(key, or_one=True)
    return None if words is None else listed([channel(word, source, key) for word in words])


def virtual_packages(source: Source, key: str) -> tuple[tuple[str, str], ...] | None:
    """(name, `version` or `version=build`): a table by name in TOML, words like `__cuda=12.4` elsewhere."""
    from mlpin.config.source import Table

    if isinstance(source, Table):
        if key not in source.fields:
            return None
        table = source.table(key)
        pairs = [(name, table.text(name) or "") for name in table.fields]
    else:
        words = source.words(key)
        if words is None:
            return None
        pairs = [(name, text) for name, _, text in (word.partition("=") for word in words)]
    for name, text in pairs:
        if not _VIRTUAL.fullmatch(name):
            hint = f"did you mean `__{name}`?" if _VIRTUAL.fullmatch(f"__{name}") else "like __cuda or __glibc"
            raise source.error(key, f"holds `{name}`, which is not the name of a virtual package", hint=hint)
        if not is_virtual_version(text):
            raise source.error(key, f"holds `{text}` for `{name}`, which is not a version", hint=VIRTUAL_HINT)
    return tuple(pairs)


def is_virtual_version(text: str) -> bool:
    """Whether `text` can be the version of a virtual package, perhaps with its build; the empty text can."""
    return bool(_VERSION.fullmatch(text))
