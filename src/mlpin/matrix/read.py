"""Matrix files as people write them (TOML) → values. Every mistake in a file is told, not the first alone.

The format is published as `data/matrix.schema.json`. Nothing is known here of which rules ship, or of what a
project does with them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlpin.matrix.entry import ORIGIN, Entry
from mlpin.matrix.read_images import read_distribution, read_image
from mlpin.matrix.rule import FACTS, LABEL, SAME, SEVERITIES, Rule, arch
from mlpin.matrix.tables import (
    Abi,
    Alias,
    Arch,
    BaseImage,
    Default,
    Distribution,
    Family,
    Gpu,
    Line,
    Supplied,
    Toolkit,
    Wheels,
)
from mlpin.requirement import normalise

_ID = re.compile(r"[a-z0-9][a-z0-9.-]*")
_TABLES = (
    "rule", "gpu", "line", "default", "abi", "alias", "toolkit", "arch", "family", "wheels", "metadata",
    "distribution", "image",
)  # fmt: skip
_HEADER = re.compile(
    # Texts and remarks first: a header in one of them is none.
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*'''
    r"|^[ \t]*\[\[[ \t]*(\w+)[ \t]*\]\]",
    re.MULTILINE | re.DOTALL,
)


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
    distributions: tuple[Distribution, ...] = ()
    images: tuple[BaseImage, ...] = ()


def read_files(paths: Sequence[Path], shown: Callable[[Path], str] = str) -> tuple[Source, list[Mistake]]:
    """What several files say together, and everything that is wrong with them. A missing file is a mistake too."""
    joined: dict[str, tuple[Any, ...]] = dict.fromkeys(Source._fields, ())
    mistakes: list[Mistake] = []
    places: dict[str, list[str]] = {}
    for path in dict.fromkeys(paths):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            mistakes.append(Mistake(shown(path), 0, f"cannot be read: {reason}"))
            continue
        found, wrong = read(text, shown(path), places)
        mistakes += wrong
        joined = {name: (*values, *getattr(found, name)) for name, values in joined.items()}
    return Source(**joined), mistakes


def read(text: str, file: str, places: dict[str, list[str]] | None = None) -> tuple[Source, list[Mistake]]:
    """What a matrix file says, and everything that is wrong with it. `places`: where other files have which id."""
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
    readers: tuple[Callable[[Entry], Sequence[Any]], ...] = (
        _rule, _gpu, _line, _default, _abi, _alias, _toolkit, _arch, _family, _wheels, _metadata,
        read_distribution, read_image,
    )  # fmt: skip
    places = {} if places is None else places
    headers = _headers(text)
    found: list[tuple[Any, ...]] = []
    for key, reader in zip(_TABLES, readers, strict=True):
        entries = data.get(key, [])
        entries = entries if isinstance(entries, list) else []
        numbers = headers.get(key, [])
        if len(numbers) != len(entries):
            numbers = [0] * len(entries)
        right: list[Any] = []
        for number, table in zip(numbers, entries, strict=True):
            if not isinstance(table, dict):
                continue
            wrong: list[str] = []
            made = reader(Entry(table, wrong.append))
            name = table.get("id") or table.get("package") or table.get("label") or ""
            if key == "rule" and isinstance(name, str) and name == table.get("id"):
                used = places.setdefault(name, [])
                used.append(Mistake(file, number, "").place)
                if len(used) > 1:
                    wrong.append(f"the id `{name}` is used {len(used)} times, first at {used[0]}")
            about = f"{key} `{name}`" if name else key
            mistakes += [Mistake(file, number, f"{about}: {what}") for what in dict.fromkeys(wrong)]
            if not wrong:
                right += made
        found.append(tuple(right))
    return Source(*found), mistakes


def _headers(text: str) -> dict[str, list[int]]:
    """By name of a table, the lines that its entries begin on."""
    found: dict[str, list[int]] = {}
    for match in _HEADER.finditer(text):
        if match[1]:
            found.setdefault(match[1], []).append(text.count("\n", 0, match.start()) + 1)
    return found


def _rule(entry: Entry) -> list[Rule]:
    entry.known(
        "id", "package", "versions", "with", "needs", "fails", "kernels", "line", "platforms", "python",
        "accelerator", "wheels-only", "unless-same-version", "severity", "steer", "symptom", "remedy", *ORIGIN,
    )  # fmt: skip
    name = entry.text("id")
    if not _ID.fullmatch(name):
        entry.wrong("`id` must be lower case letters, digits, dots and hyphens")
    package = entry.name()
    verbs = [verb for verb in ("needs", "fails", "kernels") if verb in entry.data]
    if len(verbs) != 1:
        entry.wrong("a rule has exactly one of `needs`, `fails` and `kernels`")
        return []
    verb: Any = verbs[0]
    versions = entry.range("versions")
    others: tuple[str, ...] = entry.texts("with")
    kernels: tuple[str, ...] = ()
    table: tuple[tuple[str, str], ...] = ((versions, ""),)
    if verb == "kernels":
        kernels = entry.some("kernels")
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
            if not other or normalise(other) != other or other == package:
                entry.wrong(f"`with` must be a normalised name other than the package's, not `{other}`")
        table = _table(entry, verb, versions)
    severity = entry.choice("severity", SEVERITIES)
    source, evidence, date = entry.origin()
    if severity == "broken" and not entry.text("symptom"):
        entry.wrong("`symptom` is missing: what would a user see?")
    return [
        Rule(
            name, package, verb, severity, other, table, kernels, entry.texts("line"), entry.platforms(),
            entry.range("python"),
            entry.choice("accelerator", ("", "cuda", "rocm", "cpu", "metal")),
            entry.flag("wheels-only"), entry.flag("unless-same-version"), entry.flag("steer"),
            entry.text("symptom"), entry.text("remedy"), entry.text("note"), source, evidence, date,
        )
        for other in others
    ]  # fmt: skip


def _table(entry: Entry, verb: str, versions: str) -> tuple[tuple[str, str], ...]:
    value = entry.data[verb]
    if value in (SAME, LABEL) and verb == "needs":
        return ((versions, value),)
    if isinstance(value, str):
        return ((versions, entry.specifier(value, f"`{verb}`")),)
    rows = []
    if value == []:
        entry.wrong(f"`{verb}` is empty")
    if "versions" in entry.data:
        entry.wrong(f"`versions` stands in the rows of `{verb}`")
    for row in value if isinstance(value, list) else [None]:
        if not (isinstance(row, list) and len(row) == 2 and all(isinstance(part, str) for part in row)):
            entry.wrong(f"`{verb}` must be a range, or a list of [versions, range]")
            break
        rows.append((entry.specifier(row[0], "the versions"), entry.specifier(row[1], "the range")))
    return tuple(rows)


def _gpu(entry: Entry) -> list[Gpu]:
    entry.known("names", "capability", "gfx", *ORIGIN)
    entry.origin()
    capability, gfx = entry.text("capability"), entry.text("gfx")
    if bool(capability) == bool(gfx) or (capability and not re.fullmatch(r"\d+\.\d", capability)):
        entry.wrong("`capability` must be like 8.9, or `gfx` like gfx90a")
    return [Gpu(name, capability or gfx) for name in entry.some("names")]


def _line(entry: Entry) -> list[Line]:
    entry.known("label", "accelerator", "cuda", "path", "family", "versions", "platforms", *ORIGIN)
    source, _, _ = entry.origin()
    accelerator = entry.choice("accelerator", ("cuda", "rocm", "cpu", "xpu"))
    if (accelerator == "cuda") != bool(entry.text("cuda")):
        entry.wrong("`cuda` belongs to lines of CUDA, and to no others")
    return [
        Line(
            entry.required("label"), accelerator, entry.number("cuda"), entry.required("path"),
            entry.required("family"), entry.range("versions"), entry.platforms(), source,
        )
    ]  # fmt: skip


def _default(entry: Entry) -> list[Default]:
    entry.known("package", "line", "platforms", "versions", *ORIGIN)
    entry.origin()
    return [Default(entry.name(), entry.range("versions"), entry.required("line"), entry.platforms())]


def _abi(entry: Entry) -> list[Abi]:
    entry.known("package", "versions", "cxx11", "line", "platforms", *ORIGIN)
    entry.origin()
    if "cxx11" not in entry.data:
        entry.wrong("`cxx11` is missing: true for the new ABI")
    return [Abi(entry.name(), entry.range("versions"), entry.flag("cxx11"), entry.texts("line"), entry.platforms())]


def _alias(entry: Entry) -> list[Alias]:
    entry.known("conda", "package", *ORIGIN)
    entry.origin()
    package = entry.name()
    return [Alias(name, package) for name in entry.some("conda")]


def _toolkit(entry: Entry) -> list[Toolkit]:
    entry.known("cuda", "linux", "windows", "shipped-linux", *ORIGIN)
    source, _, date = entry.origin()
    entry.required("cuda")
    return [
        Toolkit(
            entry.number("cuda"), entry.number("linux"), entry.number("windows"), entry.number("shipped-linux"),
            source, date,
        )
    ]  # fmt: skip


def _arch(entry: Entry) -> list[Arch]:
    entry.known("capability", "cuda", "generation", *ORIGIN)
    entry.origin()
    entry.required("cuda")
    if not re.fullmatch(r"\d+\.\d", entry.text("capability")):
        entry.wrong("`capability` must be like 8.9")
    return [Arch(entry.text("capability"), entry.range("cuda"), entry.text("generation"))]


def _family(entry: Entry) -> list[Family]:
    entry.known("name", "packages", "base", *ORIGIN)
    entry.origin()
    packages = entry.some("packages")
    for package in packages:
        if normalise(package) != package:
            entry.wrong(f"`packages` must be normalised names, not `{package}`")
    return [Family(entry.required("name"), packages, entry.required("base"))]


def _wheels(entry: Entry) -> list[Wheels]:
    entry.known("package", "version", "url", "files", "sha256", "requires", "requires-python", *ORIGIN)
    source, _, date = entry.origin()
    hashes = entry.data.get("sha256", {})
    if not isinstance(hashes, dict) or not all(re.fullmatch("[0-9a-f]{64}", str(value)) for value in hashes.values()):
        entry.wrong("`sha256` must be a table of file name to hexadecimal sha256")
        hashes = {}
    if not re.match(r"https://|http://(127\.0\.0\.1|localhost)[:/]", entry.text("url")):
        entry.wrong("`url` must be https")
    files = entry.some("files")
    for name in files:
        if not name.endswith(".whl") or "/" in name:
            entry.wrong(f"`{name}` is no wheel's file name")
    return [
        Wheels(
            entry.name(), entry.required("version"), entry.text("url").rstrip("/"), files,
            tuple(sorted(hashes.items())), entry.requirements(), entry.range("requires-python"), source, date,
        )
    ]  # fmt: skip


def _metadata(entry: Entry) -> list[Supplied]:
    entry.known("package", "versions", "requires", "requires-python", "extras", *ORIGIN)
    source, _, date = entry.origin()
    return [
        Supplied(
            entry.name(), entry.range("versions"), entry.requirements(), entry.range("requires-python"),
            entry.texts("extras"), source, date,
        )
    ]  # fmt: skip
