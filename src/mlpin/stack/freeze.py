"""`pip freeze`, and requirements files in which each line names one version.

The lines are read as in a manifest, other files and constraints included. Nothing is fetched: a file at a URL is
listed as skipped, and so is every line that does not say which version is installed.
"""

from __future__ import annotations

import re
from pathlib import Path

from mlpin.manifest import pip_lines
from mlpin.manifest.model import Context
from mlpin.manifest.requirements_txt import Collector
from mlpin.manifest.source_text import redacted
from mlpin.requirement import Declared, Origin, PathSource, UrlSource
from mlpin.stack.artifacts import file_name, version_in
from mlpin.stack.gathered import Gathered
from mlpin.stack.markers import Markers, target_for
from mlpin.stack.model import Stack, Where

_EXACT = re.compile(r"===?\s*([^*]+)")
_EDITABLE = ("-e", "--editable")
_EDITABLE_COMMENT = re.compile(r"#\s*Editable .*\((?P<name>[A-Za-z0-9._-]+)===?(?P<version>[^()\s]+)\)\s*")
"""What `pip freeze` writes above a project installed from a directory."""
_OTHER_FILES = ("--requirement", "--constraint")


def read(text: str, shown: str, where: Where, path: Path | None = None) -> Stack:
    """The text of the file at `path`, or of standard input, where no other file is read. Raises `InputError`."""
    return _Reader(text, shown, where, path).stack()


class _Reader:
    def __init__(self, text: str, shown: str, where: Where, path: Path | None) -> None:
        self.text = text
        self.shown = shown
        self.folder = path.parent if path else Path.cwd()
        self.includes = path is not None
        self.found = Gathered(shown, "freeze")
        self.markers = Markers(target_for(where))
        self.collector = Collector(path or Path(shown), Context(Path.cwd(), {}, self._fetch))

    def _fetch(self, url: str) -> str:
        self.found.skip(redacted(url), 0, "nothing is fetched")
        return ""

    def stack(self) -> Stack:
        raw = self.text.splitlines()
        for line in pip_lines.lines(self.text, {}):
            if not self.includes and _names_a_file(line.text):
                self.found.skip(line.shown, line.number, "there are no other files beside standard input")
                continue
            self.collector.line(line, Origin("manifest", self.shown, line.number, line.shown), self.folder)
        pins = {one.name: _exact(one) for one in self.collector.constraints if self._holds(one)}
        for requirement in self.collector.requirements:
            if self._holds(requirement):
                above = requirement.origin.line - 2
                comment = raw[above].strip() if 0 <= above < len(raw) and self._is_here(requirement) else ""
                self._take(requirement, pins, comment)
        kind = self.found.kind if self._is_freeze() else "requirements"
        return self.found.stack()._replace(kind=kind)

    def _is_freeze(self) -> bool:
        """Whether it says nothing but what is installed."""
        collector = self.collector
        plain = all(
            not one.marker and (one.source or (one.specifier.startswith("==") and not one.hashes))
            for one in collector.requirements
        )
        return plain and not collector.constraints and not collector.layers() and not collector.inputs

    def _is_here(self, requirement: Declared) -> bool:
        return requirement.origin.file == self.shown

    def _holds(self, requirement: Declared) -> bool:
        return self.markers.hold(requirement.marker, requirement.origin.place)

    def _take(self, requirement: Declared, pins: dict[str, str], comment: str) -> None:
        name, text, source = requirement.name, requirement.origin.text, requirement.source
        line = requirement.origin.line if self._is_here(requirement) else 0
        if not self._is_here(requirement):
            text = f"{text} ({requirement.origin.place})"
        editable = requirement.origin.text.startswith(_EDITABLE)
        if source is None:
            version = _exact(requirement) or pins.get(name, "")
            if version:
                self.found.pypi(name, version, line, text=text)
            else:
                self.found.skip(text, line, "names no exact version")
            return
        if editable and (stated := _EDITABLE_COMMENT.fullmatch(comment)):
            self.found.pypi(stated["name"], stated["version"], line)
            return
        files: tuple[str, ...] = ()
        version = reason = ""
        if isinstance(source, UrlSource | PathSource):
            file = file_name(source.url if isinstance(source, UrlSource) else source.path)
            version = version_in(file, name) if name else ""
            files = (file,) if version else ()
            reason = "does not say which version it is; `pip list --format=freeze` does"
        else:
            reason = "from a repository, and its version is not stated"
        if editable:
            reason = "editable, and its version is not stated"
        if name:
            self.found.pypi(name, version, line, files=files, text=text, reason=reason)
        else:
            self.found.skip(text, line, "does not say which package it is")


def _exact(requirement: Declared) -> str:
    """The one version that a requirement admits; empty where there is none."""
    for clause in requirement.specifier.split(","):
        if found := _EXACT.fullmatch(clause.strip()):
            return found[1].strip()
    return ""


def _names_a_file(text: str) -> bool:
    try:
        return any(option.name in _OTHER_FILES for option in pip_lines.parts(text).options)
    except ValueError:
        return False
