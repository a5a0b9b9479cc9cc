"""conda channels as users name them, made into places: a name, a URL without credentials, and how to be let in.

Knows how conda reads the name of a channel; asks nothing of anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import NamedTuple

from mlpin.errors import InputError
from mlpin.index.credentials import Login
from mlpin.index.url import local_path, redacted, split_credentials
from mlpin.settings import IndexSetting, Settings

ALIAS = "https://conda.anaconda.org"
"""What stands above a channel that has a name alone, as conda has it unless it is configured."""
DEFAULTS = "https://repo.anaconda.com"
"""What stands above `pkgs/…`, the parts of `defaults`."""

SUBDIRS = frozenset(
    {
        *("noarch", "emscripten-wasm32", "freebsd-64", "wasi-wasm32", "zos-z"),
        *(f"linux-{machine}" for machine in ("32", "64", "aarch64", "armv6l", "armv7l", "ppc64", "ppc64le", "riscv32")),
        *("linux-riscv64", "linux-s390x", "osx-64", "osx-arm64", "win-32", "win-64", "win-arm64"),
    }
)
"""conda's platforms (CEP 26). At the end of a channel they are no part of its name."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")
_TOKEN = re.compile(r"/t/([^/]+)(?=/|$)")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")


class Access(NamedTuple):
    """How to be let into a channel. Shows nothing of itself."""

    login: Login | None = None
    url: str = ""
    """The channel's URL with its `/t/TOKEN/`, where it has one."""

    def __repr__(self) -> str:
        return "Access(****)" if any(self) else "Access()"


class ChannelPlace(NamedTuple):
    """One channel."""

    name: str
    """As the user named it, without credentials, token and platform."""
    url: str
    """Without credentials and token, and without a `/` at its end; `file:` for a directory."""
    access: Access = Access()

    @property
    def is_local(self) -> bool:
        return self.url.startswith("file:")


def channel_places(settings: Settings, names: tuple[str, ...], subdir: str = "") -> tuple[ChannelPlace, ...]:
    """The places that channels named so are at, each once, in their order.

    `defaults` is several places of that name: more of them for a `subdir` of Windows. Raises `InputError` where a
    name is none that conda knows how to read.
    """
    indexes = (*(settings.extra_indexes or ()), *((settings.index_url,) if settings.index_url else ()))
    named = {index.name: index for index in reversed(indexes) if index.format == "conda" and index.name}
    found: dict[str, ChannelPlace] = {}
    for name in names:
        for place in _places(name.strip(), (settings.channel_alias or ALIAS).rstrip("/"), named, subdir):
            found.setdefault(place.url, place)
    return tuple(found.values())


def _places(name: str, alias: str, named: Mapping[str, IndexSetting], subdir: str) -> Iterable[ChannelPlace]:
    if name == "nodefaults":
        return ()
    if setting := named.get(name):
        return (_at(name, setting.url),)
    if name == "defaults":
        parts = ("main", "r", "msys2") if subdir.startswith("win-") else ("main", "r")
        return [_at(name, f"{DEFAULTS}/pkgs/{part}") for part in parts]
    if "://" in name or name.startswith("file:"):
        place = _at("", name)
        return (place._replace(name=place.url),)
    if name.startswith("/") or _DRIVE.match(name):
        path = PureWindowsPath(name) if _DRIVE.match(name) else PurePosixPath(name)
        place = _at("", path.as_uri())
        return (place._replace(name=local_path(place.url)),)
    short = _without_subdir(name.rstrip("/"))
    if not _NAME.fullmatch(short) or short in SUBDIRS | {"local"}:
        raise InputError(
            f"`{redacted(name)}` is no conda channel",
            hint="a channel is a name (`conda-forge`), a URL, or the absolute path of a directory",
        )
    if setting := named.get(short):
        return (_at(short, setting.url),)
    return (_at(short, f"{DEFAULTS if short.startswith('pkgs/') else alias}/{short}"),)


def _at(name: str, written: str) -> ChannelPlace:
    """The place at a URL as it was written, credentials and all."""
    url, login = split_credentials(written)
    url = _without_subdir(url.partition("#")[0].rstrip("/"))
    scheme, _, rest = url.partition(":")
    if scheme.lower() == "file":
        path = local_path(url)
        if not path.startswith("/") and not _DRIVE.match(path):
            raise InputError("this is no URL of a directory", where=url, hint="write file:///absolute/path")
        absolute = PureWindowsPath(path) if _DRIVE.match(path) else PurePosixPath(path)
        return ChannelPlace(name, absolute.as_uri().rstrip("/"))
    clean = without_token(url)
    if scheme.lower() not in {"http", "https"} or not rest.strip("/"):
        raise InputError(
            "a channel cannot be at such a URL",
            where=redacted(clean),
            hint="channels are read from http:, https: and file: URLs, and from directories",
        )
    return ChannelPlace(name, clean, Access(login, url if url != clean else ""))


def _without_subdir(text: str) -> str:
    above, _, last = text.rpartition("/")
    return above if above and last in SUBDIRS else text


def without_token(url: str) -> str:
    """`url` without the `/t/TOKEN` that some servers of channels take."""
    return _TOKEN.sub("", url, count=1)
