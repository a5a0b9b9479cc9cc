"""MatchSpecs and versions as conda has them, on py-rattler. The only module that knows its types for them."""

from __future__ import annotations

from functools import cache
from typing import Any

from mlpin.conda.record import CondaRecord
from mlpin.errors import InputError


class MatchSpec:
    """What a MatchSpec asks of a record; it remembers what it said of each version."""

    __slots__ = ("_nameless", "_versions", "build", "channel", "name", "text", "version")

    def __init__(self, text: str) -> None:
        from rattler import MatchSpec as Parsed

        self.text = text
        parsed = Parsed(text, strict=False)
        self.name = parsed.name.normalized
        self.version = parsed.version
        self.build = parsed.build
        self.channel = parsed.channel.name if parsed.channel else ""
        self._versions: dict[str, bool] = {}
        self._nameless = parsed

    def matches(self, record: CondaRecord) -> bool:
        raise NotImplementedError


@cache
def match_spec(text: str) -> MatchSpec:
    """The MatchSpec that `text` is; one object per text. Raises `InputError`."""
    return MatchSpec(text)


@cache
def version(text: str) -> Any:
    """A version by conda's order: it can be compared and hashed. Raises `InputError` where it is none."""
    from rattler import Version

    try:
        return Version(text)
    except Exception:
        raise InputError(f"`{text}` is not a version that conda knows") from None
