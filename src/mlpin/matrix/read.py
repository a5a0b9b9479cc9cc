"""Matrix files as people write them (TOML) → values. Every mistake in a file is told, not the first alone.

The format is published as `data/matrix.schema.json`. Nothing is known here of which rules ship, or of what a
project does with them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlpin.matrix.rule import EVIDENCE, FACTS, LABEL, SAME, SEVERITIES, Rule, arch
from mlpin.matrix.tables import Abi, Alias, Arch, Default, Family, Gpu, Line, Supplied, Toolkit, Wheels
from mlpin.requirement import normalise

_ID = re.compile(r"[a-z0-9][a-z0-9.-]*")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PLATFORM = re.compile(r"(linux|macos|windows|\*)-(x86_64|aarch64|arm64|amd64|\*)")
_TABLES = ("rule", "gpu", "line", "default", "abi", "alias", "toolkit", "arch", "family", "wheels", "metadata")
_ORIGIN = ("source", "evidence", "date", "note")


class Mistake(NamedTuple):
    """What is wrong with one entry of a matrix file."""

    file: str
    line: int
    what: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


class Source(NamedTuple):
    """The contents of matrix files, in their order."""

    rules: tuple[Rule, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    lines: tuple[Line, ...] = ()
    defaults: tuple[Default, ...] = ()
    abis: tuple[Abi, ...] = ()
    aliases: tuple[Alias, ...] = ()
    toolkits: tuple[Toolkit, ...] = ()
    archs: tuple[Arch, ...] = ()
    families: tuple[Family, ...] = ()
    wheels: tuple[Wheels, ...] = ()
    metadata: tuple[Supplied, ...] = ()


class _Entry:
    """One table of a file: typed getters that note a mistake and go on."""

    def __init__(self, data: Mapping[str, Any], wrong: Callable[[str], None]) -> None:
        self.data = data
        self.wrong = wrong

    def text(self, key: str, default: str = "") -> str:
        value = self.data.get(key, default)
        if isinstance(value, str):
            return value
        if key == "date" and hasattr(value, "isoformat"):
            return str(value.isoformat())
        self.wrong(f"`{key}` must be a string")
        return default

    def flag(self, key: str) -> bool:
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            self.wrong(f"`{key}` must be true or false")
        return value is True

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.data.get(key, [])
        if isinstance(value, str):
            return (value,)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self.wrong(f"`{key}` must be a string or a list of strings")
        return ()

    def choice(self, key: str, allowed: Sequence[str], default: str = "") -> Any:
        value = self.text(key, default)
        if value not in allowed:
            self.wrong(f"`{key}` must be one of {', '.join(allowed)}")
            return allowed[0]
        return value

    def range(self, text: str, what: str) -> str:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            SpecifierSet(text)
        except InvalidSpecifier:
            self.wrong(f"{what} `{text}` is not a version specifier (PEP 440)")
            return ""
        return text

    def known(self, *keys: str) -> None:
        for key in self.data:
            if key not in keys:
                from difflib import get_close_matches

                near = get_close_matches(key, keys, 1)
                self.wrong(f"unknown key `{key}`" + (f"; did you mean `{near[0]}`?" if near else ""))

    def origin(self) -> tuple[tuple[str, ...], Any, str]:
        source, date = self.texts("source"), self.text("date")
        if not any(item.strip() for item in source):
            self.wrong("`source` is missing: no statement without one")
        if not _DATE.fullmatch(date):
            self.wrong("`date` must be a day, like 2026-11-21")
        return source, self.choice("evidence", EVIDENCE), date


def read_files(paths: Sequence[Path], shown: Callable[[Path], str] = str) -> tuple[Source, list[Mistake]]:
    """What several files say together, and everything that is wrong with them. A missing file is a mistake too."""
    joined: dict[str, tuple[Any, ...]] = dict.fromkeys(Source._fields, ())
    mistakes: list[Mistake] = []
    owners: dict[str, str] = {}
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            mistakes.append(Mistake(shown(path), 0, f"cannot be read: {reason}"))
            continue
        found, wrong = read(text, shown(path))
        mistakes += wrong
        for rule in found.rules:
            if owners.setdefault(rule.id, shown(path)) != shown(path):
                mistakes.append(Mistake(shown(path), 0, f"the id `{rule.id}` is used in {owners[rule.id]} as well"))
        joined = {name: (*values, *getattr(found, name)) for name, values in joined.items()}
    return Source(**joined), mistakes


def read(text: str, file: str) -> tuple[Source, list[Mistake]]:
    """What a matrix file says, and everything that is wrong with it."""
    mistakes: list[Mistake] = []
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        return Source(), [Mistake(file, int(at[1]) if at else 0, f"is not TOML: {error}")]
    for key, value in data.items():
        if key not in _TABLES:
            mistakes.append(Mistake(file, 0, f"unknown table `{key}`; there are {', '.join(_TABLES)}"))
        elif not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            mistakes.append(Mistake(file, 0, f"`{key}` must be written as [[{key}]]"))
    readers: dict[str, Callable[[_Entry], Sequence[Any]]] = {
        "rule": _rule,
        "gpu": _gpu,
        "line": _line,
        "default": _default,
        "abi": _abi,
        "alias": _alias,
        "toolkit": _toolkit,
        "arch": _arch,
        "family": _family,
        "wheels": _wheels,
        "metadata": _metadata,
    }
    found: dict[str, list[Any]] = {key: [] for key in _TABLES}
    for key, reader in readers.items():
        entries = data.get(key, [])
        if not isinstance(entries, list):
            continue
        at_lines = [
            number for number, line in enumerate(text.splitlines(), 1) if re.match(rf"\s*\[\[\s*{key}\s*\]\]", line)
        ]
        for position, table in enumerate(entries):
            if not isinstance(table, dict):
                continue
            number = at_lines[position] if position < len(at_lines) else 0
            mine: list[str] = []
            made = reader(_Entry(table, mine.append))
            name = table.get("id") or table.get("package") or table.get("label") or ""
            mistakes += [
                Mistake(file, number, f"{key} `{name}`: {what}" if name else f"{key}: {what}") for what in mine
            ]
            if not mine:
                found[key] += made
    ids: dict[str, int] = {}
    for rule in found["rule"]:
        ids[rule.id] = ids.get(rule.id, 0) + 1
    for name, count in ids.items():
        others = len({rule.other for rule in found["rule"] if rule.id == name})
        if count > others:
            mistakes.append(Mistake(file, 0, f"the id `{name}` is used {count} times"))
    return (
        Source(
            tuple(found["rule"]),
            tuple(found["gpu"]),
            tuple(found["line"]),
            tuple(found["default"]),
            tuple(found["abi"]),
            tuple(found["alias"]),
            tuple(found["toolkit"]),
            tuple(found["arch"]),
            tuple(found["family"]),
            tuple(found["wheels"]),
            tuple(found["metadata"]),
        ),
        mistakes,
    )


def _rule(entry: _Entry) -> list[Rule]:
    entry.known(
        "id", "package", "versions", "with", "needs", "fails", "kernels", "line", "platforms", "python",
        "accelerator", "wheels-only", "unless-same-version", "severity", "steer", "symptom", "remedy", *_ORIGIN,
    )  # fmt: skip
    name = entry.text("id")
    if not _ID.fullmatch(name):
        entry.wrong("`id` must be lower case letters, digits, dots and hyphens")
    package = entry.text("package")
    if not package or normalise(package) != package:
        entry.wrong("`package` must be a normalised name")
    verbs = [verb for verb in ("needs", "fails", "kernels") if verb in entry.data]
    if len(verbs) != 1:
        entry.wrong("a rule has exactly one of `needs`, `fails` and `kernels`")
        return []
    verb: Any = verbs[0]
    versions = entry.range(entry.text("versions"), "`versions`")
    others: tuple[str, ...] = entry.texts("with")
    kernels: tuple[str, ...] = ()
    table: tuple[tuple[str, str], ...] = ((versions, ""),)
    if verb == "kernels":
        kernels = entry.texts("kernels")
        for text in kernels:
            if arch(text) is None:
                entry.wrong(f"`{text}` is no GPU architecture like sm_90, sm_90+PTX or compute_90")
        if others:
            entry.wrong("`kernels` is about GPUs: it goes without `with`")
        others = ("",)
    else:
        if not others:
            entry.wrong("`with` is missing: the other side, a package or one of " + ", ".join(sorted(FACTS)))
        for other in others:
            if normalise(other) != other or other == package:
                entry.wrong(f"`with` must be a normalised name other than the package's, not `{other}`")
        table = _table(entry, verb, versions)
    platforms = entry.texts("platforms")
    for platform in platforms:
        if not _PLATFORM.fullmatch(platform):
            entry.wrong(f"`{platform}` is no platform like linux-x86_64, macos-arm64, windows-* ")
    severity = entry.choice("severity", SEVERITIES)
    source, evidence, date = entry.origin()
    if severity == "broken" and not entry.text("symptom"):
        entry.wrong("`symptom` is missing: what would a user see?")
    return [
        Rule(
            name, package, verb, severity, other, table, kernels, entry.texts("line"), platforms,
            entry.range(entry.text("python"), "`python`"),
            entry.choice("accelerator", ("", "cuda", "rocm", "cpu", "metal")),
            entry.flag("wheels-only"), entry.flag("unless-same-version"), entry.flag("steer"),
            entry.text("symptom"), entry.text("remedy"), entry.text("note"), source, evidence, date,
        )
        for other in others
    ]  # fmt: skip


def _table(entry: _Entry, verb: str, versions: str) -> tuple[tuple[str, str], ...]:
    value = entry.data[verb]
    if value in (SAME, LABEL) and verb == "needs":
        return ((versions, value),)
    if isinstance(value, str):
        return ((versions, entry.range(value, f"`{verb}`")),)
    rows = []
    if "versions" in entry.data:
        entry.wrong(f"`versions` stands in the rows of `{verb}`")
    for row in value if isinstance(value, list) else [None]:
        if not (isinstance(row, list) and len(row) == 2 and all(isinstance(part, str) for part in row)):
            entry.wrong(f"`{verb}` must be a range, or a list of [versions, range]")
            break
        rows.append((entry.range(row[0], "the versions"), entry.range(row[1], "the range")))
    return tuple(rows)


def _gpu(entry: _Entry) -> list[Gpu]:
    entry.known("names", "capability", "gfx", *_ORIGIN)
    capability, gfx = entry.text("capability"), entry.text("gfx")
    if bool(capability) == bool(gfx) or (capability and not re.fullmatch(r"\d+\.\d", capability)):
        entry.wrong("`capability` must be like 8.9, or `gfx` like gfx90a")
    if not entry.texts("names"):
        entry.wrong("`names` is missing")
    entry.origin()
    return [Gpu(name, capability or gfx) for name in entry.texts("names")]


def _line(entry: _Entry) -> list[Line]:
    entry.known("label", "accelerator", "cuda", "path", "family", "versions", "platforms", *_ORIGIN)
    source, _, _ = entry.origin()
    accelerator = entry.choice("accelerator", ("cuda", "rocm", "cpu", "xpu"))
    if (accelerator == "cuda") != bool(entry.text("cuda")):
        entry.wrong("`cuda` belongs to lines of CUDA, and to no others")
    return [
        Line(
            entry.text("label"), accelerator, entry.text("cuda"), entry.text("path"), entry.text("family"),
            entry.range(entry.text("versions"), "`versions`"), entry.texts("platforms"), source,
        )
    ]  # fmt: skip


def _default(entry: _Entry) -> list[Default]:
    entry.known("package", "line", "platforms", "versions", *_ORIGIN)
    entry.origin()
    return [
        Default(
            entry.text("package"), entry.range(entry.text("versions"), "`versions`"), entry.text("line"),
            entry.texts("platforms"),
        )
    ]  # fmt: skip


def _abi(entry: _Entry) -> list[Abi]:
    entry.known("package", "versions", "cxx11", "line", "platforms", *_ORIGIN)
    entry.origin()
    return [
        Abi(
            entry.text("package"), entry.range(entry.text("versions"), "`versions`"), entry.flag("cxx11"),
            entry.texts("line"), entry.texts("platforms"),
        )
    ]  # fmt: skip


def _alias(entry: _Entry) -> list[Alias]:
    entry.known("conda", "package", *_ORIGIN)
    entry.origin()
    return [Alias(name, entry.text("package")) for name in entry.texts("conda")]


def _toolkit(entry: _Entry) -> list[Toolkit]:
    entry.known("cuda", "linux", "windows", "shipped-linux", *_ORIGIN)
    source, _, date = entry.origin()
    return [
        Toolkit(
            entry.text("cuda"), entry.text("linux"), entry.text("windows"), entry.text("shipped-linux"), source, date
        )
    ]


def _arch(entry: _Entry) -> list[Arch]:
    entry.known("capability", "cuda", *_ORIGIN)
    entry.origin()
    if not re.fullmatch(r"\d+\.\d", entry.text("capability")):
        entry.wrong("`capability` must be like 8.9")
    return [Arch(entry.text("capability"), entry.range(entry.text("cuda"), "`cuda`"))]


def _family(entry: _Entry) -> list[Family]:
    entry.known("name", "packages", "base", *_ORIGIN)
    entry.origin()
    return [Family(entry.text("name"), entry.texts("packages"), entry.text("base"))]


def _wheels(entry: _Entry) -> list[Wheels]:
    entry.known("package", "version", "url", "files", "sha256", "requires", "requires-python", *_ORIGIN)
    source, _, date = entry.origin()
    hashes = entry.data.get("sha256", {})
    if not isinstance(hashes, dict) or not all(re.fullmatch("[0-9a-f]{64}", str(value)) for value in hashes.values()):
        entry.wrong("`sha256` must be a table of file name to hexadecimal sha256")
        hashes = {}
    if not re.match(r"https://|http://(127\.0\.0\.1|localhost)[:/]", entry.text("url")):
        entry.wrong("`url` must be https")
    for name in entry.texts("files"):
        if not name.endswith(".whl") or "/" in name:
            entry.wrong(f"`{name}` is no wheel's file name")
    return [
        Wheels(
            entry.text("package"), entry.text("version"), entry.text("url").rstrip("/"), entry.texts("files"),
            tuple(sorted(hashes.items())), entry.texts("requires"), entry.text("requires-python"), source, date,
        )
    ]  # fmt: skip


def _metadata(entry: _Entry) -> list[Supplied]:
    entry.known("package", "versions", "requires", "requires-python", "extras", *_ORIGIN)
    source, _, date = entry.origin()
    return [
        Supplied(
            entry.text("package"), entry.range(entry.text("versions"), "`versions`"), entry.texts("requires"),
            entry.text("requires-python"), entry.texts("extras"), source, date,
        )
    ]  # fmt: skip
