"""The values of settings: from raw text, flags and lists to what `Settings` holds, checked.

Each reader takes a `Source` and a key, and gives None where the source does not say. The tables of
`[tool.mlpin]`, uv and pip differ in the names of keys only, so `read` is given names and asks for each.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpin.config.channels import channels, virtual_packages
from mlpin.config.source import Source, located
from mlpin.index.url import redacted
from mlpin.requirement import normalise
from mlpin.settings import IndexFormat, IndexSetting, Settings, merged
from mlpin.target import ACCELERATORS, parse_cuda, parse_driver, parse_glibc, parse_platform, python_minor

if TYPE_CHECKING:
    from mlpin.requirement import Declared

STRATEGIES = ("first-index", "unsafe-first-match", "unsafe-best-match")
PRERELEASES = ("disallow", "allow", "if-necessary", "explicit", "if-necessary-or-explicit")
RESOLUTIONS = ("highest", "lowest", "lowest-direct")
CHANNEL_PRIORITIES = ("strict", "flexible", "disabled")
WORLDS = ("conda", "pypi")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::[0-9]+)?")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_NAMED_INDEX = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(.*)", re.DOTALL)


def address(text: str, source: Source, key: str) -> str:
    """`text` as a URL (http, https or file); a path becomes a `file:` URL."""
    text = text.strip()
    if not text:
        raise source.error(key, "is empty")
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found else ""
    if scheme in ("http", "https"):
        host = re.split(r"[/?#]", text.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]
        if not _HOST.fullmatch(host) or re.search(r"\s", text):
            raise source.error(key, f"holds `{redacted(text)}`, which is not a URL")
        return text
    if scheme == "file":
        from mlpin.manifest.links import file_path

        try:
            text = file_path(text)
        except ValueError as error:
            raise source.error(key, f"holds `{text}`: {error}") from None
    elif scheme:
        raise source.error(key, f"holds `{redacted(text)}`, which is neither an http, https or file URL nor a path")
    try:
        return path(text, source).as_uri()
    except ValueError:
        raise source.error(key, f"holds `{redacted(text)}`, which cannot be a path") from None


def path(text: str, source: Source) -> Path:
    """`text` as an absolute path: `~` is the home directory, a relative path begins at the source's base."""
    if text == "~" or text.startswith(("~/", "~\\")):
        environ = source.context.environ
        text = (environ.get("HOME") or environ.get("USERPROFILE") or "~") + text[1:]
    return Path(os.path.normpath(source.base.absolute() / text))


def index(
    text: str,
    source: Source,
    key: str,
    *,
    name: str = "",
    explicit: bool = False,
    default: bool = False,
    form: IndexFormat = "simple",
) -> IndexSetting:
    """The index at `text`, a URL or a path."""
    url = address(text, source, key)
    return IndexSetting(url, name, explicit, form, default, origin=source.label(key))


def perhaps_named(text: str, source: Source, key: str, *, default: bool = False) -> IndexSetting:
    """The index that `URL` or `NAME=URL` stands for, as uv's options and variables write it."""
    found = _NAMED_INDEX.fullmatch(text)
    name, url = (found[1], found[2]) if found else ("", text)
    return index(url, source, key, name=name, default=default)


def package_names(texts: Sequence[str], source: Source, key: str, *, also: Sequence[str] = ()) -> tuple[str, ...]:
    """Normalised names, each once; the words in `also` are let through."""
    for text in texts:
        if text not in also and not _NAME.fullmatch(text):
            raise source.error(key, f"holds `{text}`, which is not a name")
    return tuple(dict.fromkeys(text if text in also else normalise(text) for text in texts))


# One reader for each kind of value

Reader = Callable[[Source, str], Any]


def _text(source: Source, key: str) -> str | None:
    return source.text(key)


def _flag(source: Source, key: str) -> bool | None:
    return source.flag(key)


def _address(source: Source, key: str) -> str | None:
    text = source.text(key)
    return None if text is None else address(text.rstrip("/"), source, key)


def _path(source: Source, key: str) -> str | None:
    text = source.text(key)
    if text is None:
        return None
    if not text.strip() or "\0" in text:
        raise source.error(key, "cannot be a path" if text.strip() else "is empty")
    return str(path(text, source))


def _choice(*allowed: str) -> Reader:
    def read_choice(source: Source, key: str) -> str | None:
        text = source.text(key)
        if text is None or text in allowed:
            return text
        raise source.error(key, f"cannot be `{text}`", hint=f"one of: {', '.join(allowed)}")

    return read_choice


def _default_index(source: Source, key: str) -> IndexSetting | None:
    text = source.text(key)
    return None if text is None else index(text, source, key, default=True)


def _indexes(form: IndexFormat) -> Reader:
    def read_indexes(source: Source, key: str) -> tuple[IndexSetting, ...] | None:
        words = source.words(key)
        return None if words is None else tuple(index(word, source, key, form=form) for word in words)

    return read_indexes


def pythons(source: Source, key: str) -> tuple[str, ...] | None:
    """Python versions like 3.11 or 3.11.4, each once."""
    words = source.words(key, or_one=True)
    if words is None:
        return None
    if not words:
        raise source.error(key, "is an empty list", hint="leave the key out, or name a version like 3.11")
    for word in words:
        with located(source, key):
            python_minor(word)
    return tuple(dict.fromkeys(words))


def platform(source: Source, key: str) -> str | None:
    """The name of a platform."""
    text = source.text(key)
    if text is not None:
        with located(source, key):
            parse_platform(text)
    return text


def glibc(source: Source, key: str) -> str | None:
    """A version of glibc like 2.28."""
    text = source.text(key)
    if text is not None:
        with located(source, key):
            parse_glibc(text)
    return text


def _driver(source: Source, key: str) -> str | None:
    text = source.text(key)
    if text is not None:
        with located(source, key):
            parse_driver(text)
    return text


def _gpus(source: Source, key: str) -> tuple[str, ...] | None:
    """Names of GPUs, divided by commas where there is no list: they have blanks in them."""
    from mlpin.config.source import Table

    if isinstance(source, Table):
        words = source.words(key, or_one=True)
    else:
        text = source.text(key)
        words = tuple(part.strip() for part in text.split(",")) if text else None
    if words is not None and not all(word.strip() for word in words):
        raise source.error(key, "holds an empty name")
    return words


def _cuda(source: Source, key: str) -> str | None:
    text = source.text(key)
    if text is None:
        return None
    with located(source, key):
        return parse_cuda(text)


def _paths(source: Source, key: str) -> tuple[str, ...] | None:
    words = source.words(key, or_one=True)
    return None if words is None else tuple(str(path(word, source)) for word in words)


def names(source: Source, key: str) -> tuple[str, ...] | None:
    """Normalised names of packages, extras or groups."""
    words = source.words(key)
    return None if words is None else package_names(words, source, key)


def _formats(source: Source, key: str) -> tuple[str, ...] | None:
    """Names, `:all:` or `:none:`, each list possibly with commas (pip); true and false in TOML (uv)."""
    from mlpin.config.source import Table

    if isinstance(source, Table) and isinstance(source.fields.data.get(key), bool):
        return (":all:",) if source.flag(key) else (":none:",)
    words = source.words(key, or_one=True)
    if words is None:
        return None
    split = [part.strip() for word in words for part in word.split(",") if part.strip()]
    return package_names(split, source, key, also=(":all:", ":none:"))


def _seconds(source: Source, key: str) -> float | None:
    value = source.number(key)
    if value is None or 0 < value < float("inf"):
        return None if value is None else float(value)
    raise source.error(key, "must be a number of seconds above 0")


def _count(source: Source, key: str) -> int | None:
    value = source.number(key)
    if value is None:
        return None
    if not 0 <= value < float("inf") or value != int(value):
        raise source.error(key, "must be a whole number, 0 or more")
    return int(value)


def _hosts(source: Source, key: str) -> tuple[str, ...] | None:
    words = source.words(key)
    for word in words or ():
        if "/" in word or "@" in word:
            raise source.error(key, f"holds `{redacted(word)}`, which is not a host or host:port")
    return words


def moment(source: Source, key: str) -> str | None:
    """A value of `exclude-newer`, as written."""
    text = source.text(key)
    if text is None:
        return None
    from mlpin.cutoff import exclude_newer_value

    with located(source, key):
        return exclude_newer_value(text)


_READERS: dict[str, Reader] = {
    "index_url": _default_index,
    "extra_indexes": _indexes("simple"),
    "find_links": _indexes("flat"),
    "no_index": _flag,
    "index_strategy": _choice(*STRATEGIES),
    "python": pythons,
    "platform": platform,
    "glibc": glibc,
    "accelerator": _choice(*ACCELERATORS),
    "driver": _driver,
    "gpus": _gpus,
    "cuda": _cuda,
    "channels": channels,
    "channel_priority": _choice(*CHANNEL_PRIORITIES),
    "channel_alias": _address,
    "virtual_packages": virtual_packages,
    "prefer": _choice(*WORLDS),
    "matrix": _paths,
    "extras": names,
    "all_extras": _flag,
    "groups": names,
    "default_groups": names,
    "exclude": names,
    "exclude_newer": moment,
    "prerelease": _choice(*PRERELEASES),
    "resolution": _choice(*RESOLUTIONS),
    "only_binary": _formats,
    "no_binary": _formats,
    "offline": _flag,
    "cache_dir": _path,
    "no_cache": _flag,
    "timeout": _seconds,
    "retries": _count,
    "cert": _path,
    "client_cert": _path,
    "proxy": _text,
    "trusted_hosts": _hosts,
    "keyring": _flag,
}


def read(source: Source, keys: Mapping[str, str], layer: str) -> Settings:
    """The settings that `source` has: for each field of `Settings` in `keys`, the value at that key.

    Constraints and overrides may name files. What such a file says besides requirements (its
    `--index-url`) holds too, below what `source` itself says.
    """
    values = {
        field: value
        for field, key in keys.items()
        if field in _READERS and (value := _READERS[field](source, key)) is not None
    }
    files: list[Settings] = []
    for field in ("constraints", "overrides"):
        if field in keys:
            found = _requirements(source, keys[field], constraint=field == "constraints", files=files)
            if found is not None:
                values[field] = found
    own = Settings(layer=layer, **values)
    return merged([own, *files])._replace(layer=layer) if files else own


def _requirements(source: Source, key: str, *, constraint: bool, files: list[Settings]) -> tuple[Declared, ...] | None:
    words = source.words(key)
    if words is None:
        return None
    from mlpin.manifest import pep508

    found: list[Declared] = []
    for position, word in enumerate(words):
        name = file_named(word, source)
        if name:
            found += _of_file(name, source, key, constraint=constraint, files=files)
            continue
        with located(source, key):
            one = pep508.declared(word, source.origin(key, position, word), bases=(source.base,))
        found.append(one._replace(extras=()) if constraint else one)
    return tuple(found)


def file_named(word: str, source: Source) -> str:
    """The file that an item of a list of requirements names; empty where it is a requirement."""
    stripped = word.strip()
    for option in ("-c", "-r", "--constraint", "--requirement"):
        if stripped.startswith((f"{option} ", f"{option}=")):
            return stripped[len(option) + 1 :].strip()
    return stripped if source.only_files or stripped.lower().endswith((".txt", ".in")) else ""


def _of_file(name: str, source: Source, key: str, *, constraint: bool, files: list[Settings]) -> tuple[Declared, ...]:
    from mlpin.manifest.requirements_txt import Collector

    collector = Collector(source.base, source.context)
    if re.match(r"https?:", name, re.IGNORECASE):
        import shlex

        from mlpin.manifest.pip_lines import Line

        line = f"{'-c' if constraint else '-r'} {shlex.quote(name)}"
        collector.line(Line(0, redacted(line), line), source.origin(key, 0, line), source.base)
    else:
        file = Path(os.path.normpath(path(_path_of(name, source, key), source)))
        try:
            exists = file.is_file()
        except (OSError, ValueError):
            exists = False
        if not exists:
            raise source.error(key, f"names `{source.context.shown(file)}`, and there is no such file")
        collector.file(file, constraint=constraint)
    if constraint:
        files.extend(layer._replace(constraints=None) for layer in collector.layers())
        return tuple(collector.constraints)
    return tuple(collector.requirements)


def _path_of(name: str, source: Source, key: str) -> str:
    if not name.lower().startswith("file:"):
        return name
    from mlpin.manifest.links import file_path

    try:
        return file_path(name)
    except ValueError as error:
        raise source.error(key, f"holds `{name}`: {error}") from None


def file_names(source: Source, key: str) -> tuple[str, ...] | None:
    """The package names in the files at `key` (`UV_EXCLUDE`): requirements of which only the name counts."""
    found = _requirements(source, key, constraint=False, files=[])
    return None if found is None else tuple(dict.fromkeys(one.name for one in found if one.name))
