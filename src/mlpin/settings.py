"""What can be configured, as one value per place where it can be said.

`Settings` is one layer: the command line, the environment, a table of a manifest, pip's config file.
`merged` puts layers together, highest precedence first. Reading the layers is the work of
`settings_files` and of the manifest readers; this module only knows what they mean together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from mlpin.errors import UsageError
from mlpin.requirement import Declared, normalise

DEFAULT_CHANNELS = ("conda-forge",)
"""The conda channels of a project that names none."""
IndexFormat = Literal["simple", "flat", "conda"]


class IndexSetting(NamedTuple):
    """An index as configured. `url` may hold credentials: never show it, show `mlpin.index.url.redacted`.

    `format` is `flat` for find-links: a directory or a page of links, read beside every index. It is `conda` for a
    channel: its name may then stand among `channels`, and is asked at this URL (a mirror of it, say).
    An `explicit` index serves only packages that are pinned to it.
    """

    url: str
    name: str = ""
    explicit: bool = False
    format: IndexFormat = "simple"
    default: bool = False
    """Replaces the index that mlpin would use by default; asked last."""
    origin: str = ""
    """Where it was configured, for messages: `--index-url`, `pip.conf`, `pyproject.toml`."""


class IndexPin(NamedTuple):
    """A package that may come only from the index called `index`, where `marker` holds."""

    index: str  # type: ignore[assignment]  # over tuple.index, which nobody needs here
    marker: str = ""
    extra: str = ""
    group: str = ""


class SuppliedMetadata(NamedTuple):
    """Metadata given by the user for a distribution that has none that can be read."""

    name: str
    version: str
    """Empty: holds for every version."""
    requires_dist: tuple[str, ...] = ()
    requires_python: str = ""
    provides_extra: tuple[str, ...] = ()


class TargetSettings(NamedTuple):
    """One `[tool.mlpin.targets.NAME]` table, or what the options say of the unnamed target."""

    name: str = ""
    python: tuple[str, ...] | None = None
    platform: str | None = None
    glibc: str | None = None
    extras: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    accelerator: str | None = None
    driver: str | None = None
    gpus: tuple[str, ...] | None = None
    cuda: str | None = None
    channels: tuple[str, ...] | None = None
    virtual_packages: tuple[tuple[str, str], ...] | None = None
    """(name, `version` or `version=build`), outright; an empty version: it is not there."""


class Settings(NamedTuple):
    """One layer. None (or an absent key) means that this layer does not say."""

    layer: str = ""
    """What this layer is called in messages."""
    closed: tuple[str, ...] = ()
    """Names of lists here to which lower layers add nothing, as they add nothing to an empty list."""

    index_url: IndexSetting | None = None
    extra_indexes: tuple[IndexSetting, ...] | None = None
    """Asked before `index_url`, in this order (as uv). Named and explicit ones stand here too."""
    find_links: tuple[IndexSetting, ...] | None = None
    no_index: bool | None = None
    index_strategy: str | None = None
    """`first-index`, `unsafe-first-match` or `unsafe-best-match`, as uv names them."""
    pins: Mapping[str, tuple[IndexPin, ...]] | None = None
    """By normalised package name."""

    python: tuple[str, ...] | None = None
    platform: str | None = None
    glibc: str | None = None
    accelerator: str | None = None
    """`cuda`, `rocm`, `cpu` or `metal`."""
    driver: str | None = None
    gpus: tuple[str, ...] | None = None
    cuda: str | None = None
    """A version specifier over CUDA lines."""
    targets: Mapping[str, TargetSettings] | None = None

    channels: tuple[str, ...] | None = None
    """conda channels in their order: names, URLs (which may hold credentials), absolute paths."""
    channel_priority: str | None = None
    """`strict`, `flexible` or `disabled`, as conda names them."""
    channel_alias: str | None = None
    """The URL above channels that are given by name alone."""
    virtual_packages: tuple[tuple[str, str], ...] | None = None
    """As in `TargetSettings`, for every target."""
    prefer: str | None = None
    """`conda` or `pypi`: which world provides a distribution that both have."""
    prefers: Mapping[str, str] | None = None
    """The same by normalised name of the distribution."""

    matrix: tuple[str, ...] | None = None
    """Absolute paths of files with rules of the project's own."""
    rules_off: Mapping[str, str] | None = None
    """By id, why a rule of the matrix is switched off."""
    families: Mapping[str, str] | None = None
    """By family of packages (`pytorch`), where its indexes per build line are; empty text: nowhere."""

    extras: tuple[str, ...] | None = None
    all_extras: bool | None = None
    groups: tuple[str, ...] | None = None
    default_groups: tuple[str, ...] | None = None

    constraints: tuple[Declared, ...] | None = None
    overrides: tuple[Declared, ...] | None = None
    exclude: tuple[str, ...] | None = None
    """Normalised names that are left out wherever they are asked for."""
    metadata: tuple[SuppliedMetadata, ...] | None = None

    exclude_newer: str | None = None
    exclude_newer_package: Mapping[str, str] | None = None
    """By normalised name; `mlpin.cutoff.DISABLED` lifts the cut-off of a package."""
    prerelease: str | None = None
    """`disallow`, `allow`, `if-necessary`, `explicit` or `if-necessary-or-explicit`."""
    resolution: str | None = None
    """`highest`, `lowest` or `lowest-direct`."""
    only_binary: tuple[str, ...] | None = None
    """Normalised names, or `:all:`; `:none:` empties what lower layers say."""
    no_binary: tuple[str, ...] | None = None

    offline: bool | None = None
    cache_dir: str | None = None
    no_cache: bool | None = None
    timeout: float | None = None
    """Seconds without a byte before a request is given up."""
    retries: int | None = None
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] | None = None
    keyring: bool | None = None


_JOINED = frozenset(
    {"extra_indexes", "find_links", "constraints", "overrides", "exclude", "metadata", "trusted_hosts", "matrix"}
)
_JOINED_MAPS = frozenset({"pins", "targets", "exclude_newer_package", "rules_off", "families", "prefers"})


def merged(layers: Sequence[Settings]) -> Settings:
    """One value out of layers, highest precedence first.

    A single value is taken from the highest layer that has it. Lists of indexes, constraints, overrides
    and the like are joined, highest first; an empty list in a layer cuts off the layers below it
    (`extra-index-urls = []` in a project leaves pip's config out). Tables are joined key by key.
    Of indexes of one name the highest counts. `only_binary` and `no_binary` come without `:none:`, and
    what a layer says of a name in one of them goes before what lower layers say of it in the other.
    """
    values: dict[str, Any] = {}
    for name in Settings._fields:
        if name in ("layer", "closed"):
            continue
        said = [(value, layer) for layer in layers if (value := getattr(layer, name)) is not None]
        if not said:
            continue
        if name in _JOINED:
            joined: dict[object, Any] = {}
            for value, layer in said:
                for entry in value:
                    joined.setdefault(_identity(entry), entry)
                if not value or name in layer.closed:
                    break
            values[name] = tuple(joined.values())
        elif name in _JOINED_MAPS:
            table: dict[str, Any] = {}
            for value, _ in reversed(said):
                table.update(value)
            values[name] = table
        else:
            values[name] = said[0][0]
    values |= _formats(layers) | _pinnable(layers, values)
    return Settings(layer="merged", **values)


def _identity(entry: object) -> object:
    """What makes two entries of a list the same: of an index its name, else its address."""
    if not isinstance(entry, IndexSetting):
        return entry
    return entry.name or (entry.url.rstrip("/"), entry.format)


def _formats(layers: Sequence[Settings]) -> dict[str, tuple[str, ...]]:
    """`only_binary` and `no_binary`, which exclude each other name by name, as in pip."""
    highest: dict[str, tuple[int, tuple[str, ...]]] = {}
    for position, layer in enumerate(layers):
        for name in ("only_binary", "no_binary"):
            value = getattr(layer, name)
            if value is not None:
                highest.setdefault(name, (position, tuple(word for word in value if word != ":none:")))
    found = {name: words for name, (_, words) in highest.items()}
    if len(highest) == 2 and highest["only_binary"][0] != highest["no_binary"][0]:
        upper, lower = sorted(highest, key=lambda name: highest[name][0])
        taken = found[upper]
        found[lower] = () if ":all:" in taken else tuple(word for word in found[lower] if word not in taken)
    return found


def _pinnable(layers: Sequence[Settings], values: Mapping[str, Any]) -> dict[str, tuple[IndexSetting, ...]]:
    """Named default indexes that another default has replaced: packages may still be pinned to them."""
    default = values.get("index_url")
    extra: tuple[IndexSetting, ...] = values.get("extra_indexes", ())
    known = {index.name for index in extra} | {default.name if default else ""}
    for layer in layers:
        index = layer.index_url
        if index is not None and index.name not in known:
            known.add(index.name)
            extra = (*extra, index._replace(explicit=True, default=False))
    return {"extra_indexes": extra} if extra else {}


def choice(value: str, allowed: Sequence[str], what: str) -> str:
    """`value` if it is one of `allowed`; else a `UsageError` that lists them."""
    if value in allowed:
        return value
    raise UsageError(f"{what} cannot be `{value}`", hint=f"one of: {', '.join(allowed)}")


def format_names(said: Sequence[str] | None) -> frozenset[str]:
    """Normalised names, or `:all:`, that a list of formats ends up with."""
    found: set[str] = set()
    for name in said or ():
        if name == ":none:":
            found.clear()
        else:
            found.add(name if name.startswith(":") else normalise(name))
    return frozenset(found)
