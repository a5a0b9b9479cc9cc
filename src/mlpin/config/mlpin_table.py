"""mlpin's own settings: the `[tool.mlpin]` table, which is the top level of `mlpin.toml` too, and MLPIN_*.

Everything is checked here, and a key that mlpin does not know is an error: a typing mistake must not
pass for a setting. In the environment a name that is not known says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from mlpin.config import options
from mlpin.config.source import Lines, Source, Table, Texts, located, no_lines
from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest.model import Context
from mlpin.settings import IndexFormat, IndexPin, IndexSetting, Settings, SuppliedMetadata, TargetSettings
from mlpin.target import parse_platform

KEYS = {
    "python": "python",
    "platform": "platform",
    "glibc": "glibc",
    "accelerator": "accelerator",
    "driver": "driver",
    "gpus": "gpus",
    "cuda": "cuda",
    "channels": "channels",
    "channel_priority": "channel-priority",
    "channel_alias": "channel-alias",
    "virtual_packages": "virtual-packages",
    "prefer": "prefer",
    "matrix": "matrix",
    "extras": "extras",
    "all_extras": "all-extras",
    "groups": "groups",
    "default_groups": "default-groups",
    "index_url": "index-url",
    "extra_indexes": "extra-index-urls",
    "find_links": "find-links",
    "no_index": "no-index",
    "index_strategy": "index-strategy",
    "constraints": "constraints",
    "overrides": "overrides",
    "exclude": "exclude",
    "exclude_newer": "exclude-newer",
    "prerelease": "prerelease",
    "resolution": "resolution",
    "only_binary": "only-binary",
    "no_binary": "no-binary",
    "offline": "offline",
    "cache_dir": "cache-dir",
    "no_cache": "no-cache",
    "timeout": "timeout",
    "retries": "retries",
    "cert": "cert",
    "client_cert": "client-cert",
    "proxy": "proxy",
    "trusted_hosts": "trusted-hosts",
    "keyring": "keyring",
}
"""The key of each field of `Settings` that is one value or one list."""

_TABLES = ("exclude-newer-package", "indexes", "packages", "metadata", "targets", "rules", "conda")
_HARDWARE = ("accelerator", "driver", "gpus", "cuda")
_ON_TARGETS = ("python", "platform", "glibc", "extras", "groups", *_HARDWARE, "channels", "virtual_packages")
_TARGET_KEYS = {key: KEYS[key] for key in _ON_TARGETS}
_OF_CONDA = {key: KEYS[key] for key in ("channels", "channel_priority")}
CONDA_DECLARES = ("dependencies", "groups")
"""What the table `conda` holds beside settings: requirements, which the readers of manifests know."""
FAMILIES = ("pytorch",)
"""Names under `indexes` that say where a family of the matrix has its indexes per build line."""
_TARGET_NAME = re.compile(r"[a-z0-9_-]+")
_VARIABLES = {field: "MLPIN_" + key.upper().replace("-", "_") for field, key in KEYS.items()} | {
    "extra_indexes": "MLPIN_EXTRA_INDEX_URL",
    "constraints": "MLPIN_CONSTRAINT",
    "overrides": "MLPIN_OVERRIDE",
}


def mlpin_table(fields: Fields, *, base: Path, context: Context, lines: Lines = no_lines) -> Settings:
    """The settings in a table of mlpin's; relative paths in it begin at `base`.

    `lines` tells the line of a path of keys, for the origins of constraints. Raises `InputError` that
    names file and key.
    """
    fields.known(*KEYS.values(), "pre", *_TABLES)
    table = Table(fields, base, context, lines)
    found = options.read(table, KEYS, f"[{fields.where()}] of {fields.file}" if fields.path else fields.file)
    extra: dict[str, Any] = {}
    if _flag_pre(table):
        extra["prerelease"] = "allow"
    if found.platform is not None and found.glibc is not None:
        with located(table, "glibc"):
            parse_platform(found.platform, found.glibc)
    if "exclude-newer-package" in fields:
        extra["exclude_newer_package"] = cutoffs(table.table("exclude-newer-package"))
    if "rules" in fields:
        extra["rules_off"] = _rules(table.table("rules"))
    named = table.table("indexes")
    families = {name: _family(named, name) for name in FAMILIES if isinstance(named.fields.data.get(name), str)}
    if families:
        extra["families"] = families
    indexes = _indexes(table.table("indexes"), found)
    if "indexes" in fields:
        default = next((index for index in indexes if index.default), None)
        others = tuple(index for index in indexes if not index.default)
        if default is not None:
            extra["index_url"] = default
        if others:
            extra["extra_indexes"] = (*others, *(found.extra_indexes or ()))
            if found.extra_indexes == ():
                extra["closed"] = ("extra_indexes",)
    if "packages" in fields:
        extra["pins"], extra["prefers"] = _packages(table.table("packages"), {index.name: index for index in indexes})
    if "conda" in fields:
        extra |= _conda(table.table("conda"), found)
    if "metadata" in fields:
        extra["metadata"] = _metadata(table.table("metadata"))
    if "targets" in fields:
        extra["targets"] = _targets(table.table("targets"))
    return found._replace(**extra)


def mlpin_environ(environ: Mapping[str, str], *, base: Path, context: Context | None = None) -> Settings:
    """What the MLPIN_* variables say; lists in them are divided by blanks, an empty one says nothing.

    Relative paths begin at `base`. Without a `context`, a constraints file at a URL is an error.
    """
    source = Texts(environ, base, for_environ(base, environ, context))
    found = options.read(source, _VARIABLES, "environment")
    if (url := source.text("MLPIN_PYTORCH_INDEX_URL")) is not None:
        place = "" if url == "none" else options.address(url, source, "MLPIN_PYTORCH_INDEX_URL")
        found = found._replace(families={"pytorch": place})
    if source.flag("MLPIN_PRE") and found.prerelease is None:
        found = found._replace(prerelease="allow")
    return found


def for_environ(base: Path, environ: Mapping[str, str], context: Context | None) -> Context:
    """`context` with this environment; where there is none, one that cannot fetch anything."""
    if context is not None:
        return context._replace(environ=environ)

    def refuse(url: str) -> str:
        del url
        raise InputError("a file at a URL cannot be read here")

    return Context(base, environ, refuse)


def _flag_pre(table: Table) -> bool:
    """`pre = true`, which stands for `prerelease = "allow"`."""
    pre = table.flag("pre")
    if pre and table.text("prerelease") not in (None, "allow"):
        raise table.error("pre", "contradicts `prerelease`", hint="leave one of them out")
    return bool(pre)


def cutoffs(table: Table) -> dict[str, str]:
    """Moments and spans by normalised package name; `false` lifts the cut-off of a package."""
    from mlpin.cutoff import DISABLED

    found: dict[str, str] = {}
    for key in table.fields:
        value = table.fields.data[key]
        (name,) = options.package_names([key], table, key)
        if value is False:
            found[name] = DISABLED
        elif isinstance(value, dict):  # as uv writes it into its lock: {timestamp = …, span = …}
            inner = table.table(key)
            found[name] = options.moment(inner, "span") or options.moment(inner, "timestamp") or DISABLED
        else:
            found[name] = options.moment(table, key) or DISABLED
    return found


# Tables


def _indexes(table: Table, found: Settings) -> tuple[IndexSetting, ...]:
    indexes: list[IndexSetting] = []
    for name in table.fields:
        if name in FAMILIES and isinstance(table.fields.data[name], str):
            continue
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise table.error(name, "cannot be the name of an index", hint="letters, digits, `-`, `_` and `.`")
        if isinstance(table.fields.data[name], str):
            indexes.append(options.index(table.text(name) or "", table, name, name=name, explicit=True))
            continue
        inner = table.table(name)
        inner.fields.known("url", "format", "explicit", "default")
        url = inner.text("url")
        if url is None:
            raise table.error(name, "has no `url`")
        default, form = bool(inner.flag("default")), _format(inner)
        if default and form == "conda":
            raise inner.error("default", "cannot be true for a conda channel", hint="list it first in `channels`")
        explicit = form == "conda" or inner.flag("explicit")
        indexes.append(
            options.index(
                url,
                inner,
                "url",
                name=name,
                explicit=not default if explicit is None else explicit,
                default=default,
                form=form,
            )
        )
        others = [index.name for index in indexes[:-1] if index.default]
        if default and (others or found.index_url is not None):
            other = f"the index `{others[0]}`" if others else "`index-url`"
            raise inner.error("default", f"contradicts {other}, which is the default index too")
    return tuple(indexes)


def _family(table: Table, name: str) -> str:
    """Where a family has its indexes: a URL, or `none`, which is the empty text here."""
    text = table.text(name) or ""
    return "" if text == "none" else options.address(text, table, name)


def _rules(table: Table) -> dict[str, str]:
    """By id of a rule, the reason for which it is switched off."""
    found = {}
    for name in table.fields:
        inner = table.table(name)
        inner.fields.known("off", "reason")
        if inner.flag("off"):
            reason = (inner.text("reason") or "").strip()
            if not reason:
                raise inner.error("reason", "is missing: a rule is switched off for a reason, which the lock records")
            found[name] = reason
    return found


def _format(table: Table) -> IndexFormat:
    text = table.text("format")
    if text is None:
        return "simple"
    if text in ("simple", "flat", "conda"):
        return cast("IndexFormat", text)
    raise table.error("format", f"cannot be `{text}`", hint="one of: simple, flat, conda")


def _packages(
    table: Table, indexes: Mapping[str, IndexSetting]
) -> tuple[dict[str, tuple[IndexPin, ...]] | None, dict[str, str] | None]:
    """By name of a package: the indexes that it may come from, and which world provides it."""
    pins: dict[str, tuple[IndexPin, ...]] = {}
    prefers: dict[str, str] = {}
    for key in table.fields:
        (name,) = options.package_names([key], table, key)
        if isinstance(table.fields.data[key], list):
            inners = [Table(fields, table.base, table.context, table.lines) for fields in table.fields.tables(key)]
            for one in inners:
                one.fields.known("index", "marker")
            pins[name] = tuple(_pin(one, table, key, indexes) for one in inners)
            continue
        inner = table.table(key)
        inner.fields.known("index", "marker", "prefer")
        prefer = options.read(inner, {"prefer": "prefer"}, "").prefer
        if prefer is not None:
            prefers[name] = prefer
        if prefer is None or len(inner.fields.data) > 1:
            pins[name] = (_pin(inner, table, key, indexes),)
    return pins or None, prefers or None


def _pin(inner: Table, table: Table, key: str, indexes: Mapping[str, IndexSetting]) -> IndexPin:
    from mlpin.manifest import pep508

    index = inner.text("index")
    if index is None:
        raise table.error(key, "has no `index`")
    if index not in indexes:
        known = ", ".join(sorted(indexes)) or "none"
        raise inner.error(
            "index", f"names `{index}`, which no table of indexes here has", hint=f"indexes here: {known}"
        )
    if indexes[index].format == "conda":
        raise inner.error(
            "index",
            f"names `{index}`, which is a conda channel",
            hint=f'ask for `{index}::{key}` in [tool.mlpin.conda], or write `prefer = "conda"`',
        )
    with located(inner, "marker"):
        marker = pep508.marker(inner.text("marker") or "", inner.origin("marker", 0, ""))
    return IndexPin(index, marker)


def _conda(table: Table, found: Settings) -> dict[str, Any]:
    """What the table `conda` says of channels, which could stand beside it as well."""
    table.fields.known(*CONDA_DECLARES, *_OF_CONDA.values())
    here = options.read(table, _OF_CONDA, "")
    said = {field: value for field in _OF_CONDA if (value := getattr(here, field)) is not None}
    for field in said:
        if getattr(found, field) is not None:
            raise table.error(KEYS[field], "stands above this table too", hint="leave one of them out")
    return said


def _metadata(table: Table) -> tuple[SuppliedMetadata, ...]:
    found = []
    for key in table.fields:
        name, equals, version = key.partition("==")
        (name,) = options.package_names([name.strip()], table, key)
        inner = table.table(key)
        inner.fields.known("requires-dist", "requires-python", "provides-extra")
        if equals and not version.strip():
            raise table.error(key, "has no version after `==`")
        found.append(supplied(inner, name, version_text(version, table, key)))
    return tuple(found)


def version_text(text: str, source: Source, key: str) -> str:
    """`text` as PEP 440 writes it; empty where it is empty."""
    if not text.strip():
        return ""
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(text))
    except InvalidVersion:
        raise source.error(key, f"holds `{text.strip()}`, which is not a version (PEP 440)") from None


def supplied(table: Table, name: str, version: str) -> SuppliedMetadata:
    """Metadata as both mlpin and uv write it."""
    from mlpin.manifest import pep508

    requires = table.words("requires-dist") or ()
    for position, text in enumerate(requires):
        with located(table, "requires-dist"):
            pep508.declared(text, table.origin("requires-dist", position, text), bases=(table.base,))
    python = table.text("requires-python") or ""
    if python:
        with located(table, "requires-python"):
            python = pep508.specifier(python, table.origin("requires-python", 0, python))
    return SuppliedMetadata(name, version, requires, python, options.names(table, "provides-extra") or ())


def _targets(table: Table) -> dict[str, TargetSettings]:
    found = {}
    for name in table.fields:
        if not _TARGET_NAME.fullmatch(name):
            why = (
                "PEP 751 allows no dot in the name of a lock's target"
                if "." in name
                else "the name of a target has small letters, digits, `-` and `_` only"
            )
            near = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")
            raise table.error(name, f"cannot be a target: {why}", hint=f"call it `{near}`" if near else None)
        inner = table.table(name)
        inner.fields.known(*_TARGET_KEYS.values())
        values = options.read(inner, _TARGET_KEYS, "")
        if values.platform is not None and values.glibc is not None:
            with located(inner, "glibc"):
                parse_platform(values.platform, values.glibc)
        found[name] = TargetSettings(name, **{field: getattr(values, field) for field in _ON_TARGETS})
    return found


def index_credential(name: str, prefix: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """(user, password) that variables give for the index called `name`; None where they give none."""
    stem = f"{prefix}{re.sub(r'[^A-Z0-9]', '_', name.upper())}"
    user, password = environ.get(f"{stem}_USERNAME", ""), environ.get(f"{stem}_PASSWORD", "")
    return (user, password) if user or password else None
