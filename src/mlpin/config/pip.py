"""pip's settings: the PIP_* variables and pip's configuration files, put together as pip does it.

pip joins sections before files: `[install]` of any file goes before `[global]` of every file, variables
go before both, and a list replaces a list. So this is one layer. Where pip looks for its files is after
`pip._internal.configuration` of pip 26.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlpin.config import options
from mlpin.config.source import Texts
from mlpin.errors import InputError
from mlpin.manifest.model import Context
from mlpin.settings import Settings

_KEYS = {
    "index_url": "index-url",
    "extra_indexes": "extra-index-url",
    "find_links": "find-links",
    "no_index": "no-index",
    "only_binary": "only-binary",
    "no_binary": "no-binary",
    "constraints": "constraint",
    "trusted_hosts": "trusted-host",
    "cert": "cert",
    "client_cert": "client-cert",
    "proxy": "proxy",
    "timeout": "timeout",
    "retries": "retries",
}
_ALSO = ("pre", "all-releases", "only-final", "keyring-provider", "uploaded-prior-to")
_ALIASES = {"pypi-url": "index-url", "default-timeout": "timeout"}
_SECTIONS = ("global", "install")


def pip_layers(
    environ: Mapping[str, str], *, context: Context, platform: str = sys.platform, etc: Path = Path("/etc")
) -> list[Settings]:
    """What pip's variables and files say, as one layer; none where they say nothing of interest.

    Relative paths begin at `context.root`, as in pip at the working directory. `InputError` names the
    file and line of what cannot be read.
    """
    context = context._replace(environ=environ)
    values, files, names = _values(environ, context, platform, etc)
    if not values:
        return []
    layer = ", ".join([*dict.fromkeys(files.values()), *(["environment"] if values.keys() - files.keys() else [])])
    source = Texts(values, context.root, context, files=files, names=names)
    found = options.read(source, _KEYS, layer)
    extra: dict[str, Any] = {}
    if source.flag("pre") or ":all:" in (source.text("all-releases") or "").split(","):
        extra["prerelease"] = "allow"
    elif ":all:" in (source.text("only-final") or "").split(","):
        extra["prerelease"] = "disallow"
    keyring = source.text("keyring-provider")
    if keyring not in (None, "auto"):
        extra["keyring"] = keyring != "disabled"
    text = source.text("uploaded-prior-to")
    if text is not None:
        # pip takes a date for its first moment, and a time without a zone for a local one; a lock must
        # not depend on the machine's zone
        full = f"{text}T00:00:00" if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else text
        zoned = f"{full}Z" if re.fullmatch(r"\d{4}-\d{2}-\d{2}[T ][\d:.]+", full) else full
        inner = Texts({"uploaded-prior-to": zoned}, context.root, context, files=files, names=names)
        extra["exclude_newer"] = options.moment(inner, "uploaded-prior-to")
    return [found._replace(**extra)]


def _values(
    environ: Mapping[str, str], context: Context, platform: str, etc: Path
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """By key: its text; the file where it stands, if it does in one; the variable's name, if not."""
    wanted = {*_KEYS.values(), *_ALSO}
    sections: dict[str, dict[str, tuple[str, str, str]]] = {section: {} for section in (*_SECTIONS, "variables")}
    for path in _files(environ, context, platform, etc):
        shown = context.shown(path)
        for section, key, value in _read(path, context):
            sections[section][key] = (value, shown, key)
    for name, value in environ.items():
        if name.startswith("PIP_"):
            sections["variables"][_key(name[4:])] = (value, "", name)
    found = {
        key: entry
        for section in sections.values()
        for key, entry in section.items()
        if key in wanted and entry[0].strip()
    }
    return (
        {key: value for key, (value, _, _) in found.items()},
        {key: file for key, (_, file, _) in found.items() if file},
        {key: name for key, (_, _, name) in found.items()},
    )


def _key(text: str) -> str:
    key = text.strip().lower().replace("_", "-").removeprefix("--")
    return _ALIASES.get(key, key)


def _files(environ: Mapping[str, str], context: Context, platform: str, etc: Path) -> Iterator[Path]:
    """Pip's files that exist, the one with the last word last."""
    named = environ.get("PIP_CONFIG_FILE")
    if named is not None and named.lower() in ("/dev/null", "nul"):
        return
    extra = context.root / named if named else None
    windows = platform == "win32"
    file = "pip.ini" if windows else "pip.conf"
    home = environ.get("HOME") or environ.get("USERPROFILE")
    folders: list[Path] = []
    if windows:
        folders.append(Path(environ.get("PROGRAMDATA") or "C:\\ProgramData", "pip"))
    elif platform == "darwin":
        folders.append(Path("/Library/Application Support/pip"))
    else:
        shared = [Path(part) for part in environ.get("XDG_CONFIG_DIRS", "").split(":") if part] or [etc / "xdg"]
        folders += [folder / "pip" for folder in shared] + [etc]
    if home and not (extra and extra.exists()):
        folders.append(Path(home, "pip" if windows else ".pip"))
        folders.append(_user_folder(Path(home), environ, platform))
    folders.append(Path(environ.get("VIRTUAL_ENV") or sys.prefix))
    for path in [*(folder / file for folder in folders), *([extra] if extra else [])]:
        try:
            present = path.is_file()
        except OSError:
            continue
        if present:
            yield path


def _user_folder(home: Path, environ: Mapping[str, str], platform: str) -> Path:
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming", "pip")
    if platform == "darwin":
        folder = home / "Library" / "Application Support" / "pip"
        return folder if folder.is_dir() else home / ".config" / "pip"
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "pip")


def _read(file: Path, context: Context) -> list[tuple[str, str, str]]:
    """(section, key, value) of what stands in the sections that count."""
    from configparser import (
        DuplicateOptionError,
        DuplicateSectionError,
        Error,
        MissingSectionHeaderError,
        ParsingError,
        RawConfigParser,
    )

    from mlpin.manifest.source_text import text_of

    shown = context.shown(file)
    text = text_of(file, context)
    parser = RawConfigParser()
    parser.optionxform = _key  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text, source=shown)
    except DuplicateSectionError as error:
        raise InputError(f"has the section [{error.section}] twice", where=f"{shown}:{error.lineno}") from None
    except DuplicateOptionError as error:
        message = f"has `{error.option}` twice in [{error.section}]"
        raise InputError(message, where=f"{shown}:{error.lineno}") from None
    except MissingSectionHeaderError as error:
        raise InputError("stands before any [section]", where=f"{shown}:{error.lineno}") from None
    except ParsingError as error:
        # the line may hold a password, so it is not shown
        number = error.errors[0][0]
        raise InputError("is neither a [section] nor `key = value`", where=f"{shown}:{number}") from None
    except Error:
        raise InputError("is not a configuration file that pip can read", where=shown) from None
    return [
        (section, key, value)
        for section in _SECTIONS
        if parser.has_section(section)
        for key, value in parser.items(section)
        if value is not None
    ]
