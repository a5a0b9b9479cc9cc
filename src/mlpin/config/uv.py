"""uv's settings, so that nobody rewrites a configuration: `[tool.uv]`, uv.toml and the UV_* variables.

The files are uv's, so what mlpin does not know in them is passed over, and where uv keeps its cache or
which Python it runs is not taken over. uv's documentation of settings and variables is the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpin.config import options
from mlpin.config.mlpin_table import cutoffs, for_environ, index_credential, supplied, version_text
from mlpin.config.source import Lines, Source, Table, Texts, no_lines
from mlpin.fields import Fields
from mlpin.manifest.model import Context
from mlpin.settings import IndexSetting, Settings, SuppliedMetadata

_KEYS = {
    "index_url": "index-url",
    "extra_indexes": "extra-index-url",
    "find_links": "find-links",
    "no_index": "no-index",
    "index_strategy": "index-strategy",
    "constraints": "constraint-dependencies",
    "overrides": "override-dependencies",
    "exclude": "exclude-dependencies",
    "prerelease": "prerelease",
    "resolution": "resolution",
    "offline": "offline",
    "no_cache": "no-cache",
    "trusted_hosts": "allow-insecure-host",
    "proxy": "https-proxy",
}
_VARIABLES = {
    "extra_indexes": "UV_EXTRA_INDEX_URL",
    "find_links": "UV_FIND_LINKS",
    "no_index": "UV_NO_INDEX",
    "index_strategy": "UV_INDEX_STRATEGY",
    "constraints": "UV_CONSTRAINT",
    "overrides": "UV_OVERRIDE",
    "exclude_newer": "UV_EXCLUDE_NEWER",
    "prerelease": "UV_PRERELEASE",
    "resolution": "UV_RESOLUTION",
    "offline": "UV_OFFLINE",
    "no_cache": "UV_NO_CACHE",
    "trusted_hosts": "UV_INSECURE_HOST",
    "retries": "UV_HTTP_RETRIES",
}
_TIMEOUTS = ("UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "HTTP_TIMEOUT")
_TABLE = "[tool.uv] of "


def is_uv_table(layer: Settings) -> bool:
    """Whether `layer` is a `[tool.uv]` table, which a uv.toml beside it goes before."""
    return layer.layer.startswith(_TABLE)


def uv_table(fields: Fields, *, base: Path, context: Context, lines: Lines = no_lines) -> Settings:
    """The settings in `[tool.uv]` or at the top of a uv.toml; relative paths begin at `base`.

    `lines` tells the line of a path of keys, for the origins of constraints. Raises `InputError` for a
    key that mlpin reads and that holds what uv would not accept either.
    """
    table = Table(fields, base, context, lines)
    found = options.read(table, _KEYS, f"{_TABLE if fields.path else ''}{fields.file}")
    extra: dict[str, Any] = {}
    indexes = _indexes(table)
    default = next((index for index in indexes if index.default), None)
    others = tuple(index for index in indexes if not index.default)
    if default is not None:
        extra["index_url"] = default
    if others:
        extra["extra_indexes"] = (*others, *(found.extra_indexes or ()))
    if isinstance(fields.data.get("exclude-newer"), dict):
        moments = table.table("exclude-newer")
        extra["exclude_newer"] = options.moment(moments, "span") or options.moment(moments, "timestamp")
    else:
        extra["exclude_newer"] = options.moment(table, "exclude-newer")
    if "exclude-newer-package" in fields:
        extra["exclude_newer_package"] = cutoffs(table.table("exclude-newer-package"))
    if "dependency-metadata" in fields:
        extra["metadata"] = _metadata(table)
    extra["only_binary"] = _formats(table, "no-build", "no-build-package")
    extra["no_binary"] = _formats(table, "no-binary", "no-binary-package")
    extra["keyring"] = _keyring(table, "keyring-provider")
    return found._replace(**extra)


def _indexes(table: Table) -> list[IndexSetting]:
    found: list[IndexSetting] = []
    for fields in table.fields.tables("index"):
        inner = Table(fields, table.base, table.context, table.lines)
        url = inner.text("url")
        if url is None:
            raise inner.error("url", "is missing")
        name, form = inner.text("name") or "", inner.text("format") or "simple"
        if form not in ("simple", "flat"):
            raise inner.error("format", f"cannot be `{form}`", hint="one of: simple, flat")
        if name and any(index.name == name for index in found):
            raise inner.error("name", f"is `{name}`, as that of another index")
        default = bool(inner.flag("default"))
        if default and any(index.default for index in found):
            raise inner.error("default", "is true of another index too")
        one = options.index(
            url,
            inner,
            "url",
            name=name,
            explicit=bool(inner.flag("explicit")),
            default=default,
            form="flat" if form == "flat" else "simple",
        )
        found.append(one)
    return found


def _metadata(table: Table) -> tuple[SuppliedMetadata, ...]:
    found = []
    for fields in table.fields.tables("dependency-metadata"):
        inner = Table(fields, table.base, table.context, table.lines)
        text = inner.text("name")
        if text is None:
            raise inner.error("name", "is missing")
        (name,) = options.package_names([text], inner, "name")
        version = version_text(inner.text("version") or "", inner, "version")
        found.append(supplied(inner, name, version))
    return tuple(found)


def _formats(source: Source, every: str, some: str) -> tuple[str, ...] | None:
    """Uv's pair of a flag for all packages and a list of packages."""
    flag, packages = source.flag(every), options.names(source, some)
    if flag:
        return (":all:",)
    if packages:
        return packages
    return None if flag is None and packages is None else (":none:",)


def _keyring(source: Source, key: str) -> bool | None:
    text = source.text(key)
    if text in (None, "disabled", "subprocess"):
        return None if text is None else text == "subprocess"
    raise source.error(key, f"cannot be `{text}`", hint="one of: disabled, subprocess")


def uv_environ(environ: Mapping[str, str], *, base: Path, context: Context | None = None) -> Settings:
    """What the UV_* variables say. `UV_PYTHON` names an interpreter, not a target, and is passed over.

    Relative paths begin at `base`. Without a `context`, a constraints file at a URL is an error.
    """
    source = Texts(environ, base, for_environ(base, environ, context), commas=frozenset({"UV_FIND_LINKS"}))
    timeout = next((name for name in _TIMEOUTS if source.text(name)), _TIMEOUTS[0])
    found = options.read(source, {**_VARIABLES, "timeout": timeout}, "environment")
    extra: dict[str, Any] = {}
    for key in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        text = source.text(key)
        if text is not None:
            extra["index_url"] = options.perhaps_named(text, source, key, default=True)
            break
    words = source.words("UV_INDEX")
    if words is not None:
        named = tuple(options.perhaps_named(word, source, "UV_INDEX") for word in words)
        extra["extra_indexes"] = (*named, *(found.extra_indexes or ()))
    extra["only_binary"] = _formats(source, "UV_NO_BUILD", "UV_NO_BUILD_PACKAGE")
    extra["no_binary"] = _formats(source, "UV_NO_BINARY", "UV_NO_BINARY_PACKAGE")
    extra["exclude"] = options.file_names(source, "UV_EXCLUDE")
    extra["keyring"] = _keyring(source, "UV_KEYRING_PROVIDER")
    return found._replace(**extra)


def with_index_credentials(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """`settings` with the credentials of `UV_INDEX_<NAME>_USERNAME` and `_PASSWORD` in the URLs of named indexes.

    They replace what stands there, as in uv. `MLPIN_INDEX_<NAME>_…` goes before them.
    """
    from mlpin.index.url import with_credentials

    def one(index: IndexSetting) -> IndexSetting:
        if not index.name:
            return index
        for prefix in ("MLPIN_INDEX_", "UV_INDEX_"):
            found = index_credential(index.name, prefix, environ)
            if found:
                return index._replace(url=with_credentials(index.url, *found))
        return index

    return settings._replace(
        index_url=one(settings.index_url) if settings.index_url else None,
        extra_indexes=settings.extra_indexes and tuple(map(one, settings.extra_indexes)),
        find_links=settings.find_links and tuple(map(one, settings.find_links)),
    )


# Files


def uv_project_files(directory: Path, environ: Mapping[str, str], context: Context) -> list[Settings]:
    """The uv.toml of the project in `directory`, or the file of `UV_CONFIG_FILE` in place of all files."""
    named = environ.get("UV_CONFIG_FILE", "").strip()
    if named:
        return [_read(Path(context.root, named), context)]
    if _off(environ):
        return []
    file = directory / "uv.toml"
    return [_read(file, context)] if file.is_file() else []


def uv_user_files(
    environ: Mapping[str, str], context: Context, *, etc: Path = Path("/etc"), windows: bool | None = None
) -> list[Settings]:
    """The user's uv.toml, then the system's; none with `UV_CONFIG_FILE` or `UV_NO_CONFIG`, as in uv."""
    if environ.get("UV_CONFIG_FILE", "").strip() or _off(environ):
        return []
    if windows is None:
        import sys

        windows = sys.platform == "win32"
    home = environ.get("HOME") or environ.get("USERPROFILE")
    users: list[Path] = []
    if windows:
        if environ.get("APPDATA"):
            users = [Path(environ["APPDATA"], "uv", "uv.toml")]
        system = [Path(environ.get("PROGRAMDATA") or "C:\\ProgramData", "uv", "uv.toml")]
    else:
        config = environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
        users = [Path(config, "uv", "uv.toml")] if config else []
        folders = [Path(part) for part in environ.get("XDG_CONFIG_DIRS", "").split(":") if part] or [etc / "xdg"]
        system = [*(folder / "uv" / "uv.toml" for folder in folders), etc / "uv" / "uv.toml"]
    found = [file for file in users if _readable(file)]
    found += [file for file in system if _readable(file)][:1]
    return [_read(file, context) for file in found]


def uv_files(directory: Path, environ: Mapping[str, str], context: Context) -> list[Settings]:
    """All files of uv's that hold for `directory`, the nearest first."""
    return [*uv_project_files(directory, environ, context), *uv_user_files(environ, context)]


def _off(environ: Mapping[str, str]) -> bool:
    return Texts(environ, Path(), for_environ(Path(), environ, None)).flag("UV_NO_CONFIG") is True


def _readable(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:  # a home directory that this user may not look into
        return False


def _read(file: Path, context: Context) -> Settings:
    from mlpin.manifest.toml_lines import TomlFile

    read = TomlFile.read(file, context)
    with read.located():
        return uv_table(read.fields, base=file.parent, context=context, lines=read.line)
