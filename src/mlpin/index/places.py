"""The indexes of a project in the order in which they are asked, and which may serve which name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mlpin.errors import InputError
from mlpin.index.url import redacted, split_credentials
from mlpin.settings import IndexSetting, Settings

DEFAULT_INDEX = "https://pypi.org/simple"

# Indexes on object stores answer 403 for a project that they do not have; uv knows the same host.
_FORBIDDEN_IS_ABSENT = ("https://download.pytorch.org/",)


class Place(NamedTuple):
    """One index: its URL without credentials, and how it is spoken to."""

    url: str
    name: str = ""
    flat: bool = False
    explicit: bool = False
    origin: str = ""

    @property
    def forbidden_is_absent(self) -> bool:
        return self.url.startswith(_FORBIDDEN_IS_ABSENT)

    @property
    def is_local(self) -> bool:
        return self.url.startswith("file:")

    def page(self, project: str) -> str:
        """The URL of a project's page."""
        return f"{self.url.rstrip('/')}/{project}/"


class Places(NamedTuple):
    """All places: `searched` in order, `flat` ones beside them, `named` for pins."""

    searched: tuple[Place, ...]
    flat: tuple[Place, ...]
    named: dict[str, Place]
    strategy: str
    credentials: dict[str, tuple[str, str]]

    @property
    def shown(self) -> tuple[str, ...]:
        """Every place that is asked for any name, as messages show it."""
        return tuple(shown(place) for place in (*self.searched, *self.flat))


def places(settings: Settings) -> Places:
    """The places that `settings` describe. Extra indexes come before the main one, as in uv."""
    credentials: dict[str, tuple[str, str]] = {}

    def place(setting: IndexSetting) -> Place:
        url, login = split_credentials(setting.url)
        if login:
            credentials[url] = login
        return Place(url, setting.name, setting.format == "flat", setting.explicit, setting.origin)

    extra = [place(setting) for setting in settings.extra_indexes or () if setting.format != "conda"]
    main = place(settings.index_url) if settings.index_url else Place(DEFAULT_INDEX, origin="default")
    searched: list[Place] = [] if settings.no_index else [*extra, main]
    flat = [place(setting) for setting in settings.find_links or ()]
    named = {item.name: item for item in reversed([*extra, main]) if item.name}
    flat += [item for item in searched if item.flat and not item.explicit]
    ordered = _unique([item for item in searched if not item.explicit and not item.flat])
    return Places(ordered, _unique(flat), named, settings.index_strategy or "first-index", credentials)


def _unique(items: Sequence[Place]) -> tuple[Place, ...]:
    found: dict[str, Place] = {}
    for item in items:
        found.setdefault(item.url.rstrip("/"), item)
    return tuple(found.values())


def named_place(known: Places, name: str, package: str) -> Place:
    """The index called `name`, to which `package` is pinned. Raises `InputError` where there is none."""
    found = known.named.get(name)
    if found is None:
        names = ", ".join(sorted(known.named)) or "none"
        raise InputError(
            f"`{package}` is to come from the index `{name}`, but no index has that name",
            hint=f"named indexes: {names}; add it under [tool.mlpin.indexes]",
        )
    return found


def shown(place: Place) -> str:
    """The place as messages show it."""
    return redacted(place.url)
