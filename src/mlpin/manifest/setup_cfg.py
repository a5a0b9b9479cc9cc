"""`setup.cfg` of setuptools: `install_requires`, `extras_require`, `python_requires`, as static text.

A second pass over the text gives the line of each requirement, which `configparser` does not tell.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Sequence
from pathlib import Path

from mlpin.errors import InputError
from mlpin.manifest import pep508, project_tables
from mlpin.manifest.model import Context, Manifest, Note
from mlpin.manifest.pip_lines import without_comment
from mlpin.manifest.pyproject import plain_lines
from mlpin.manifest.source_text import redacted, text_of
from mlpin.requirement import Declared, Origin, normalise

_SECTION = re.compile(r"\[(?P<name>[^\]]+)\]")
_OPTION = re.compile(r"(?P<key>[^\s:=#;\[][^:=]*)[:=](?P<value>.*)")
_EXTRAS = "options.extras_require"

Numbered = list[tuple[int, str]]


def declares(path: Path) -> bool:
    """Whether the file declares dependencies; True where it cannot be read, so that `read` says why."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return True
    options = _options(text)
    return ("options", "install_requires") in options or any(section == _EXTRAS for section, _ in options)


def read(path: Path, context: Context) -> Manifest:
    """The `setup.cfg` at `path`; `InputError` where it declares nothing or computes what it declares."""
    return _Reader(path, context).manifest()


def _options(text: str) -> dict[tuple[str, str], Numbered]:
    """The numbered lines of each option's value, by section and key."""
    found: dict[tuple[str, str], Numbered] = {}
    section, current = "", None
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if not bare or bare.startswith(("#", ";")):
            continue
        if line[0].isspace():
            if current is not None:
                found[current].append((number, bare))
            continue
        header = _SECTION.match(line)
        if header:
            section, current = header["name"], None
            continue
        option = _OPTION.match(line)
        if option:
            key = option["key"].strip()
            current = (section, key if section == _EXTRAS else key.lower().replace("-", "_"))
            found[current] = [(number, option["value"].strip())] if option["value"].strip() else []
    return found


class _Reader:
    def __init__(self, path: Path, context: Context) -> None:
        self.path = path
        self.context = context
        self.shown = context.shown(path)
        self.notes: list[Note] = []
        self.inputs: list[Path] = [path]
        text = text_of(path, context)
        try:
            configparser.RawConfigParser().read_string(text)
        except configparser.Error as error:
            line = getattr(error, "lineno", None) or next((number for number, _ in getattr(error, "errors", ())), 0)
            reason = error.message.partition("\n")[0].replace("'<string>'", "it").replace("<string>", "it")
            place = f"{self.shown}:{line}" if line else self.shown
            raise InputError(f"is not a setup.cfg: {reason[:1].lower()}{reason[1:]}", where=place) from None
        self.options = _options(text)

    def _origin(self, line: int, text: str) -> Origin:
        return Origin("manifest", self.shown, line, redacted(text))

    def _single(self, section: str, key: str) -> tuple[str, Origin]:
        lines = self.options.get((section, key), [])
        text = " ".join(line for _, line in lines)
        return text, self._origin(lines[0][0] if lines else 0, text)

    def manifest(self) -> Manifest:
        extras = [key for section, key in self.options if section == _EXTRAS]
        if ("options", "install_requires") not in self.options and not extras:
            raise InputError(
                "declares no dependencies: it has neither `install_requires` in [options] nor [options.extras_require]",
                where=self.shown,
                hint="name the file that does, such as requirements.txt or pyproject.toml",
            )
        name, _ = self._single("metadata", "name")
        version, _ = self._single("metadata", "version")
        requires_python, origin = self._single("options", "python_requires")
        project = normalise(name)
        requirements, named, _ = project_tables.without_self_references(
            project,
            self._listed("options", "install_requires"),
            {normalise(key): tuple(self._listed(_EXTRAS, key)) for key in extras},
            {},
            self.notes,
        )
        return Manifest(
            path=self.path,
            kind="setup.cfg",
            project=project,
            version="" if re.match(r"(attr|file):", version) else version,
            requires_python=pep508.specifier(requires_python, origin, what="range of Python versions"),
            requires_python_origin=origin if requires_python else None,
            requirements=requirements,
            extras=named,
            notes=tuple(self.notes),
            inputs=tuple(self.inputs),
        )

    def _listed(self, section: str, key: str) -> Sequence[Declared]:
        lines = self.options.get((section, key), [])
        if not lines:
            return ()
        directive = re.match(r"(attr|file|find|find_namespace)\s*:", lines[0][1])
        if directive and directive[1] == "file":
            return self._files(lines)
        if directive:
            raise InputError(
                f"`{key}` is computed with `{directive[1]}:`, and nothing is run while locking",
                where=f"{self.shown}:{lines[0][0]}",
                hint="list the requirements here, or in a file that `file:` names",
            )
        if len(lines) == 1 and self._on_the_line_of_its_key(lines[0]):
            number, text = lines[0]
            lines = [(number, part.strip()) for part in text.split(";") if part.strip()]  # as setuptools has it
        found = []
        for number, text in lines:
            bare = without_comment(text)
            found.append(pep508.declared(bare, self._origin(number, bare), bases=(self.path.parent,)))
        return found

    def _on_the_line_of_its_key(self, line: tuple[int, str]) -> bool:
        source = text_of(self.path, self.context).splitlines()[line[0] - 1]
        return not source[:1].isspace()

    def _files(self, lines: Numbered) -> list[Declared]:
        found: list[Declared] = []
        for number, text in lines:
            for name in re.sub(r"^file\s*:", "", text).split(","):
                if not name.strip():
                    continue
                path = self.path.parent / name.strip()
                if not path.is_file():
                    message = f"names `{name.strip()}`, and there is no such file"
                    raise InputError(message, where=f"{self.shown}:{number}")
                found += plain_lines(path, self.context)
                self.inputs.append(path)
        return found
