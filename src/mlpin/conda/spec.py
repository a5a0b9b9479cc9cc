"""MatchSpecs: what a line such as `conda-forge::numpy >=1.26,<2 py311*` asks of a record, read as conda reads it.

It does not know what is asked where: a user's line and a record's `depends` are the same to it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import unquote

from mlpin.conda.pattern import is_plain, pattern
from mlpin.conda.record import CondaRecord
from mlpin.conda.version_spec import COMPARE, version, version_spec
from mlpin.errors import InputError
from mlpin.index.url import redacted_in, strip_credentials

__all__ = ["MatchSpec", "match_spec", "version"]

LONGEST = 4096
"""Characters of a MatchSpec."""

KEYS = ("build_number", "track_features", "features", "url", "md5", "sha256", "license", "fn")
"""What may stand in brackets besides version, build, channel, subdir and name, in conda's order."""

DEFAULTS = ("defaults", "pkgs/main", "pkgs/r", "pkgs/msys2")
"""What `defaults` stands for, after itself."""

_PUBLIC = ("https://conda.anaconda.org/", "https://repo.anaconda.com/")
"""Where a channel that is only named is, so that a name and this URL are the same channel."""

_USUAL = re.compile(
    r"(?P<name>[a-z0-9_.-]+)(?: +(?P<version>(?:[<>]=?|!=)?[0-9*][\w.*]*(?:[,|](?:[<>]=?|!=)?[0-9*][\w.*]*)*)"
    r"(?: +(?P<build>[\w.*]+))?)?",
    re.ASCII,
)
"""How nearly all of a channel's `depends` are written; what it takes means the same to the reader of the rest."""

_SECTIONS = re.compile(r"(?P<head>[^\[(]*)(?:\[(?P<brackets>.*)\])?\s*(?:\((?P<parentheses>.*)\))?", re.DOTALL)
_IN_BRACKETS = re.compile(r"""\s*([A-Za-z0-9_-]+)=(?:'([^'"]+)'|"([^'"]+)"|([^'", ]+))\s*(?:,|(?<=\s)|$)""")
_IN_PARENTHESES = re.compile(r"\s*(?:optional|target=[^,()]*)(?:,\s*(?:optional|target=[^,()]*))*\s*")
_SUBDIR = re.compile(r"noarch|(?:linux|osx|win|freebsd|emscripten|wasi|zos)-[a-z0-9]+")
_NAME = re.compile(r"_{0,2}[a-z0-9]+(?:(?:[.-]|_+)[a-z0-9]+)*[._-]?")
_HEAD = re.compile(r"([^ =<>!~]+)(.*)")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN_IN_PATH = re.compile(r"(://[^/\s]*)/t/[^/:\s]+")
_BUILD_NUMBER = re.compile(r"(==|!=|<=|>=|=|<|>)?\s*([0-9]{1,18})")
_NUMBERS: dict[str, Callable[[int, int], bool]] = {"": operator.eq, "=": operator.eq, **COMPARE}

Test = Callable[[CondaRecord], bool]


class MatchSpec:
    """What a MatchSpec asks of a record. It remembers what it said of each version and build."""

    __slots__ = ("_builds", "_fields", "_names", "_others", "_versions", "name", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        """As it was written, with the credentials that a URL in it may have."""
        fields = self._fields = _read(text)
        self.name = fields["name"]
        """In lower case; `*`, a glob or a regular expression where it does not name one package."""
        self._names = None if is_plain(self.name) else pattern(self.name)
        self._versions = version_spec(self.version) if self.version else None
        self._builds = pattern(self.build) if self.build else None
        self._others = tuple(_test(key, value) for key, value in fields.items() if key not in _OWN)

    @property
    def version(self) -> str:
        """The version spec, `1.7*` for `=1.7`; empty where every version will do."""
        return self._fields.get("version", "")

    @property
    def build(self) -> str:
        """A build outright, a glob or a regular expression; empty where every build will do."""
        return self._fields.get("build", "")

    @property
    def channel(self) -> str:
        """The channel as written, without the subdir and credentials; empty where every channel will do."""
        return self._fields.get("channel", "")

    @property
    def subdir(self) -> str:
        return self._fields.get("subdir", "")

    @property
    def exact(self) -> bool:
        """Whether it names one version outright (`==1.2`, or `1.2` after a space)."""
        return self._versions is not None and self._versions.exact

    def matches(self, record: CondaRecord) -> bool:
        """Whether `record` is what it asks for."""
        same = record.name == self._fields["name"] if self._names is None else self._names[record.name]
        return same and self.admits(record)

    def admits(self, record: CondaRecord) -> bool:
        """Whether `record`, which has its name, is what it asks for."""
        return (
            (self._versions is None or self._versions[record.version])
            and (self._builds is None or self._builds[record.build])
            and (not self._others or all(test(record) for test in self._others))
        )

    def __str__(self) -> str:
        """As conda writes it; conda reads it as the same. Has no credentials."""
        fields, brackets = self._fields, []
        text = self.channel
        if text and self.subdir:
            text += f"/{self.subdir}"
        elif self.subdir:
            brackets.append(f"subdir={self.subdir}")
        text += f"::{self.name}" if text else self.name
        asked = self._versions.text if self._versions is not None else ""
        outright = False
        if any(sign in asked for sign in "><$^|,") or (self.build and asked.startswith(("!=", "~="))):
            brackets.append(f"version='{asked}'")
        elif asked.startswith(("!=", "~=")):
            text += asked
        elif asked.endswith("*"):
            text += "=" + asked.removesuffix("*").removesuffix(".")
        elif asked:
            text += "==" + asked.removeprefix("==")
            outright = True
        if outright and self.build and is_plain(self.build):
            text += f"={self.build}"
        elif self.build:
            brackets.append(f"build='{self.build}'" if self.build.startswith("^") else f"build={self.build}")
        for key in KEYS:
            if key in fields and not (key == "url" and self.channel) and not (key == "fn" and "url" in fields):
                quoted = any(sign in fields[key] for sign in ", =")
                brackets.append(f"{key}='{fields[key]}'" if quoted else f"{key}={fields[key]}")
        return f"{text}[{','.join(brackets)}]" if brackets else text

    def __repr__(self) -> str:
        return f"MatchSpec({str(self)!r})"


_OWN = frozenset({"name", "version", "build"})


def match_spec(text: str) -> MatchSpec:
    """The MatchSpec that `text` is; one object per text. Raises `InputError` where conda would refuse it."""
    if not isinstance(text, str):
        raise InputError(f"a MatchSpec is text, not {type(text).__name__}")
    return _match_spec(text)


@cache
def _match_spec(text: str) -> MatchSpec:
    try:
        return MatchSpec(text)
    except InputError as error:
        given = text[:LONGEST]
        shown = _TOKEN_IN_PATH.sub(r"\1", redacted_in(given))
        # what is wrong may quote a piece of what was hidden
        reason = f": {error.message}" if shown == given else ""
        shown = "".join(letter if letter.isprintable() else "?" for letter in shown[:100])
        raise InputError(f"`{shown}{'…' * (len(text) > 100)}` is not a MatchSpec{reason}") from None


def _read(text: str) -> dict[str, str]:
    """The fields that `text` states."""
    if len(text) > LONGEST:
        raise InputError(f"it is longer than {LONGEST} characters")
    if (usual := _USUAL.fullmatch(text)) and not text.endswith((".conda", ".tar.bz2")):
        _checked_name(usual["name"])
        return {key: value for key, value in usual.groupdict().items() if value and value != "*"}
    if _CONTROL.search(text.strip()):
        raise InputError("it has control characters")
    text = text.partition("#")[0].replace("\t", " ").strip()
    if text.endswith("@"):
        return {"name": "*", "track_features": _checked_name(text[:-1])}
    if text.endswith((".conda", ".tar.bz2")):
        return _file(text)
    if " if " in text or ";" in text:
        raise InputError("mlpin does not read conditions")
    sections = _SECTIONS.fullmatch(text)
    if sections is None:
        raise InputError("brackets and parentheses do not close, or something stands behind them")
    if sections["parentheses"] and not _IN_PARENTHESES.fullmatch(sections["parentheses"]):
        raise InputError("conda reads parentheses in `[version='…']` only")
    fields = _outside(sections["head"].strip())
    inside = _inside(sections["brackets"] or "")
    if "channel" in inside:
        inside = _channel(inside["channel"]) | {key: value for key, value in inside.items() if key != "channel"}
    if fields["name"] != "*":
        inside.pop("name", None)
    fields |= inside
    fields["name"] = _checked_name(fields["name"].lower())
    if "version" in fields:
        fields["version"] = _fuzzy(fields["version"], has_build=False)
    # `*` asks for nothing
    return {key: value for key, value in fields.items() if value != "*" or key == "name"}


def _outside(head: str) -> dict[str, str]:
    """What stands before the brackets: `channel/subdir:namespace:name version build`."""
    where, _, rest = head.rpartition(":")
    channel = where.rpartition(":")[0]
    found = _HEAD.fullmatch(rest.strip())
    if found is None:
        raise InputError("it has no package name")
    fields = _channel(channel) | {"name": found[1]}
    asked, build = _split(found[2].strip())
    if asked and asked != "=":
        fields["version"] = _fuzzy(asked, has_build=bool(build))
    if build:
        fields["build"] = build
    return fields


def _split(text: str) -> tuple[str, str]:
    """A version spec and the build behind it, which a space or `=` parts: (`>=1,<2`, `py311*`)."""
    operators = "=,|<>~!"
    # what an operator follows is no build yet
    behind = max(text.rfind(sign) for sign in operators[1:])
    for place in range(max(behind, 0) + 1, len(text)):
        if text[place] not in " =" or text[place - 1] in operators:
            continue
        build = text[place + 1 :].strip()
        if build and "=" not in build and "-" not in build:
            if " " in build:
                raise InputError("there is more than a name, a version and a build")
            return text[:place].replace(" ", ""), build
    return text.replace(" ", ""), ""


def _fuzzy(asked: str, *, has_build: bool) -> str:
    """`=1.7` as `1.7*`; with a build behind it, it is that version outright. `==1.7` as `1.7`."""
    rest = asked.removeprefix("==") if asked.startswith("==") else asked.removeprefix("=")
    if rest == asked or not rest or rest.startswith("="):
        return asked
    if asked.startswith("=="):
        return rest
    if any(sign in rest for sign in "=,|"):
        return asked
    return rest if has_build or rest.endswith("*") else f"{rest}*"


def _inside(text: str) -> dict[str, str]:
    fields, place = {}, 0
    while text[place:].strip(" ,"):
        found = _IN_BRACKETS.match(text, place)
        if found is None:
            raise InputError("brackets hold `key='value'`, parted by commas")
        key, value = found[1], found[2] or found[3] or found[4]
        if key not in KEYS and key not in ("version", "build", "channel", "subdir", "name"):
            raise InputError(f"mlpin does not know `{key}` of a record")
        fields[key] = value.strip()
        place = found.end()
    for key, settled in (("url", _clean), ("license", str.lower)):
        if key in fields:
            fields[key] = settled(fields[key])
    return fields


def _file(url: str) -> dict[str, str]:
    """What the URL of a package file asks for."""
    if "://" not in url or " " in url:
        raise InputError("mlpin takes a package file by its URL only (`file:///…` for one on this machine)")
    url = _clean(url)
    folder, _, filename = unquote(url).rpartition("/")
    fields = {"name": "*", "fn": filename, "url": url}
    where = _channel(folder)
    if "subdir" not in where:
        return fields
    parts = filename.removesuffix(".conda").removesuffix(".tar.bz2").rsplit("-", 2)
    if len(parts) != 3:
        raise InputError("the file's name is not NAME-VERSION-BUILD")
    fields |= where | dict(zip(("name", "version", "build"), parts, strict=True))
    return fields | {"name": _checked_name(fields["name"].lower())}


def _channel(text: str) -> dict[str, str]:
    """`channel` and, where it ends in one, `subdir`."""
    text = _clean(text.strip()).rstrip("/")
    before, _, last = text.rpartition("/")
    if before and _SUBDIR.fullmatch(last):
        return {"channel": before, "subdir": last}
    return {"channel": text} if text else {}


def _clean(url: str) -> str:
    """`url` without a password and without the token of a channel (`/t/TOKEN/`)."""
    return _TOKEN_IN_PATH.sub(r"\1", strip_credentials(url)) if "://" in url else url


def _checked_name(name: str) -> str:
    if is_plain(name):
        if not _NAME.fullmatch(name):
            raise InputError(f"`{name[:80]}` is not the name of a package")
    elif not name.startswith("^") and not re.fullmatch(r"[a-z0-9._*-]+", name):
        raise InputError(f"`{name[:80]}` is not the name of a package")
    return name


def _test(key: str, value: str) -> Test:
    """What a field asks of a record, besides name, version and build."""
    match key:
        case "channel":
            return _in_channel(value)
        case "build_number":
            found = _BUILD_NUMBER.fullmatch(value)
            if found is None:
                raise InputError(f"`{value}` is not a build number")
            compare, number = _NUMBERS[found[1] or ""], int(found[2])
            return lambda record: compare(record.build_number, number)
        case "track_features" | "features":
            features = _words(value)
            return lambda record: _words(getattr(record, key)) == features
        case "license":
            licenses = pattern(value)
            return lambda record: licenses[record.license.lower()]
        case "md5" | "sha256":
            return lambda record: getattr(record, key).lower() == value.lower()
        case "url":
            return lambda record: unquote(record.url) == unquote(value)
        case "fn":
            return lambda record: record.filename == value
    return lambda record: record.subdir == value


def _words(features: Any) -> frozenset[str]:
    text = features if isinstance(features, str) else ",".join(features)
    return frozenset(text.replace(",", " ").split())


def _in_channel(asked: str) -> Test:
    """A name is a channel of this name, or a URL that ends in it; a URL is this place, whatever the channel's name."""
    if not is_plain(asked):
        channels = pattern(asked)
        return lambda record: channels[_named(record.channel)]
    if "://" in asked:
        name = _named(asked)
        return lambda record: (
            record.channel.rstrip("/") == asked or record.channel == name or record.url.startswith(f"{asked}/")
        )
    names = DEFAULTS if asked == "defaults" else (asked,)
    endings = tuple(f"/{name}" for name in names)
    folder = f"/{asked}/" if asked in DEFAULTS else ""

    def in_channel(record: CondaRecord) -> bool:
        if record.channel in names:
            return True
        if record.channel == "defaults":
            return bool(folder) and folder in record.url
        is_place = "://" in record.channel or record.channel.startswith("/")
        return is_place and record.channel.rstrip("/").endswith(endings)

    return in_channel


def _named(channel: str) -> str:
    """The name of a channel that is given by its public URL; else what is given."""
    for place in _PUBLIC:
        if channel.startswith(place):
            return channel.removeprefix(place).rstrip("/")
    return channel
