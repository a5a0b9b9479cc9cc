"""One table of a matrix file as people write it: typed getters that note a mistake and go on.

Knows what a field may hold, and of no particular table.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlpin.matrix.rule import EVIDENCE
from mlpin.requirement import normalise

ORIGIN = ("source", "evidence", "date", "note")
"""The keys that say where a statement is from; every table has them."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"\d+(\.\d+)*")
_PLATFORM = re.compile(r"(linux|macos|windows|\*)-(x86_64|aarch64|arm64|amd64|\*)")


class Entry:
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

    def required(self, key: str) -> str:
        value = self.text(key)
        if self.data.get(key, "") == "":
            self.wrong(f"`{key}` is {'empty' if key in self.data else 'missing'}")
        return value

    def name(self, key: str = "package") -> str:
        value = self.text(key)
        if not value or normalise(value) != value:
            self.wrong(f"`{key}` must be a normalised name")
        return value

    def number(self, key: str) -> str:
        value = self.text(key)
        if value and not _NUMBER.fullmatch(value):
            self.wrong(f"`{key}` `{value}` is no version number")
        return value

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

    def some(self, key: str) -> tuple[str, ...]:
        found = self.texts(key)
        if not all(found) or self.data.get(key, []) == []:
            self.wrong(f"`{key}` is {'empty' if key in self.data else 'missing'}")
        return found

    def platforms(self) -> tuple[str, ...]:
        found = self.texts("platforms")
        for platform in found:
            if not _PLATFORM.fullmatch(platform):
                self.wrong(f"`{platform}` is no platform like linux-x86_64, macos-arm64, windows-*")
        return found

    def choice(self, key: str, allowed: Sequence[str], default: str = "") -> Any:
        value = self.text(key, default)
        if value not in allowed:
            self.wrong(f"`{key}` must be one of {', '.join(allowed)}")
            return allowed[0]
        return value

    def range(self, key: str) -> str:
        return self.specifier(self.text(key), f"`{key}`")

    def specifier(self, text: str, what: str) -> str:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            SpecifierSet(text)
        except InvalidSpecifier:
            self.wrong(f"{what} `{text}` is not a version specifier (PEP 440)")
            return ""
        return text

    def requirements(self) -> tuple[str, ...]:
        from packaging.requirements import InvalidRequirement, Requirement

        found = self.texts("requires")
        for text in found:
            try:
                Requirement(text)
            except InvalidRequirement:
                self.wrong(f"`requires`: `{text}` is not a requirement (PEP 508)")
        return found

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
        if not _is_day(date):
            self.wrong("`date` must be a day, like 2026-11-21")
        self.text("note")
        return source, self.choice("evidence", EVIDENCE), date


def _is_day(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text) and dt.date.fromisoformat(text))
    except ValueError:
        return False
